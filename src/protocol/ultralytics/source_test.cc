// Where a picture may come from beside a file: base64 text, a data URL, a URL; in forms and in JSON.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base64.h"
#include "protocol/percent.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {
namespace {

using testing::HasSubstr;

const std::string kJpeg = "\xFF\xD8\xFF\xE0 picture";

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(out, std::as_bytes(std::span(bytes)));
  return out;
}

Result<PredictCall> parse(std::string_view text, std::string_view type,
                          Dialect dialect = Dialect::kUltralytics) {
  auto memory = std::make_shared<std::string>(text);
  return parse_predict({.bytes = std::as_bytes(std::span(*memory)), .owner = memory}, type, {}, dialect);
}

Result<PredictCall> json(std::string_view text) { return parse(text, "application/json; charset=utf-8"); }

Result<PredictCall> form(std::string_view value, std::string_view field = "source",
                         Dialect dialect = Dialect::kUltralytics) {
  return parse(
      fmt::format("--X\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n--X--\r\n", field, value),
      "multipart/form-data; boundary=X", dialect);
}

std::string picture_of(const Result<PredictCall>& call) {
  if (!call) return call.error().message;
  if (!call->request.picture) return "no picture";
  const auto& bytes = call->request.picture->bytes;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Source, IsBase64OrADataUrl) {
  const std::string text = base64(kJpeg);
  EXPECT_EQ(picture_of(form(text)), kJpeg);
  EXPECT_EQ(picture_of(form(" " + text + "\r\n")), kJpeg);
  EXPECT_EQ(picture_of(form(text.substr(0, 4) + "\r\n" + text.substr(4))), kJpeg);
  EXPECT_EQ(picture_of(form("data:image/jpeg;base64," + text)), kJpeg);
  EXPECT_EQ(picture_of(form("DATA:;Base64," + text)), kJpeg);
  EXPECT_EQ(picture_of(parse("source=%2F9j%2F", "application/x-www-form-urlencoded")), "\xFF\xD8\xFF");
  EXPECT_EQ(picture_of(json(fmt::format(R"({{"source":"{}"}})", text))), kJpeg);
  EXPECT_EQ(picture_of(json(fmt::format(R"({{"image":"data:image\/jpeg;base64,{}"}})", text))), kJpeg);
  EXPECT_EQ(picture_of(form(text, "url", Dialect::kHubFirst)), kJpeg);
  // What comes out is judged by the decoder of pictures, base64 once more among it.
  EXPECT_EQ(picture_of(form(base64(text))), text);
}

TEST(Source, IsAUrlThatSomebodyElseFetches) {
  for (const std::string url : {"http://a.example/b.jpg", "HTTPS://a.example", "ftp://a.example/b.jpg"}) {
    for (const auto& call : {form(url), json(fmt::format(R"({{"source":"{}","image":null}})", url))}) {
      ASSERT_TRUE(call) << call.error().message;
      EXPECT_EQ(call->url, url);
      EXPECT_FALSE(call->request.picture);
    }
  }
  auto call = form("http://a.example/c/b.jpg?x=/y");
  const auto* const bytes = reinterpret_cast<const std::byte*>(kJpeg.data());
  ASSERT_TRUE(take_fetched({bytes, bytes + kJpeg.size()}, *call));
  EXPECT_EQ(picture_of(call), kJpeg);
  EXPECT_EQ(call->request.picture->name, "b.jpg");
  EXPECT_EQ(call->url, "");
  auto empty = form("http://a.example/b.jpg");
  EXPECT_THAT(take_fetched({}, *empty).error().message, HasSubstr("'b.jpg' is empty"));
  auto video = form("http://a.example/b.mp4");
  ASSERT_TRUE(take_fetched({bytes + 3, bytes + 8}, *video));
  EXPECT_EQ(video->video->name, "b.mp4");
}

