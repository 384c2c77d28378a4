#include "protocol/ultralytics/ultralytics.h"

#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace bascule::protocol::ultralytics {
namespace {

using testing::HasSubstr;

const std::string kJpeg = "\xFF\xD8\xFF\xE0 picture";

RequestBody body_of(std::string_view text) {
  auto memory = std::make_shared<std::string>(text);
  return {.bytes = std::as_bytes(std::span(*memory)), .owner = memory};
}

// A form as httpx and curl send it; a field called "file" becomes a file.
struct Form {
  std::vector<std::pair<std::string, std::string>> fields;
  std::string file_name = "a.jpg";

  [[nodiscard]] Result<PredictCall> parse(std::string_view query = {}) const {
    std::string body;
    for (const auto& [name, value] : fields) {
      body += fmt::format("--X\r\nContent-Disposition: form-data; name=\"{}\"", name);
      if (name == "file") body += fmt::format("; filename=\"{}\"\r\nContent-Type: image/jpeg", file_name);
      body += "\r\n\r\n" + value + "\r\n";
    }
    return parse_predict(body_of(body + "--X--\r\n"), "multipart/form-data; boundary=X", query);
  }
};

std::string picture_of(const PredictCall& call) {
  const auto& bytes = call.request.picture->bytes;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(ParsePredict, HasThePlatformsDefaults) {
  const auto call = Form{{{"file", kJpeg}}}.parse();
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.dialect, "ultralytics");
  EXPECT_EQ(picture_of(*call), kJpeg);
  EXPECT_EQ(call->request.picture->name, "a.jpg");
  EXPECT_NE(call->request.picture->owner, nullptr);
  EXPECT_EQ(call->request.options.confidence, 0.25);
  EXPECT_EQ(call->request.options.iou, 0.7);
  EXPECT_EQ(call->request.options.size, std::nullopt);
  EXPECT_FALSE(call->style.normalize);
  EXPECT_EQ(call->style.decimals, 5);
}

TEST(ParsePredict, ReadsEveryField) {
  const auto call = Form{
      {{"conf", " 0.01 "},
       {"iou", "0.95"},
       {"imgsz", "[480, 640]"},
       {"normalize", "True"},
       {"decimals", "10"},
       {"vid_stride", "1"},
       {"bits", "16"},
       {"classes", "[0, 2]"},
       {"classes", "7"},
       {"max_det", "12"},
       {"file", kJpeg}}}.parse();
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.options.confidence, 0.01);
  EXPECT_EQ(call->request.options.iou, 0.95);
  EXPECT_EQ(call->request.options.size, (content::PictureSize{.height = 480, .width = 640}));
  EXPECT_TRUE(call->style.normalize);
  EXPECT_EQ(call->style.decimals, 10);
  EXPECT_EQ(call->request.options.depth_bits, 16);
  EXPECT_EQ(call->request.options.classes, (std::vector<int>{0, 2, 7}));
  EXPECT_EQ(call->request.options.max_detections, 12);
}

TEST(ParsePredict, ReadsSizesAsClientsWriteThem) {
  const content::PictureSize square{.height = 320, .width = 320};
  const content::PictureSize wide{.height = 480, .width = 640};
  const std::vector<std::pair<Form, content::PictureSize>> cases = {
      {{{{"imgsz", "320"}, {"file", kJpeg}}}, square},
      {{{{"imgsz", "320.0"}, {"file", kJpeg}}}, square},
      {{{{"imgsz", "480,640"}, {"file", kJpeg}}}, wide},
      {{{{"imgsz", "(480, 640)"}, {"file", kJpeg}}}, wide},
      {{{{"imgsz", "480"}, {"file", kJpeg}, {"imgsz", "640"}}}, wide},
  };
  for (const auto& [form, size] : cases) {
    const auto call = form.parse();
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_EQ(call->request.options.size, size) << form.fields[0].second;
  }
}

