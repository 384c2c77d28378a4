#include "applications/scene.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "applications/app_state.h"
#include "content/infer.h"
#include "content/model_info.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::applications {
namespace {

using nlohmann::json;

Scene scene() {
  Scene out{.app = "line-3", .source = "camera \"1\"", .frame = 12, .time_ms = 1'790'000'000'123};
  out.found.picture = {.height = 480, .width = 640};
  out.found.rows = {{.class_id = 0, .confidence = 0.912345F, .box = {1.5F, 2, 30.123456F, 40}},
                    {.class_id = 2, .confidence = 0.5F, .box = {100, 100, 200, 200}}};
  out.names = {{0, "apple"}, {2, "orange"}};
  out.objects = {{.name = "apple",
                  .track_id = 9'007'199'254'740'993,
                  .zones = {"plate", "left"},
                  .area_fraction = 0.003},
                 {.name = "orange"}};
  out.crossings = {{.line = "exit", .direction = "right", .name = "apple", .track_id = 7}};
  return out;
}

TEST(Scene, IsWhatThePredictCallReturnsAndMore) {
  const Scene one = scene();
  content::ModelInfo model;
  model.class_names = one.names;
  content::InferResponse response;
  response.model = std::make_shared<const content::ModelInfo>(model);
  response.prediction = one.found;
  std::string image = "{";
  protocol::ultralytics::append_image(image, response, {});
  const json predicted = json::parse(image + "}").at("results");

  const json seen = json::parse(scene_json(one, AppState(3)));
  ASSERT_EQ(seen.at("results").size(), predicted.size());
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    json result = seen.at("results")[i];
    for (const char* more : {"track_id", "zone", "zones", "area_fraction"}) EXPECT_EQ(result.erase(more), 1U);
    EXPECT_EQ(result, predicted[i]);
  }
  // The same text, not only the same numbers.
  std::string head = image.substr(image.find("\"results\":[") + 11);
  head = head.substr(0, head.find('}'));
  EXPECT_THAT(scene_json(one, AppState(3)), testing::HasSubstr(head));
}

TEST(Scene, SaysWhatIsKnownBesideTheBoxes) {
  const json seen = json::parse(scene_json(scene(), AppState(3)));
  EXPECT_EQ(seen["app"], "line-3");
  EXPECT_EQ(seen["source"], "camera \"1\"");
  EXPECT_EQ(seen["frame"], 12);
  EXPECT_DOUBLE_EQ(seen["time"].get<double>(), 1'790'000'000.123);
  EXPECT_EQ(seen["width"], 640);
  EXPECT_EQ(seen["height"], 480);
  EXPECT_EQ(seen["results"][0]["track_id"], "9007199254740993") << "more digits than a double has";
  EXPECT_EQ(seen["results"][0]["zone"], "plate");
  EXPECT_EQ(seen["results"][0]["zones"], json({"plate", "left"}));
  EXPECT_EQ(seen["results"][1]["track_id"], nullptr);
  EXPECT_EQ(seen["results"][1]["zone"], nullptr);
  EXPECT_EQ(seen["crossings"],
            json::parse(R"([{"line":"exit","direction":"right","name":"apple","track_id":"7"}])"));
}

TEST(AppState, CountsAndRemembersAWindow) {
  AppState state(2);
  Scene one = scene();
  state.take(one, {{"apple", 1}, {"orange", 1}});
  one.frame = 13;
  state.take(one, {{"apple", 1}});
  one.frame = 14;
  one.objects.pop_back();
  one.crossings.clear();
  state.take(one, {});
  std::string text;
  state.append_json(text);
  EXPECT_EQ(json::parse(text), json::parse(R"({
    "counts": {"frames": 3, "objects": {"apple": 2, "orange": 1}, "lines": {"exit": {"right": {"apple": 2}}}},
    "window": [
      {"frame": 13, "time": 1790000000.123, "objects": {"apple": 1, "orange": 1}, "crossings": 1},
      {"frame": 14, "time": 1790000000.123, "objects": {"apple": 1}, "crossings": 0}]})"));
}

}  // namespace
}  // namespace bascule::applications
