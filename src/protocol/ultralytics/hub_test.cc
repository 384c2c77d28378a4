// The two calls of Ultralytics HUB, which came before the platform's.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {
namespace {

using testing::HasSubstr;

struct Field {
  std::string name;
  std::string value;
};

Result<PredictCall> parse(const std::vector<Field>& fields, Dialect dialect, std::string_view file = "file") {
  std::string form;
  for (const Field& field : fields) {
    form += fmt::format("--X\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", field.name,
                        field.value);
  }
  form += fmt::format(
      "--X\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"a.jpg\"\r\n\r\n\xFF\xD8\xFF\xE0 "
      "picture\r\n--X--\r\n",
      file);
  auto memory = std::make_shared<std::string>(std::move(form));
  return parse_predict({.bytes = std::as_bytes(std::span(*memory)), .owner = memory},
                       "multipart/form-data; boundary=X", {}, dialect);
}

TEST(Hub, TakesTheModelFromItsPagesAddress) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://hub.ultralytics.com/models/R6nMlK6kQjSsQ76MPqQM", "R6nMlK6kQjSsQ76MPqQM"},
      {"https://hub.ultralytics.com/models/R6nM/?tab=preview#x", "R6nM"},
      {" fruit ", "fruit"},
      {"", ""},
      {"/", ""},
  };
  for (const auto& [value, name] : cases) {
    const auto call = parse({{"model", value}, {"imgsz", "320"}, {"conf", "0.5"}}, Dialect::kHub);
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_EQ(call->request.model, name) << value;
    EXPECT_EQ(call->request.options.size->height, 320);
    EXPECT_EQ(call->request.options.confidence, 0.5);
    EXPECT_EQ(call->request.options.iou, 0.45);
    ASSERT_TRUE(call->request.picture);
  }
  EXPECT_THAT(parse({{"model", "a"}, {"model", "b"}}, Dialect::kHub).error().message, HasSubstr("twice"));
  EXPECT_THAT(parse({{"model", "a"}}, Dialect::kUltralytics).error().message, HasSubstr("model"));
  EXPECT_THAT(parse({{"size", "320"}}, Dialect::kHub).error().message, HasSubstr("size"));
}

TEST(Hub, ReadsTheFieldsOfTheFirstCall) {
  const auto call = parse({{"size", "320"}, {"confidence", "0.5"}, {"url", ""}}, Dialect::kHubFirst, "image");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.options.size->width, 320);
  EXPECT_EQ(call->request.options.confidence, 0.5);
  EXPECT_EQ(call->request.options.iou, 0.45);
  ASSERT_TRUE(call->request.picture);
  const auto iou = parse({{"iou", "0.3"}, {"conf", "0.2"}}, Dialect::kHubFirst);
  ASSERT_TRUE(iou);
  EXPECT_EQ(iou->request.options.iou, 0.3);
  EXPECT_EQ(iou->request.options.confidence, 0.2);
  // A refusal names the field as the caller wrote it.
  EXPECT_THAT(parse({{"confidence", "2"}}, Dialect::kHubFirst).error().message,
              HasSubstr("'confidence' is '2'"));
  EXPECT_THAT(parse({{"url", "b.jpg"}}, Dialect::kHubFirst).error().message, HasSubstr("'url'"));
  EXPECT_FALSE(parse({{"size", "320"}, {"imgsz", "640,640"}}, Dialect::kHubFirst));
  EXPECT_FALSE(parse({{"size", "320"}}, Dialect::kUltralytics));
}

TEST(Hub, AnswersTheFirstCallWithPartsOfThePicture) {
  content::ModelInfo info;
  info.class_names = {{0, "person"}};
  content::InferResponse response;
  response.model = std::make_shared<content::ModelInfo>(info);
  content::Detections found{.picture = {.height = 100, .width = 200}};
  found.rows.push_back({.class_id = 0, .confidence = 0.5F, .box = {.x1 = 20, .y1 = 10, .x2 = 60, .y2 = 40}});
  found.rows.push_back({.class_id = 7, .confidence = 0.25F, .box = {.x1 = 0, .y1 = 0, .x2 = 200, .y2 = 100}});
  response.prediction = found;
  const auto reply = write_predict(response, {.dialect = Dialect::kHubFirst}, {});
  ASSERT_TRUE(reply);
  EXPECT_EQ(nlohmann::json::parse(reply->head), nlohmann::json::parse(R"({
    "success": true, "message": "Inference complete.", "data": [
      {"class": 0, "name": "person", "confidence": 0.5, "xcenter": 0.2, "ycenter": 0.25, "width": 0.2,
       "height": 0.3, "box": {"x1": 0.1, "y1": 0.1, "x2": 0.3, "y2": 0.4}},
      {"class": 7, "name": "class7", "confidence": 0.25, "xcenter": 0.5, "ycenter": 0.5, "width": 1.0,
       "height": 1.0, "box": {"x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0}}]})"));
}

TEST(Hub, RefusesInEachDialectsForm) {
  const Error error = invalid_argument("No.");
  EXPECT_EQ(error_body(error, Dialect::kHub), R"({"error":"No."})");
  EXPECT_EQ(error_body(error, Dialect::kHubFirst), R"({"error":"No.","success":false,"message":"No."})");
  EXPECT_EQ(http_status({.code = Code::kUnsupported}, Dialect::kHubFirst), 400U);
}

TEST(Deployment, SaysWhetherItIsHealthy) {
  EXPECT_EQ(write_health({}, std::chrono::microseconds(1500)),
            R"({"healthy":true,"status":200,"latencyMs":1.5})");
  const Result<void> not_ready = Error{.code = Code::kFailedPrecondition, .message = "Still loading."};
  EXPECT_EQ(write_health(not_ready, {}),
            R"({"healthy":false,"status":503,"latencyMs":0.0,"error":"Still loading."})");
}

}  // namespace
}  // namespace bascule::protocol::ultralytics