TEST(ParsePredict, TakesTheBytesOfAPictureWithFieldsInTheQuery) {
  for (const char* type : {"", "image/jpeg", "IMAGE/PNG", "application/octet-stream",
                           "application/x-www-form-urlencoded", "image/jpeg; q=1"}) {
    const auto call = parse_predict(body_of(kJpeg), type, "conf=0%2E5&imgsz=%5B480%2C640%5D&decimals=");
    ASSERT_TRUE(call) << type << call.error().message;
    EXPECT_EQ(picture_of(*call), kJpeg);
    EXPECT_EQ(call->request.options.confidence, 0.5);
    EXPECT_EQ(call->request.options.size->width, 640);
    EXPECT_EQ(call->style.decimals, 5);  // empty: the default
  }
}

TEST(ParsePredict, RefusesFieldsWithValueAndLimit) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"conf", "0.009", "Field 'conf' is '0.009'; it must be a number from 0.01 to 1."},
      {"conf", "1.01", "from 0.01 to 1"},
      {"conf", "nan", "'nan'"},
      {"conf", "0.5x", "'0.5x'"},
      {"iou", "0.951", "Field 'iou' is '0.951'; it must be a number from 0 to 0.95."},
      {"iou", "-0.1", "from 0 to 0.95"},
      {"imgsz", "31", "from 32 to 1280"},
      {"imgsz", "1281", "from 32 to 1280"},
      {"imgsz", "640.5", "from 32 to 1280"},
      {"imgsz", "640,", "from 32 to 1280"},
      {"imgsz", "1,2,3", "from 32 to 1280"},
      {"imgsz", "[640", "from 32 to 1280"},
      {"normalize", "maybe", "Field 'normalize' is 'maybe'; it must be true or false."},
      {"decimals", "11", "Field 'decimals' is '11'; it must be a whole number from 0 to 10."},
      {"decimals", "-1", "from 0 to 10"},
      {"vid_stride", "0", "from 1 to"},
      {"bits", "10", "8, 12 or 16"},
      {"classes", "person", "as \"0,2\""},
      {"classes", "0,,2", "as \"0,2\""},
      {"classes", "-1", "as \"0,2\""},
      {"max_det", "0", "from 1 to 1000"},
      {"source", "a.jpg", "neither a URL nor base64"},
      {"confidence_threshold", "1", "Unknown field 'confidence_threshold'; known are"},
      {"cnf", "1", "Unknown field 'cnf'; did you mean 'conf'?"},
      {"imgsize", "1", "did you mean 'imgsz'?"},
  };
  for (const auto& [name, value, says] : cases) {
    const auto call = Form{{{name, value}, {"file", kJpeg}}}.parse();
    ASSERT_FALSE(call) << name << "=" << value;
    EXPECT_EQ(http_status(call.error(), Dialect::kUltralytics), 400U);
    EXPECT_THAT(call.error().message, HasSubstr(says));
  }
}

TEST(ParsePredict, RefusesWhatIsNotOnePicture) {
  const auto says = [](const Result<PredictCall>& call, std::string_view text) {
    ASSERT_FALSE(call) << text;
    EXPECT_EQ(http_status(call.error(), Dialect::kUltralytics), 400U);
    EXPECT_THAT(call.error().message, HasSubstr(text));
  };
  says(Form{{{"conf", "0.5"}}}.parse(), "has no picture");
  says(Form{{{"file", ""}}}.parse(), "'a.jpg' is empty");
  says(Form{{{"file", kJpeg}, {"file", kJpeg}}}.parse(), "two pictures");
  says(Form{{{"file", kJpeg}, {"conf", "0.5"}}}.parse("conf=0.6"), "'conf' is given twice");
  says(parse_predict(body_of(""), "image/png", {}), "has no picture");
  says(parse_predict(body_of("conf=0.5"), "application/x-www-form-urlencoded", {}), "has no picture");
  says(parse_predict(body_of("x"), "text/plain", {}), "'text/plain' is not understood");
  says(parse_predict(body_of(kJpeg), "multipart/form-data", {}), "without a boundary");
}

