#include "protocol/v2/v2.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

// A body in memory of its own, aligned to 64 bytes and `shift` bytes on.
RequestBody body_of(std::string_view text, std::size_t shift = 0) {
  auto memory = std::make_shared<std::vector<std::byte>>(text.size() + 64 + shift);
  const auto address = reinterpret_cast<std::uintptr_t>(memory->data());
  std::byte* start = memory->data() + (64 - address % 64) % 64 + shift;
  if (!text.empty()) std::memcpy(start, text.data(), text.size());
  return {.bytes = {start, text.size()}, .owner = memory};
}

Result<InferCall> parse(std::string_view text) { return parse_infer(body_of(text), std::nullopt); }

std::string request_with(std::string_view type, std::string_view shape, std::string_view data) {
  return fmt::format(R"({{"inputs":[{{"name":"x","datatype":"{}","shape":{},"data":{}}}]}})", type, shape,
                     data);
}

template <class T>
std::vector<T> values_of(const tensor::Tensor& tensor) {
  const auto elements = tensor.elements<T>();
  return {elements.begin(), elements.end()};
}

TEST(ParseInfer, ReadsEveryPartOfARequest) {
  const auto call = parse(R"({"id":"42","parameters":{"binary_data_output":true,"priority":1,"note":"a"},
      "inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,-2.5,3e2,0.1]},
                {"name":"y","shape":[1],"datatype":"BYTES","data":["h\u00e9\ud83d\ude00"]}],
      "outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":false}}],"other":[{"x":[null]}]})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.id, "42");
  EXPECT_EQ(call->request.dialect, "v2");
  EXPECT_EQ(call->request.priority, 1U);
  EXPECT_TRUE(call->binary_outputs);
  ASSERT_EQ(call->request.inputs.size(), 2U);
  EXPECT_EQ(call->request.inputs[0].name, "x");
  EXPECT_THAT(call->request.inputs[0].tensor.shape, ElementsAre(2, 2));
  EXPECT_THAT(values_of<float>(call->request.inputs[0].tensor), ElementsAre(1.0F, -2.5F, 300.0F, 0.1F));
  const auto strings = tensor::string_elements(call->request.inputs[1].tensor);
  ASSERT_TRUE(strings);
  EXPECT_THAT(*strings, ElementsAre("h\xC3\xA9\xF0\x9F\x98\x80"));
  EXPECT_THAT(call->request.outputs, ElementsAre("a", "b"));
  EXPECT_TRUE(call->outputs[0].binary);
  EXPECT_FALSE(call->outputs[1].binary);
}

TEST(ParseInfer, TakesMembersInAnyOrder) {
  const auto call = parse(
      R"({"outputs":[{"parameters":{"binary_data":true},"name":"o"}],
          "inputs":[{"data":[[1,2],[3,4]],"datatype":"INT8","shape":[2,2],"name":"x"}],"id":"i"})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_THAT(values_of<std::int8_t>(call->request.inputs[0].tensor), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(call->outputs[0].binary);
}

struct Refusal {
  std::string body;
  Reason reason;
  std::string says;
};