TEST(Source, IsRefusedWhereItIsNone) {
  const auto says = [](const Result<PredictCall>& call, std::string_view text) {
    ASSERT_FALSE(call) << text;
    EXPECT_EQ(http_status(call.error(), Dialect::kUltralytics), 400U);
    EXPECT_THAT(call.error().message, HasSubstr(text));
  };
  says(form("bus.jpg"), "Field 'source' is 'bus.jpg', 7 characters that are neither a URL nor base64 text");
  says(form("AAA"), "its padding ('=') counts");
  says(parse("source=AA+AAA==", "application/x-www-form-urlencoded"), "%2B");
  says(form("data:image/jpeg,AAAA"), "data:image/jpeg;base64,");
  says(form("data:" + std::string(300, 'x') + ";base64,AAAA"), "data URL");
  says(form("data:image/jpeg;base64,"), "is empty");
  says(form("data:image/jpeg;base64,!!!!"), "neither a URL nor base64");
  says(form("data:video/mp4;base64,AAAA", "url", Dialect::kHubFirst),
       "is a video, and this call answers for one");
  says(form("  "), "has no picture");
  says(json(R"({"source":"http://a/b","image":"AAAA"})"), "two pictures");
  says(json(R"({"source":"AAAA","source":"AAAA"})"), "two pictures");
  says(
      parse(
          "--X\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nAAAA\r\n--X\r\nContent-Disposition: "
          "form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--X--\r\n",
          "multipart/form-data; boundary=X"),
      "two pictures");
}

TEST(JsonCall, ReadsEveryField) {
  const auto call =
      json(R"({"conf":0.5,"iou":"0.3","imgsz":[480,640],"normalize":true,"decimals":2,"bits":null,
                             "classes":[0,2],"max_det":7,"source":"/9j/"})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.options.confidence, 0.5);
  EXPECT_EQ(call->request.options.iou, 0.3);
  EXPECT_EQ(call->request.options.size, (content::PictureSize{.height = 480, .width = 640}));
  EXPECT_TRUE(call->style.normalize);
  EXPECT_EQ(call->style.decimals, 2);
  EXPECT_EQ(call->request.options.depth_bits, 8);
  EXPECT_EQ(call->request.options.classes, (std::vector<int>{0, 2}));
  EXPECT_EQ(call->request.options.max_detections, 7);
  EXPECT_EQ(picture_of(call), "\xFF\xD8\xFF");
  const auto hub = parse(R"({"model":"https://hub.ultralytics.com/models/abc","source":"/9j/"})",
                         "application/json", Dialect::kHub);
  ASSERT_TRUE(hub) << hub.error().message;
  EXPECT_EQ(hub->request.model, "abc");
}

TEST(JsonCall, RefusesWithTheMember) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "request body"},
      {"[]", "request body"},
      {"{}", "has no picture"},
      {R"({"source":"/9j/"}x)", "request body"},
      {R"({"source":7})", "'source' of the request must be a text"},
      {R"({"source":["/9j/"]})", "'source' of the request must be a text"},
      {R"({"conf":{"a":1},"source":"/9j/"})", "'conf' of the request must be a text, a number"},
      {R"({"classes":[[1]],"source":"/9j/"})", "'classes' of the request must be"},
      {R"({"conf":2,"source":"/9j/"})", "Field 'conf' is '2'"},
      {R"({"conf":[0.5,0.6],"source":"/9j/"})", "Field 'conf' is '0.5,0.6'"},
      {R"({"cnf":0.5,"source":"/9j/"})", "did you mean 'conf'"},
      {R"({"file":"/9j/"})", "multipart/form-data"},
      {"{\"source\":\"\xFF\"}", "UTF-8"},
  };
  for (const auto& [text, says] : cases) {
    const auto call = json(text);
    ASSERT_FALSE(call) << text;
    EXPECT_THAT(call.error().message, HasSubstr(says)) << text;
  }
  std::string list = "1";
  for (int i = 0; i < 1000; ++i) list += ",1";
  EXPECT_THAT(json(R"({"classes":[)" + list + R"(],"source":"/9j/"})").error().message,
              HasSubstr("more than 1000 items"));
  std::string many = "{";
  for (int i = 0; i < 65; ++i) many += fmt::format(R"("m{}":1,)", i);
  EXPECT_THAT(json(many + R"("source":"/9j/"})").error().message, HasSubstr("the limit is 64"));
}

}  // namespace
}  // namespace bascule::protocol::ultralytics