TEST(ParsePredict, KnowsPicturesByTheirBytes) {
  using namespace std::string_view_literals;
  for (const std::string_view bytes : {"II*\0...."sv, "MM\0+...."sv, "GIF89a"sv,
                                       "\0\0\0\x1C"
                                       "ftypavif\0\0\0\0avifmif1miaf"sv,
                                       "\0\0\0\x18"
                                       "ftypmif1\0\0\0\0mif1heic"sv,
                                       "\0\0\0\x14"
                                       "ftypMiHE\0\0\0\0mif1"sv,
                                       "\0\0\0\x0CjP  \r\n\x87\n"sv, "\xFF\x4F\xFF\x51"sv}) {
    // Under a wrong name and as curl --data-binary sends it: the decoder says what it makes of them.
    EXPECT_TRUE((Form{{{"file", std::string(bytes)}}, "clip.mp4"}.parse())) << bytes.substr(4);
    EXPECT_TRUE(parse_predict(body_of(bytes), "application/x-www-form-urlencoded", {})) << bytes.substr(4);
  }
}

TEST(ParsePredict, TellsVideosFromPictures) {
  std::string packets(400, 'x');
  packets[0] = packets[188] = packets[376] = 'G';
  for (const std::string& bytes :
       {std::string("\0\0\0\x18"
                    "ftypisom",
                    12),
        std::string("\x1A\x45\xDF\xA3"), std::string("RIFF0000AVI "), std::string("OggS"), packets}) {
    const auto call = parse_predict(body_of(bytes), "application/octet-stream", "vid_stride=5");
    ASSERT_TRUE(call) << call.error().message;
    ASSERT_TRUE(call->video) << bytes;
    EXPECT_FALSE(call->request.picture);
    EXPECT_EQ(call->video->bytes.size(), bytes.size());
    EXPECT_EQ(call->video_stride, 5);
  }
  // Named as one: what reads videos says that it is none.
  EXPECT_EQ((Form{{{"file", "anything"}}, "clip.MP4"}.parse()->video->name), "clip.MP4");
  EXPECT_TRUE(parse_predict(body_of("x"), "video/mp4", {})->video);
  EXPECT_FALSE((Form{{{"file", kJpeg}}, "clip.mp4"}.parse()->video));
}

TEST(ParsePredict, LeavesJudgementOfPicturesToTheDecoder) {
  EXPECT_TRUE((Form{{{"file", "a text file"}}}.parse()));
  EXPECT_TRUE((Form{{{"file", kJpeg}}, "frame.ts"}.parse()));
  EXPECT_TRUE((Form{{{"file", std::string("\0\0\0\x18"
                                          "ftypavif",
                                          12)}}}
                   .parse()));
}

content::InferResponse response_with(content::Detections detections) {
  auto model = std::make_shared<content::ModelInfo>();
  model->name = "fruit";
  model->file = "fruit.onnx";
  model->task = "detect";
  model->author_version = "8.4.190";
  model->class_names = {{0, "person"}, {3, "a \"b\""}};
  content::InferResponse response;
  response.model = model;
  response.prediction = std::move(detections);
  response.stages = {.queue = std::chrono::seconds(9),
                     .prepare = std::chrono::microseconds(1500),
                     .run = std::chrono::microseconds(32500),
                     .finish = std::chrono::nanoseconds(500400)};
  return response;
}

const content::Detections kTwo{
    .picture = {.height = 1080, .width = 810},
    .rows = {{.class_id = 0, .confidence = 0.93999F, .box = {670.1F, 389.25F, 809.5F, 879.0F}},
             {.class_id = 3, .confidence = 0.25F, .box = {0, 0, 405, 540}}}};

TEST(WritePredict, HasThePlatformsShape) {
  const CallTimes times{.call = std::chrono::milliseconds(50), .alive = std::chrono::milliseconds(23100)};
  const auto reply = write_predict(response_with(kTwo), {.normalize = false, .decimals = 2}, times);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(
      reply->head,
      R"({"images":[{"shape":[1080,810],"speed":{"preprocess":1.5,"inference":32.5,"postprocess":0.5},"results":[)"
      R"({"name":"person","class":0,"confidence":0.94,"box":{"x1":670.1,"y1":389.25,"x2":809.5,"y2":879.0}},)"
      R"({"name":"a \"b\"","class":3,"confidence":0.25,"box":{"x1":0.0,"y1":0.0,"x2":405.0,"y2":540.0}}]}],)"
      R"("metadata":{"imageCount":1,"functionTimeCall":0.05,"functionTimeAlive":23.1,"model":"fruit.onnx",)"
      R"("task":"detect","version":{"bascule":")" BASCULE_VERSION R"(","ultralytics":"8.4.190"}}})");
}