TEST(ParseInfer, RefusesWithPlaceAndValue) {
  const std::vector<Refusal> cases = {
      {request_with("UINT8", "[3]", "[1,256,2]"), Reason::kValueOutOfRange,
       "Input 'x' (UINT8), element 1: 256 is out of range (0 to 255)."},
      {request_with("UINT8", "[1]", "[-1]"), Reason::kValueOutOfRange, "-1 is out of range (0 to 255)"},
      {request_with("INT64", "[1]", "[9223372036854775808]"), Reason::kValueOutOfRange,
       "9223372036854775808 is out of range (-9223372036854775808 to 9223372036854775807)"},
      {request_with("INT32", "[1]", "[1.5]"), Reason::kValueOutOfRange, "1.5 has a fraction"},
      {request_with("FP32", "[1]", "[1e39]"), Reason::kValueOutOfRange, "1e39 is out of range"},
      {request_with("FP64", "[1]", "[-1e400]"), Reason::kValueOutOfRange, "-1e400 is out of range"},
      {request_with("BOOL", "[1]", "[2]"), Reason::kValueOutOfRange, "neither true nor false"},
      {request_with("BOOL", "[1]", "[\"true\"]"), Reason::kDatatypeMismatch, "a string stands where"},
      {request_with("BYTES", "[1]", "[7]"), Reason::kDatatypeMismatch, "a number stands where a string"},
      {request_with("FP32", "[1]", "[null]"), Reason::kDatatypeMismatch, "null stands where a number"},
      {request_with("FP32", "[2]", "[1,NaN]"), Reason::kNotInJson, "binary data"},
      {request_with("FP32", "[2]", "[1,-Infinity]"), Reason::kNotInJson, "binary data"},
      {request_with("FP16", "[1]", "[1]"), Reason::kNotInJson,
       "FP16 data via JSON is not supported; send it as binary data (binary_data_size)"},
      {request_with("BF16", "[1]", "[1]"), Reason::kNotInJson, "BF16 data via JSON is not supported"},
      {request_with("FP31", "[1]", "[1]"), Reason::kDatatypeMismatch, "unknown datatype 'FP31'"},
      {request_with("FP32", "[3]", "[1,2]"), Reason::kDataSizeMismatch, "has 2 elements; shape [3] needs 3"},
      {request_with("FP32", "[1]", "[1,2]"), Reason::kDataSizeMismatch, "too many elements"},
      {request_with("FP32", "[2,2]", "[[1,2],[3]]"), Reason::kDataSizeMismatch, "ragged"},
      {request_with("FP32", "[]", "[[1]]"), Reason::kDataSizeMismatch, "a scalar has no rows"},
      {request_with("BOOL", "[]", "[[null,null]]"), Reason::kDataSizeMismatch, "a scalar has no rows"},
      {request_with("BYTES", "[]", "[[[]]]"), Reason::kDataSizeMismatch, "a scalar has no rows"},
      {request_with("FP32", "[2,2]", "[[1,2],3,4]"), Reason::kDataSizeMismatch, "outside an array"},
      {request_with("FP32", "[2,2]", "[[[1,2]],[[3,4]]]"), Reason::kDataSizeMismatch, "an array at depth 2"},
      {request_with("FP32", "[4]", "[1,[2,3],4]"), Reason::kDatatypeMismatch,
       "an array stands where a number"},
      {request_with("FP32", "[1]", "7"), Reason::kDataSizeMismatch, "is not an array"},
      {request_with("FP32", "[1000000000]", "[1]"), Reason::kDataSizeMismatch, "cannot be there"},
      {request_with("FP32", "[-1]", "[1]"), Reason::kShapeMismatch, "-1 as dimension 0"},
      {request_with("FP32", "[1.0]", "[1]"), Reason::kShapeMismatch, "1.0 as dimension 0"},
      {request_with("FP32", "[4611686018427387904,4]", "[1]"), Reason::kShapeMismatch, "2^48"},
      {request_with("FP32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]"), Reason::kShapeMismatch, "16 dim"},
      {"", Reason::kJsonSyntax, "ends where an object"},
      {"[]", Reason::kJsonSyntax, "an object"},
      {"{}", Reason::kNone, "no \"inputs\""},
      {R"({"inputs":[]} x)", Reason::kJsonSyntax, "something follows the end"},
      {R"({"inputs":[],"inputs":[]})", Reason::kJsonSyntax, "\"inputs\" stands twice"},
      {R"({"inputs":[{"name":"x","name":"x"}]})", Reason::kJsonSyntax, "\"name\" stands twice"},
      {R"({"inputs":[{"name":"x","data":[1],"data":[1]}]})", Reason::kJsonSyntax, "\"data\" stands twice"},
      {R"({"inputs":[{"shape":[1]}]})", Reason::kNone, "no \"name\""},
      {R"({"inputs":[{"name":"x"}]})", Reason::kNone, "Input 'x' has no \"shape\""},
      {R"({"inputs":[{"name":"x","shape":[1]}]})", Reason::kNone, "Input 'x' has no \"datatype\""},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]})", Reason::kDataSizeMismatch,
       "Input 'x' has no values"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4}}]})",
       Reason::kDataSizeMismatch, "both"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})",
       Reason::kDataSizeMismatch, "Inference-Header-Content-Length"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":-4}}]})",
       Reason::kDataSizeMismatch, "-4 is not"},
      {R"({"inputs":[{"name":"x","shape":[0],"datatype":"FP32","data":[]},{"name":"x","shape":[0],"datatype":"FP32","data":[]}]})",
       Reason::kDuplicateInput, "Input 'x' stands twice"},
      {R"({"inputs":[],"outputs":[{"name":"o"},{"name":"o"}]})", Reason::kDuplicateOutput,
       "'o' stands twice"},
      {R"({"inputs":[],"outputs":[{"name":"o","parameters":{"classification":-3}}]})",
       Reason::kDataSizeMismatch, "must be a number of classes, 0 or more; -3 is not"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"r"}}]})",
       Reason::kNone, "shared memory"},
      {R"({"inputs":[],"outputs":[{"name":"o","parameters":{"classification":3,"shared_memory_region":"r",)"
       R"("shared_memory_byte_size":8}}]})",
       Reason::kNone, "ask for one of the two"},
      {R"({"inputs":[],"parameters":{"a":{}}})", Reason::kNone, "Parameter 'a'"},
      {R"({"inputs":[],"parameters":{"triton_a":1}})", Reason::kNone, "reserved"},
      {R"({"inputs":[],"parameters":{"headers":"x"}})", Reason::kNone, "reserved"},
      {R"({"inputs":[],"parameters":{"binary_data_output":1}})", Reason::kNone, "true or false"},
      {R"({"inputs":[],"parameters":{"priority":-1}})", Reason::kDataSizeMismatch,
       "whole number, 0 or more; -1"},
      {R"({"inputs":[],"parameters":{"priority":"1"}})", Reason::kDataSizeMismatch, "whole number"},
      {R"({"inputs":[],"parameters":{"priority":1,"priority":2}})", Reason::kJsonSyntax, "stands twice"},
      {R"({"inputs":[],"id":7})", Reason::kNone, "\"id\" of the request must be a string"},
      {"{\"inputs\":[],\"a\":\"\xFF\"}", Reason::kJsonSyntax, "UTF-8"},
      {R"({"inputs":[],"deep":)" + std::string(100, '[') + std::string(100, ']') + "}", Reason::kJsonDepth,
       "JSON nesting depth exceeds maximum allowed limit (100)"},
  };
  for (const Refusal& refusal : cases) {
    const auto call = parse(refusal.body);
    ASSERT_FALSE(call) << refusal.body;
    EXPECT_EQ(call.error().code, Code::kInvalidArgument) << refusal.body;
    EXPECT_EQ(to_string(call.error().reason), to_string(refusal.reason)) << call.error().message;
    EXPECT_THAT(call.error().message, HasSubstr(refusal.says)) << refusal.body;
  }
}

