#include "http/openapi_schemas.h"

namespace bascule::http {

namespace {

// What requests and answers hold, by the names that `openapi.cc` refers to.
constexpr std::string_view kComponents = R"json({
"securitySchemes":{
 "bearer":{"type":"http","scheme":"bearer","description":"A key of --api-keys; without such a file none is needed."},
 "header":{"type":"apiKey","in":"header","name":"x-api-key"}},
"responses":{
 "Refused":{"description":"What was wrong, with the value, the limit and what to do.",
  "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Refusal"}}}}},
"schemas":{
 "Refusal":{"type":"object"},
 "Error":{"type":"object","required":["error"],"properties":{"error":{"type":"string"}}},
 "Datatype":{"type":"string","enum":["BOOL","UINT8","UINT16","UINT32","UINT64","INT8","INT16","INT32","INT64","FP16","BF16","FP32","FP64","BYTES"]},
 "Parameters":{"type":"object","additionalProperties":{"oneOf":[{"type":"string"},{"type":"number"},{"type":"boolean"}]}},
 "Shape":{"type":"array","maxItems":16,"items":{"type":"integer","minimum":0}},
 "Data":{"type":"array","items":{}},
 "InferInput":{"type":"object","required":["name","shape","datatype"],"properties":{
  "name":{"type":"string"},"shape":{"$ref":"#/components/schemas/Shape"},"datatype":{"$ref":"#/components/schemas/Datatype"},
  "parameters":{"$ref":"#/components/schemas/Parameters"},"data":{"$ref":"#/components/schemas/Data"}}},
 "WantedOutput":{"type":"object","required":["name"],"properties":{
  "name":{"type":"string"},"parameters":{"$ref":"#/components/schemas/Parameters"}}},
 "InferRequest":{"type":"object","required":["inputs"],"properties":{
  "id":{"type":"string"},"parameters":{"$ref":"#/components/schemas/Parameters"},
  "inputs":{"type":"array","maxItems":1024,"items":{"$ref":"#/components/schemas/InferInput"}},
  "outputs":{"type":"array","maxItems":1024,"items":{"$ref":"#/components/schemas/WantedOutput"}}}},
 "InferOutput":{"type":"object","required":["name","shape","datatype"],"properties":{
  "name":{"type":"string"},"shape":{"$ref":"#/components/schemas/Shape"},"datatype":{"$ref":"#/components/schemas/Datatype"},
  "parameters":{"$ref":"#/components/schemas/Parameters"},"data":{"$ref":"#/components/schemas/Data"}}},
 "InferAnswer":{"type":"object","required":["model_name","outputs"],"properties":{
  "model_name":{"type":"string"},"model_version":{"type":"string"},"id":{"type":"string"},
  "parameters":{"$ref":"#/components/schemas/Parameters"},
  "outputs":{"type":"array","items":{"$ref":"#/components/schemas/InferOutput"}}}},
 "GenerateRequest":{"type":"object","properties":{
  "id":{"type":"string"},"text_input":{"type":"string"},"parameters":{"type":"object"}}},
 "GenerateAnswer":{"type":"object","required":["model_name"],"properties":{
  "id":{"type":"string"},"model_name":{"type":"string"},"model_version":{"type":"string"},"text_output":{}}},
 "Live":{"type":"object","required":["live"],"properties":{"live":{"type":"boolean"}}},
 "Ready":{"type":"object","required":["ready"],"properties":{
  "name":{"type":"string"},"ready":{"type":"boolean"},"error":{"type":"string"}}},
 "ServerMetadata":{"type":"object","required":["name","version","extensions"],"properties":{
  "name":{"type":"string"},"version":{"type":"string"},"extensions":{"type":"array","items":{"type":"string"}}}},
 "ModelList":{"type":"object","required":["models"],"properties":{"models":{"type":"array","items":{"type":"string"}}}},
 "TensorMetadata":{"type":"object","required":["name","datatype","shape"],"properties":{
  "name":{"type":"string"},"datatype":{"$ref":"#/components/schemas/Datatype"},
  "shape":{"type":"array","items":{"type":"integer","minimum":-1}}}},
 "ModelMetadata":{"type":"object","required":["name","platform","inputs","outputs"],"properties":{
  "name":{"type":"string"},"versions":{"type":"array","items":{"type":"string"}},"platform":{"type":"string"},
  "inputs":{"type":"array","items":{"$ref":"#/components/schemas/TensorMetadata"}},
  "outputs":{"type":"array","items":{"$ref":"#/components/schemas/TensorMetadata"}}}},
 "ModelConfig":{"type":"object","required":["name","max_batch_size","input","output"],"properties":{
  "name":{"type":"string"},"platform":{"type":"string"},"backend":{"type":"string"},
  "max_batch_size":{"type":"integer","minimum":0},
  "input":{"type":"array","items":{"type":"object"}},"output":{"type":"array","items":{"type":"object"}}}},
 "Statistics":{"type":"object","required":["model_stats"],"properties":{
  "model_stats":{"type":"array","items":{"type":"object","required":["name","version","inference_stats"],"properties":{
   "name":{"type":"string"},"version":{"type":"string"},"last_inference":{"type":"integer"},
   "inference_count":{"type":"integer"},"execution_count":{"type":"integer"},"inference_stats":{"type":"object"},
   "batch_stats":{"type":"array","items":{"type":"object"}}}}}}},
 "IndexRequest":{"type":"object","properties":{"ready":{"type":"boolean"}}},
 "Index":{"type":"array","items":{"type":"object","required":["name"],"properties":{
  "name":{"type":"string"},"version":{"type":"string"},
  "state":{"type":"string","enum":["READY","LOADING","UNAVAILABLE"]},"reason":{"type":"string"}}}},
 "ControlRequest":{"type":"object","properties":{"parameters":{"$ref":"#/components/schemas/Parameters"}}},
 "Nothing":{"type":"object"},
 "RegisterRequest":{"type":"object","required":["key","byte_size"],"properties":{
  "key":{"type":"string"},"offset":{"type":"integer","minimum":0},"byte_size":{"type":"integer","minimum":1}}},
 "Regions":{"type":"array","items":{"type":"object","required":["name","key","offset","byte_size"],"properties":{
  "name":{"type":"string"},"key":{"type":"string"},"offset":{"type":"integer"},"byte_size":{"type":"integer"}}}},
 "Settings":{"type":"object"},
 "Picture":{"type":"object","properties":{
  "file":{"type":"string","format":"binary"},"source":{"type":"string"},
  "conf":{"type":"number","minimum":0.01,"maximum":1},"iou":{"type":"number","minimum":0,"maximum":0.95},
  "imgsz":{"type":"integer","minimum":32,"maximum":1280},"normalize":{"type":"boolean"},
  "vid_stride":{"type":"integer","minimum":1,"maximum":1000000},
  "decimals":{"type":"integer","minimum":0,"maximum":10}}},
 "NamedPicture":{"type":"object","properties":{
  "source":{"type":"string","description":"Base64 text, a data URL, or a URL of a host that --allow-url names."},
  "conf":{"type":"number","minimum":0.01,"maximum":1},"iou":{"type":"number","minimum":0,"maximum":0.95},
  "imgsz":{"type":"integer","minimum":32,"maximum":1280},"normalize":{"type":"boolean"},
  "vid_stride":{"type":"integer","minimum":1,"maximum":1000000},
  "decimals":{"type":"integer","minimum":0,"maximum":10}}},
 "Rows":{"type":"object","properties":{
  "rows":{"type":"array","minItems":1,"items":{},"description":"Objects by column names, lists by place, or single values."},
  "instances":{"type":"array","minItems":1,"items":{}},"signature_name":{"type":"string"},
  "text":{"oneOf":[{"type":"string"},{"type":"array","minItems":1,"items":{"type":"string"}}]}}},
 "NamedPictureOrRows":{"anyOf":[{"$ref":"#/components/schemas/NamedPicture"},{"$ref":"#/components/schemas/Rows"}]},
 "RowAnswers":{"type":"object","properties":{"rows":{"type":"array","items":{"type":"object"}},
  "predictions":{"type":"array","items":{}}}},
 "PredictionOrRows":{"anyOf":[{"$ref":"#/components/schemas/Prediction"},{"$ref":"#/components/schemas/RowAnswers"}]},
 "Prediction":{"type":"object","required":["images","metadata"],"properties":{
  "images":{"type":"array","items":{"type":"object","required":["shape","speed","results"],"properties":{
   "shape":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2},
   "speed":{"type":"object","required":["preprocess","inference","postprocess"]},
   "results":{"type":"array","items":{"type":"object","required":["name","class"],"properties":{
    "name":{"type":"string"},"class":{"type":"integer"},"confidence":{"type":"number"},"box":{"type":"object"}}}}}}},
  "metadata":{"type":"object","required":["imageCount","functionTimeAlive","functionTimeCall","version"]}}},
 "FirstPrediction":{"type":"object","required":["success","message","data"],"properties":{
  "success":{"type":"boolean"},"message":{"type":"string"},"data":{"type":"array","items":{"type":"object"}}}},
 "DeploymentHealth":{"type":"object","required":["healthy","status"],"properties":{
  "healthy":{"type":"boolean"},"status":{"type":"integer"},"latencyMs":{"type":"number"},
  "error":{"type":"string","nullable":true}}},
 "ApplicationState":{"type":"object","required":["name","state","error","source","frames","events"],"properties":{
  "name":{"type":"string"},"state":{"type":"string","enum":["stopped","starting","running","waiting","stuck","stopping","ended","failed"]},
  "error":{"type":"string"},"source":{"type":"object"},"frames":{"type":"object"},"events":{"type":"integer"},"retries":{"type":"integer"},
  "mean_inference_ms":{"type":"number"},"mean_rules_ms":{"type":"number"},"last_latency_ms":{"type":"number"}}},
 "Applications":{"type":"object","required":["applications"],"properties":{
  "applications":{"type":"array","items":{"$ref":"#/components/schemas/ApplicationState"}}}},
 "Application":{"allOf":[{"$ref":"#/components/schemas/ApplicationState"},{"type":"object","properties":{
  "takes_frames":{"type":"boolean"},"rules":{"type":"array","items":{"type":"object"}},"scene":{"type":"object","nullable":true}}}]},
 "Events":{"type":"object","required":["events"],"properties":{"events":{"type":"array","items":{"type":"object"}}}},
 "Days":{"type":"object","required":["app","days"],"properties":{"app":{"type":"string"},
  "days":{"type":"array","items":{"type":"object","required":["day","frames","objects","rules"],"properties":{
   "day":{"type":"string"},"frames":{"type":"integer"},"objects":{"type":"object","additionalProperties":{"type":"integer"}},
   "rules":{"type":"object","additionalProperties":{"type":"object","required":["events","with"],"properties":{
    "events":{"type":"integer"},"with":{"type":"object","additionalProperties":{"type":"integer"}}}}}}}}}},
 "Pushed":{"type":"object","required":["app","frame"],"properties":{"app":{"type":"string"},"frame":{"type":"integer","minimum":1}}},
 "SentAgain":{"type":"object","required":["app","events"],"properties":{"app":{"type":"string"},"events":{"type":"integer"}}},
 "PushedFile":{"type":"object","required":["file"],"properties":{"file":{"type":"string","format":"binary"}}},
 "WeighedFile":{"type":"object","required":["file"],"properties":{"file":{"type":"string","format":"binary"},
  "grams":{"type":"integer","minimum":1,"maximum":1000000}}},
 "BasketLine":{"type":"object","required":["class"],"additionalProperties":false,"properties":{"class":{"type":"string","minLength":1},
  "pieces":{"type":"integer","minimum":1,"maximum":10000},"grams":{"type":"integer","minimum":1,"maximum":1000000}}},
 "Basket":{"type":"object","required":["basket","state","lines","taxes","total","currency","questions"],"properties":{
  "basket":{"type":"string"},"state":{"type":"string","enum":["open","closed"]},"lines":{"type":"array","items":{"type":"object"}},
  "taxes":{"type":"array","items":{"type":"object"}},"total":{"type":"string"},"currency":{"type":"string"},"questions":{"type":"integer"}}},
 "File":{"type":"string","format":"binary"},
 "Text":{"type":"string"},
 "Document":{"type":"object"}}})json";

}  // namespace

std::string_view openapi_components() { return kComponents; }

}  // namespace bascule::http