// What the reply says of one picture, of a model that names these classes.
nlohmann::json image_of(content::Prediction prediction, const content::ClassNames& names,
                        const Style& style) {
  content::InferResponse response;
  const auto model = std::make_shared<content::ModelInfo>();
  model->class_names = names;
  response.model = model;
  response.prediction = std::move(prediction);
  std::string out = "{";
  append_image(out, response, style);
  return nlohmann::json::parse(out + "}");
}

TEST(WritePredict, LeavesTheTimesOut) {
  std::string out;
  append_image(out, response_with({.picture = {.height = 2, .width = 3}, .rows = {}}), {.speed = false});
  EXPECT_EQ(out, R"("shape":[2,3],"results":[])");
}

TEST(WritePredict, WritesFramesAsThePlatformsImages) {
  const CallTimes times{.call = std::chrono::milliseconds(50), .alive = std::chrono::milliseconds(23100)};
  const auto response = response_with(kTwo);
  const auto one = nlohmann::json::parse(write_predict(response, {.decimals = 2}, times)->head);
  std::string all = begin_frames();
  append_frame(all, response, {.decimals = 2}, true);
  append_frame(all, response, {.decimals = 2}, false);
  end_frames(all, *response.model, 2, times);
  auto expected = one;
  expected["images"].push_back(one["images"][0]);
  expected["metadata"]["imageCount"] = 2;
  EXPECT_EQ(nlohmann::json::parse(all), expected);
  const std::string line = frame_line(response, {.decimals = 2});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(nlohmann::json::parse(line), one["images"][0]);
  const std::string last = metadata_line(*response.model, 2, times);
  EXPECT_EQ(last.find('\n'), last.size() - 1);
  EXPECT_EQ(nlohmann::json::parse(last), (nlohmann::json{{"metadata", expected["metadata"]}}));
}

TEST(WritePredict, NormalizesByWidthAndHeight) {
  const auto rows = image_of(kTwo, {}, {.normalize = true, .decimals = 5})["results"];
  EXPECT_EQ(rows[0]["box"].dump(), R"({"x1":0.82728,"x2":0.99938,"y1":0.36042,"y2":0.81389})");
  EXPECT_EQ(rows[1]["box"].dump(), R"({"x1":0.0,"x2":0.5,"y1":0.0,"y2":0.5})");
  EXPECT_EQ(rows[1]["name"], "class3");  // a class that the model does not name
}

TEST(WritePredict, IsStrictJsonWhateverTheNumbers) {
  content::Detections odd = kTwo;
  odd.picture = {};
  odd.rows[0].confidence = std::nanf("");
  auto response = response_with(odd);
  const auto reply = write_predict(response, {.normalize = true, .decimals = 0}, {});
  ASSERT_TRUE(reply);
  const auto json = nlohmann::json::parse(reply->head);
  EXPECT_TRUE(json["images"][0]["results"][0]["confidence"].is_null());
  response.prediction.reset();
  EXPECT_EQ(write_predict(response, {}, {}).error().code, Code::kInternal);
}