TEST(ParseInfer, ReadsTheEdgesOfEveryType) {
  const auto reads = [](std::string_view type, std::string_view data) {
    const auto call = parse(request_with(type, "[2]", data));
    EXPECT_TRUE(call) << type << ": " << (call ? "" : call.error().message);
    return call ? call->request.inputs[0].tensor : tensor::Tensor{};
  };
  EXPECT_THAT(values_of<std::uint8_t>(reads("BOOL", "[true,0]")), ElementsAre(1, 0));
  EXPECT_THAT(values_of<std::uint8_t>(reads("UINT8", "[0,255]")), ElementsAre(0, 255));
  EXPECT_THAT(values_of<std::uint16_t>(reads("UINT16", "[-0,65535]")), ElementsAre(0, 65535));
  EXPECT_THAT(values_of<std::uint32_t>(reads("UINT32", "[0,4294967295]")), ElementsAre(0, 4294967295));
  EXPECT_THAT(values_of<std::uint64_t>(reads("UINT64", "[0,18446744073709551615]")),
              ElementsAre(0, std::numeric_limits<std::uint64_t>::max()));
  EXPECT_THAT(values_of<std::int8_t>(reads("INT8", "[-128,127]")), ElementsAre(-128, 127));
  EXPECT_THAT(values_of<std::int16_t>(reads("INT16", "[-32768,32767]")), ElementsAre(-32768, 32767));
  EXPECT_THAT(values_of<std::int32_t>(reads("INT32", "[-2147483648,2147483647]")),
              ElementsAre(std::numeric_limits<std::int32_t>::min(), 2147483647));
  EXPECT_THAT(
      values_of<std::int64_t>(reads("INT64", "[-9223372036854775808,9223372036854775807]")),
      ElementsAre(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
  EXPECT_THAT(values_of<float>(reads("FP32", "[3.4028234663852886e38,-1e-50]")),
              ElementsAre(std::numeric_limits<float>::max(), 0.0F));
  EXPECT_THAT(values_of<double>(reads("FP64", "[123456789012345678901234567890,1e308]")),
              ElementsAre(123456789012345678901234567890.0, 1e308));
}

TEST(ParseInfer, ReadsScalarsAndEmptyTensors) {
  for (const char* data : {"5", "[5]"}) {
    const auto call = parse(request_with("INT32", "[]", data));
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_THAT(values_of<std::int32_t>(call->request.inputs[0].tensor), ElementsAre(5));
  }
  for (const char* data : {"[]", "[[],[]]"}) {
    const auto call = parse(request_with("INT32", "[2,0]", data));
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_TRUE(call->request.inputs[0].tensor.bytes.empty());
  }
  EXPECT_TRUE(parse(request_with("BYTES", "[0]", "[]")));
  EXPECT_FALSE(parse(request_with("INT32", "[2,0]", "[[]]")));
}

TEST(ParseInfer, AsksForNoMoreTensorsThanAModelCouldHave) {
  std::string inputs;
  for (int i = 0; i < 1025; ++i) {
    inputs +=
        fmt::format(R"({}{{"name":"{}","shape":[0],"datatype":"BOOL","data":[]}})", i == 0 ? "" : ",", i);
  }
  const auto call = parse(R"({"inputs":[)" + inputs + "]}");
  ASSERT_FALSE(call);
  EXPECT_THAT(call.error().message, HasSubstr("more than 1024 inputs"));
}

// A request of the binary extension: its JSON, and the bytes behind.
struct Binary {
  std::string json;
  std::string data;
  [[nodiscard]] Result<InferCall> parse(std::size_t shift = 0) const {
    return parse_infer(body_of(json + data, shift), json.size());
  }
};

std::string binary_input(std::string_view name, std::string_view type, std::string_view shape,
                         std::int64_t size) {
  return fmt::format(R"({{"name":"{}","datatype":"{}","shape":{},"parameters":{{"binary_data_size":{}}}}})",
                     name, type, shape, size);
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(ParseBinary, LeavesAlignedDataWhereItIs) {
  const Binary request{.json = R"({"inputs":[)" + binary_input("x", "FP32", "[2]", 8) +
                               R"(,{"name":"j","shape":[1],"datatype":"INT8","data":[7]},)" +
                               binary_input("s", "BYTES", "[2]", 11) + "]}",
                       .data = bytes_of<float>({1.5F, -2}) + std::string("\3\0\0\0abc\0\0\0\0", 11)};
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const RequestBody body = body_of(request.json + request.data, shift);
    const auto call = parse_infer(body, request.json.size());
    ASSERT_TRUE(call) << call.error().message;
    const auto& inputs = call->request.inputs;
    ASSERT_EQ(inputs.size(), 3U);
    EXPECT_THAT(values_of<float>(inputs[0].tensor), ElementsAre(1.5F, -2.0F));
    const std::byte* there = body.bytes.data() + request.json.size();
    const bool aligned = reinterpret_cast<std::uintptr_t>(there) % sizeof(float) == 0;
    EXPECT_EQ(inputs[0].tensor.bytes.data() == there, aligned);
    EXPECT_EQ(inputs[0].tensor.owner == body.owner, aligned);
    EXPECT_THAT(values_of<std::int8_t>(inputs[1].tensor), ElementsAre(7));
    EXPECT_THAT(*tensor::string_elements(inputs[2].tensor), ElementsAre("abc", ""));
    EXPECT_EQ(inputs[2].tensor.bytes.data(), there + 8);
  }
}

TEST(ParseBinary, RefusesSizesThatDoNotAddUp) {
  const auto one = [](std::string_view type, std::string_view shape, std::int64_t size) {
    return R"({"inputs":[)" + binary_input("x", type, shape, size) + "]}";
  };
  const std::vector<std::pair<Binary, std::string>> cases = {
      {{one("FP32", "[1]", 4), "123"}, "'x' has a \"binary_data_size\" of 4, but only 3 bytes"},
      {{one("FP32", "[1]", 4), "12345"},
       "5 bytes of binary data follow the JSON, but the inputs name only 4"},
      {{one("FP32", "[2]", 4), "1234"}, "has 4 bytes of binary data; FP32 of shape [2] needs 8"},
      {{one("FP32", "[1]", 18446744073709551615U), "1234"}, "-1 is not"},
      {{one("FP32", "[281474976710656,2]", 4), "1234"}, "2^48"},
      {{one("BYTES", "[1]", 4), "\xFF\xFF\xFF\xFF"}, "element 0 ends 4294967295 bytes behind"},
      {{one("BYTES", "[1]", 3), "\1\1\1"}, "element 0 ends 1 bytes behind"},
      {{one("BYTES", "[2]", 4), std::string(4, '\0')}, "with 1 elements and 0 bytes behind them"},
      {{one("BYTES", "[1]", 8), std::string(8, '\0')}, "with 1 elements and 4 bytes behind them"},
      {{one("BYTES", "[281474976710656]", 4), std::string(4, '\0')}, "needs 281474976710656"},
  };
  for (const auto& [request, says] : cases) {
    const auto call = request.parse();
    ASSERT_FALSE(call) << says;
    EXPECT_EQ(call.error().code, Code::kInvalidArgument);
    EXPECT_THAT(call.error().message, HasSubstr(says));
  }
  const auto beyond = parse_infer(body_of("{}"), 3);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().reason, Reason::kDataSizeMismatch);
  EXPECT_EQ(beyond.error().message, "Inference-Header-Content-Length is 3, but the body has only 2 bytes.");
  EXPECT_FALSE(parse_infer(body_of("{}"), std::numeric_limits<std::size_t>::max()));
}

TEST(ParseBinary, RefusesEveryPrefixAndSurvivesMutations) {
  const Binary request{.json = R"({"id":"\u00e9","inputs":[)" + binary_input("x", "INT16", "[2]", 4) + "," +
                               binary_input("s", "BYTES", "[2]", 11) +
                               R"(],"outputs":[{"name":"y","parameters":{"binary_data":true}}]})",
                       .data = bytes_of<std::int16_t>({1, -2}) + std::string("\3\0\0\0abc\0\0\0\0", 11)};
  const std::string whole = request.json + request.data;
  ASSERT_TRUE(request.parse());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string_view prefix = std::string_view(whole).substr(0, length);
    EXPECT_FALSE(parse_infer(body_of(prefix), request.json.size())) << length;
    EXPECT_FALSE(parse_infer(body_of(prefix), std::min(length, request.json.size()))) << length;
  }
  std::mt19937 random(5);
  int accepted = 0;
  for (int i = 0; i < 10000; ++i) {
    std::string text = whole;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = "{}[],:\"\\0129-e\x80\xFF"[random() % 16];
      } else {
        text.erase(at, 1 + random() % 4);
      }
    }
    const auto call = parse_infer(body_of(text, random() % 8), request.json.size());
    if (!call) {
      EXPECT_EQ(call.error().code, Code::kInvalidArgument);
      continue;
    }
    ++accepted;  // what is accepted is whole: every element can be reached
    for (const tensor::NamedTensor& input : call->request.inputs) {
      if (input.tensor.type == DataType::kString) {
        EXPECT_TRUE(tensor::string_elements(input.tensor));
      } else {
        EXPECT_EQ(tensor::byte_count(input.tensor.shape, element_size(input.tensor.type)),
                  input.tensor.bytes.size());
      }
    }
  }
  EXPECT_GT(accepted, 50);
}

