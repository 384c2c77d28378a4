#include "tracing/otlp.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::tracing {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const Resource kResource{.service = "bascule", .version = "1.2", .host = "box"};
constexpr Duration kOffset = seconds(1'700'000'000);

TimePoint at(int us) { return TimePoint(seconds(5) + microseconds(us)); }

std::shared_ptr<const content::ModelInfo> model(const std::string& name) {
  content::ModelInfo info;
  info.name = name;
  info.version = "3";
  info.backend = "onnxruntime";
  return std::make_shared<const content::ModelInfo>(info);
}

content::Stages stages_from(int us) {
  content::Stages stages{.queue = microseconds(10), .run = microseconds(20)};
  stages.begun.queue = at(us);
  stages.begun.run = at(us + 10);
  return stages;
}

TracedRequest http_request() {
  TracedRequest request{.started = at(0),
                        .ended = at(100),
                        .method = "POST",
                        .route = "/v2/models/{model}/infer",
                        .path = "/v2/models/m/infer",
                        .status = 200,
                        .answered_by = model("m"),
                        .id = "r\"1"};
  request.context.trace.fill(0xab);
  request.context.span.fill(0x01);
  return request;
}

std::string written(const TracedRequest& request) { return write_spans({&request, 1}, kResource, kOffset); }

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t i = text.find(word); i != std::string::npos; i = text.find(word, i + 1)) ++count;
  return count;
}

TEST(Otlp, WritesARequestWithoutStagesToTheLetter) {
  EXPECT_EQ(
      written(http_request()),
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"bascule"}},)"
      R"({"key":"service.version","value":{"stringValue":"1.2"}},{"key":"host.name","value":{"stringValue":"box"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"bascule","version":"1.2"},"spans":[{"traceId":"abababababababababababababababab",)"
      R"("spanId":"0101010101010101","flags":257,"name":"POST /v2/models/{model}/infer","kind":2,)"
      R"("startTimeUnixNano":"1700000005000000000","endTimeUnixNano":"1700000005000100000","attributes":[)"
      R"({"key":"http.request.method","value":{"stringValue":"POST"}},)"
      R"({"key":"http.route","value":{"stringValue":"/v2/models/{model}/infer"}},)"
      R"({"key":"url.path","value":{"stringValue":"/v2/models/m/infer"}},)"
      R"({"key":"url.scheme","value":{"stringValue":"http"}},)"
      R"({"key":"http.response.status_code","value":{"intValue":"200"}},)"
      R"({"key":"bascule.request.id","value":{"stringValue":"r\"1"}},)"
      R"({"key":"bascule.model.name","value":{"stringValue":"m"}},)"
      R"({"key":"bascule.model.version","value":{"stringValue":"3"}},)"
      R"({"key":"bascule.backend","value":{"stringValue":"onnxruntime"}}]}]}]}]})");
}

TEST(Otlp, GoesOnWithTheTraceOfTheCaller) {
  TracedRequest request = http_request();
  request.context.parent.emplace().fill(0xcd);
  request.context.state = "a=1,b=2";
  const std::string text = written(request);
  EXPECT_THAT(text, HasSubstr(R"("parentSpanId":"cdcdcdcdcdcdcdcd","traceState":"a=1,b=2","flags":769,)"));
}

TEST(Otlp, HasASpanForEachStageThatThereWas) {
  TracedRequest request = http_request();
  request.stages = stages_from(30);
  request.stages.shared_rows = 4;
  const std::string text = written(request);
  EXPECT_EQ(span_count(request), 3U);
  EXPECT_EQ(count_of(text, "\"spanId\""), 3U);
  EXPECT_EQ(count_of(text, R"("parentSpanId":"0101010101010101")"), 2U);
  EXPECT_THAT(text,
              HasSubstr(R"("flags":257,"name":"queue","kind":1,"startTimeUnixNano":"1700000005000030000",)"
                        R"("endTimeUnixNano":"1700000005000040000","attributes":[]})"));
  EXPECT_THAT(text, HasSubstr(R"("name":"run","kind":1,"startTimeUnixNano":"1700000005000040000",)"
                              R"("endTimeUnixNano":"1700000005000060000","attributes":[)"
                              R"({"key":"bascule.backend","value":{"stringValue":"onnxruntime"}},)"
                              R"({"key":"bascule.batch.rows","value":{"intValue":"4"}}]})"));
  EXPECT_THAT(text, Not(HasSubstr("prepare")));
}

TEST(Otlp, ShowsTheStepsOfAnEnsembleWithTheirStages) {
  TracedRequest request = http_request();
  request.stages = stages_from(0);  // sums, which the steps tell better
  request.steps.push_back(
      {.model = model("first"), .asked = at(5), .answered = at(40), .stages = stages_from(6)});
  request.steps.push_back(
      {.model = model("second"), .asked = at(41), .answered = at(80), .stages = stages_from(45)});
  const std::string text = written(request);
  EXPECT_EQ(span_count(request), 7U);
  EXPECT_EQ(count_of(text, "\"spanId\""), 7U);
  EXPECT_EQ(count_of(text, R"("parentSpanId":"0101010101010101")"), 2U);
  EXPECT_THAT(text, HasSubstr(R"("name":"step first","kind":1,"startTimeUnixNano":"1700000005000005000",)"));
  EXPECT_THAT(text, HasSubstr(R"("name":"step second")"));
}

TEST(Otlp, SaysWhatIsTheServersFault) {
  TracedRequest request = http_request();
  request.answered_by = nullptr;
  request.model = "asked";
  request.status = 503;
  EXPECT_THAT(written(request), HasSubstr(R"({"key":"error.type","value":{"stringValue":"503"}})"));
  EXPECT_THAT(written(request), HasSubstr(R"({"key":"bascule.model.name","value":{"stringValue":"asked"}}],)"
                                          R"("status":{"code":2}})"));
  request.status = 404;
  EXPECT_THAT(written(request), Not(HasSubstr("error.type")));
  EXPECT_THAT(written(request), Not(HasSubstr(R"("status")")));
}

TEST(Otlp, NamesStatusesOfGrpc) {
  TracedRequest request{
      .front = Front::kGrpc, .method = "inference.GRPCInferenceService/ModelInfer", .status = 14};
  const std::string text = written(request);
  EXPECT_THAT(text, HasSubstr(R"("name":"inference.GRPCInferenceService/ModelInfer","kind":2)"));
  EXPECT_THAT(text, HasSubstr(R"({"key":"rpc.system.name","value":{"stringValue":"grpc"}})"));
  EXPECT_THAT(text, HasSubstr(R"({"key":"rpc.response.status_code","value":{"stringValue":"UNAVAILABLE"}})"));
  EXPECT_THAT(text, HasSubstr(R"("status":{"code":2})"));
  request.status = 3;
  EXPECT_THAT(written(request), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(written(request), Not(HasSubstr(R"("status":{)")));
  request.status = 99;
  EXPECT_THAT(written(request), HasSubstr(R"("stringValue":"99")"));
}

TEST(Otlp, CutsAndEscapesWhatACallerChose) {
  TracedRequest request = http_request();
  request.path = std::string(5000, '/') + "\xff";
  request.id = "\x01\"";
  const std::string text = written(request);
  EXPECT_LT(text.size(), 4000U);
  EXPECT_THAT(text, HasSubstr(R"(\u0001\")"));
}

}  // namespace
}  // namespace bascule::tracing