TEST(WritePredict, SaysMoreOfAnObjectThanItsBox) {
  content::Detections found{.picture = {.height = 100, .width = 200},
                            .rows = {{.class_id = 0, .confidence = 0.5F}}};
  const auto row = [&](const Style& style) { return image_of(found, {{0, "ship"}}, style)["results"][0]; };
  found.corners = {{{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}};
  EXPECT_EQ(row({})["box"].dump(),
            R"({"x1":1.0,"x2":3.0,"x3":5.0,"x4":7.0,"y1":2.0,"y2":4.0,"y3":6.0,"y4":8.0})");
  EXPECT_EQ(row({.normalize = true})["box"]["x3"], 0.025);
  found.corners.clear();
  found.outlines = {{{20, 10}, {40, 50}}};
  EXPECT_EQ(row({.normalize = true})["segments"].dump(), R"({"x":[0.1,0.2],"y":[0.1,0.5]})");
  found.outlines = {{}};
  EXPECT_EQ(row({})["segments"].dump(), R"({"x":[],"y":[]})");
  found.outlines.clear();
  found.keypoints = {{{.at = {20, 10}, .visible = 0.25F}}};
  EXPECT_EQ(row({})["keypoints"].dump(), R"({"x":[20.0],"y":[10.0]})");
  found.tells_visible = true;
  EXPECT_EQ(row({})["keypoints"].dump(), R"({"visible":[0.25],"x":[20.0],"y":[10.0]})");
}

TEST(WritePredict, TellsClassesWithoutBoxes) {
  const content::Classification found{
      .picture = {.height = 1, .width = 2},
      .best = {{.class_id = 1, .confidence = 0.75F}, {.class_id = 0, .confidence = 0.25F}}};
  EXPECT_EQ(image_of(found, {{0, "a"}, {1, "b"}}, {})["results"].dump(),
            R"([{"class":1,"confidence":0.75,"name":"b"},{"class":0,"confidence":0.25,"name":"a"}])");
}

TEST(WritePredict, SendsMapsAsPictures) {
  const std::vector<std::byte> png = {std::byte{'a'}, std::byte{'b'}, std::byte{0xFF}, std::byte{0}};
  content::ClassMap map{
      .picture = {.height = 2, .width = 3}, .shares = {{0, 0.5}, {7, 0.25}, {255, 0.25}}, .png = png};
  const auto classes = image_of(map, {{0, "road"}, {7, "sky"}}, {});
  EXPECT_EQ(classes["results"].dump(),
            R"([{"class":0,"name":"road","pixel_ratio":0.5},{"class":7,"name":"sky","pixel_ratio":0.25}])");
  EXPECT_EQ(classes["semantic_mask"].dump(), R"({"data":"YWL/AA==","encoding":"png","shape":[2,3]})");
  map.shares = {{0, 0.75}, {1, 0.25}};
  EXPECT_EQ(image_of(map, {{0, "scratch"}}, {})["results"].dump(),
            R"([{"class":0,"name":"scratch","pixel_ratio":0.25}])");
  const content::DepthMap depth{
      .picture = {.height = 2, .width = 3}, .nearest = 0.5F, .farthest = 8, .bits = 12, .png = png};
  const auto deep = image_of(depth, {}, {});
  EXPECT_EQ(deep["results"].dump(), "[]");
  EXPECT_EQ(deep["depth"].dump(),
            R"({"bits":12,"data":"YWL/AA==","encoding":"png","max":8.0,"min":0.5,"shape":[2,3]})");
}

// The reference package's rows, three decimals: what it printed must come out again from float values, digit
// for digit. A float32 keeps seven digits, which is enough for these.
TEST(WritePredict, RoundsAsTheReferencePackageDid) {
  std::ifstream file(BASCULE_SOURCE_DIR "/tests/data/expected/yolo/yolo26n.json");
  ASSERT_TRUE(file);
  const auto expected = nlohmann::json::parse(file);
  std::size_t rows = 0;
  for (const auto& image : expected["images"]) {
    content::Detections detections;
    content::ClassNames names;
    for (const auto& row : image["results"]) {
      const auto& box = row["box"];
      names[row["class"]] = row["name"];
      detections.rows.push_back({.class_id = row["class"],
                                 .confidence = row["confidence"],
                                 .box = {box["x1"], box["y1"], box["x2"], box["y2"]}});
    }
    EXPECT_EQ(image_of(detections, names, {.decimals = 3})["results"], image["results"]);
    rows += image["results"].size();
  }
  EXPECT_GT(rows, 20U);
}

}  // namespace
}  // namespace bascule::protocol::ultralytics