content::ModelInfo model_with(DataType type, tensor::Shape shape, bool batchable) {
  content::ModelInfo model;
  model.name = "m";
  model.version = "3";
  model.backend = "onnxruntime";
  model.format = "onnx";
  model.inputs = {{.name = "x", .type = type, .shape = std::move(shape)}};
  model.outputs = {{.name = "y", .type = DataType::kFp32, .shape = {-1, 2}}};
  model.batchable = batchable;
  return model;
}

TEST(ParseRawInfer, TakesTheBodyAsTheOnlyInput) {
  struct Case {
    DataType type;
    tensor::Shape shape;
    bool batchable;
    tensor::Shape expected;
  };
  const std::string body = bytes_of<float>({1, 2, 3, 4});
  for (const Case& c : std::vector<Case>{{DataType::kFp32, {-1, 4}, true, {1, 4}},
                                         {DataType::kFp32, {-1, -1}, true, {1, 4}},
                                         {DataType::kFp32, {2, -1}, false, {2, 2}},
                                         {DataType::kFp32, {-1}, false, {4}},
                                         {DataType::kUint8, {4, 4}, false, {4, 4}}}) {
    const auto call = parse_raw_infer(body_of(body), model_with(c.type, c.shape, c.batchable));
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_TRUE(call->binary_outputs);
    EXPECT_EQ(call->request.inputs[0].name, "x");
    EXPECT_EQ(call->request.inputs[0].tensor.shape, c.expected);
    EXPECT_EQ(call->request.inputs[0].tensor.bytes.size(), 16U);
  }
  const auto text = parse_raw_infer(body_of("hello"), model_with(DataType::kString, {-1, 1}, true));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_THAT(*tensor::string_elements(text->request.inputs[0].tensor), ElementsAre("hello"));
}

TEST(ParseRawInfer, RefusesWhatCannotBeTheInput) {
  const auto refuses = [](const content::ModelInfo& model, std::string_view says) {
    const auto call = parse_raw_infer(body_of("12345"), model);
    ASSERT_FALSE(call) << says;
    EXPECT_THAT(call.error().message, HasSubstr(says));
  };
  refuses(model_with(DataType::kFp32, {-1}, false), "5 bytes are no whole number");
  refuses(model_with(DataType::kFp32, {1}, false), "5 bytes of binary data; FP32 of shape [1] needs 4");
  refuses(model_with(DataType::kFp32, {-1, -1, -1}, true), "has 2 open dimensions");
  refuses(model_with(DataType::kFp32, {0, -1}, false), "rows of 0 bytes");
  refuses(model_with(DataType::kString, {2}, false), "[2] holds 2 elements, but 1 were given");
  content::ModelInfo two = model_with(DataType::kFp32, {1}, false);
  two.inputs.push_back(two.inputs[0]);
  refuses(two, "has 2 inputs");
}

content::InferResponse response_with(std::vector<tensor::NamedTensor> outputs) {
  content::InferResponse response;
  response.model = std::make_shared<content::ModelInfo>(model_with(DataType::kFp32, {-1}, false));
  response.id = "7";
  response.outputs = std::move(outputs);
  return response;
}

template <class T>
tensor::NamedTensor output_of(std::string name, DataType type, tensor::Shape shape, std::vector<T> values) {
  return {std::move(name), *tensor::copy_tensor<T>(type, std::move(shape), std::span<const T>(values))};
}

TEST(WriteInfer, WritesJson) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<std::string_view> strings = {"a\"b", "\xFF"};
  const auto reply = write_infer(
      response_with(
          {output_of<float>("f", DataType::kFp32, {1, 5}, {0.1F, 3, std::nanf(""), kInf, -kInf}),
           output_of<std::uint8_t>("b", DataType::kBool, {2}, {1, 0}),
           output_of<std::int64_t>("i", DataType::kInt64, {}, {std::numeric_limits<std::int64_t>::min()}),
           {"s", *tensor::make_string_tensor({2}, strings)},
           output_of<double>("e", DataType::kFp64, {0}, {})}),
      ReplyChoice{});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_FALSE(reply->binary);
  EXPECT_TRUE(reply->parts.empty());
  EXPECT_EQ(reply->head,
            "{\"model_name\":\"m\",\"model_version\":\"3\",\"id\":\"7\",\"outputs\":["
            "{\"name\":\"f\",\"datatype\":\"FP32\",\"shape\":[1,5],\"data\":[0.1,3,NaN,Infinity,-Infinity]},"
            "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,false]},"
            "{\"name\":\"i\",\"datatype\":\"INT64\",\"shape\":[],\"data\":[-9223372036854775808]},"
            "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"a\\\"b\",\"\xEF\xBF\xBD\"]},"
            "{\"name\":\"e\",\"datatype\":\"FP64\",\"shape\":[0],\"data\":[]}]}");
}

TEST(WriteInfer, LeavesBinaryPartsInTheTensors) {
  const auto response = response_with({output_of<float>("a", DataType::kFp32, {1}, {1}),
                                       output_of<float>("b", DataType::kFp32, {2}, {2, 3}),
                                       output_of<std::uint16_t>("h", DataType::kFp16, {1}, {0x3C00})});
  const auto reply =
      write_infer(response, ReplyChoice{.outputs = {{.name = "a", .binary = false}}, .binary_outputs = true});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(reply->binary);
  ASSERT_EQ(reply->parts.size(), 2U);
  EXPECT_EQ(reply->parts[0].data(), response.outputs[1].tensor.bytes.data());
  EXPECT_EQ(reply->owners[1], response.outputs[2].tensor.owner);
  EXPECT_EQ(reply->size(), reply->head.size() + 10);
  const auto head = nlohmann::json::parse(reply->head);
  EXPECT_EQ(head["outputs"][0]["data"], nlohmann::json({1}));
  EXPECT_EQ(head["outputs"][1]["parameters"]["binary_data_size"], 8);
  EXPECT_FALSE(head["outputs"][1].contains("data"));
  EXPECT_EQ(head["outputs"][2]["datatype"], "FP16");
}

TEST(WriteInfer, SaysHowToAskForWhatJsonCannotCarry) {
  for (const DataType type : {DataType::kFp16, DataType::kBf16}) {
    const auto reply =
        write_infer(response_with({output_of<std::uint16_t>("h", type, {1}, {0})}), ReplyChoice{});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::kInvalidArgument);
    EXPECT_EQ(reply.error().reason, Reason::kNotInJson);
    EXPECT_THAT(reply.error().message, HasSubstr("\"binary_data\": true"));
  }
}

TEST(WriteInfer, NeverWritesATensorThatDisagreesWithItsShape) {
  auto response = response_with({output_of<float>("a", DataType::kFp32, {2}, {1, 2})});
  response.outputs[0].tensor.shape = {3};
  const auto reply = write_infer(response, ReplyChoice{.binary_outputs = true});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kInternal);
}

TEST(Metadata, HasWhatClientsRead) {
  EXPECT_EQ(
      write_server_metadata("bascule", "0.1.0"),
      R"x({"name":"bascule","version":"0.1.0","extensions":["classification","sequence","model_repository",)x"
      R"x("model_repository(unload_dependents)","schedule_policy","model_configuration",)x"
      R"x("binary_tensor_data","parameters","statistics","trace","logging"]})x");
  EXPECT_EQ(write_model_metadata(model_with(DataType::kString, {-1, 3}, true), {"1", "3"}),
            R"({"name":"m","versions":["1","3"],"platform":"onnxruntime_onnx",)"
            R"("inputs":[{"name":"x","datatype":"BYTES","shape":[-1,3]}],)"
            R"("outputs":[{"name":"y","datatype":"FP32","shape":[-1,2]}]})");
  EXPECT_EQ(write_live(), R"({"live":true})");
  EXPECT_EQ(write_ready({}), R"({"ready":true})");
  EXPECT_EQ(write_ready(internal_error("why")), R"({"ready":false,"error":"why"})");
  EXPECT_EQ(write_model_ready("m", {}), R"({"name":"m","ready":true})");
  EXPECT_EQ(write_model_list({"a", "b\""}), R"({"models":["a","b\""]})");
  EXPECT_EQ(write_model_list({}), R"({"models":[]})");
}

TEST(V2Statistics, AreWrittenAsTritonWritesThem) {
  using std::chrono::nanoseconds;
  content::ModelStatistics model{.name = "m\"1",
                                 .version = "3",
                                 .last_inference = std::chrono::milliseconds(1'700'000'000'123),
                                 .inference_count = 9,
                                 .execution_count = 3,
                                 .success = {.count = 3, .time = nanoseconds(1000)},
                                 .fail = {.count = 1, .time = nanoseconds(7)},
                                 .queue = {.count = 3, .time = nanoseconds(10)},
                                 .prepare = {.count = 3, .time = nanoseconds(20)},
                                 .run = {.count = 3, .time = nanoseconds(30)},
                                 .finish = {.count = 3, .time = nanoseconds(40)},
                                 .batches = {},
                                 .memory_bytes = 4096};
  model.batches.push_back({.batch_size = 4,
                           .prepare = {.count = 2, .time = nanoseconds(5)},
                           .run = {.count = 2, .time = nanoseconds(6)},
                           .finish = {.count = 2, .time = nanoseconds(7)}});
  EXPECT_EQ(
      write_statistics({model}),
      R"({"model_stats":[{"name":"m\"1","version":"3","last_inference":1700000000123,"inference_count":9,)"
      R"("execution_count":3,"inference_stats":{"success":{"count":3,"ns":1000},"fail":{"count":1,"ns":7},)"
      R"("queue":{"count":3,"ns":10},"compute_input":{"count":3,"ns":20},"compute_infer":{"count":3,"ns":30},)"
      R"("compute_output":{"count":3,"ns":40},"cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},)"
      R"("response_stats":{},"batch_stats":[{"batch_size":4,"compute_input":{"count":2,"ns":5},)"
      R"("compute_infer":{"count":2,"ns":6},"compute_output":{"count":2,"ns":7}}],"memory_usage":[{"type":"CPU","id":0,"byte_size":4096}]}]})");
  EXPECT_EQ(write_statistics({}), R"({"model_stats":[]})");
}

}  // namespace
}  // namespace bascule::protocol::v2
