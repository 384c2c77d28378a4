#include "applications/judge.h"

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "tasks/vision/belt_clips.h"

namespace bascule::applications {
namespace {

using nlohmann::json;
using tasks::vision::belt_clip;
using tasks::vision::BeltClip;
using tasks::vision::BeltFrame;
using tasks::vision::BeltItem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const content::ClassNames kNames = {{0, "apple"}, {1, "banana"}, {2, "orange"}};
constexpr content::PictureSize kPicture{.height = 100, .width = 100};

// Longer than a rule takes on a busy machine, unless it has no end.
JudgeOptions options(std::vector<RuleOptions> rules = {}) {
  return {.app = "till-1", .rules = std::move(rules), .rule_limit = std::chrono::seconds(60)};
}

std::unique_ptr<Judge> make(JudgeOptions from) {
  auto judge = Judge::make(std::move(from));
  EXPECT_TRUE(judge) << judge.error().message;
  return *std::move(judge);
}

Frame frame(std::uint64_t number) {
  return {.source = "tray", .number = number, .time_ms = static_cast<std::int64_t>(1'000'000 + 100 * number)};
}

content::Detection box(int class_id, float x, float y, float confidence = 0.9F) {
  return {.class_id = class_id, .confidence = confidence, .box = {x - 5, y - 5, x + 5, y + 5}};
}

Judged judge(Judge& judge, std::uint64_t number, std::vector<content::Detection> rows) {
  auto judged = judge.judge(frame(number), {.picture = kPicture, .rows = std::move(rows)}, kNames);
  EXPECT_TRUE(judged) << judged.error().message;
  return *std::move(judged);
}

std::vector<std::string> names(const Scene& scene) {
  std::vector<std::string> out;
  std::ranges::transform(scene.objects, std::back_inserter(out), &SceneObject::name);
  return out;
}

TEST(Judge, KeepsWhatIsSureEnoughForItsClass) {
  JudgeOptions with = options();
  with.confidence = {.fallback = 0.5, .of_class = {{"banana", 0.2}, {"orange", 0.95}}};
  const auto one = make(std::move(with));
  EXPECT_THAT(
      names(judge(*one, 1, {box(0, 10, 10, 0.6F), box(0, 30, 10, 0.4F), box(1, 50, 10, 0.3F), box(2, 70, 10)})
                .scene),
      ElementsAre("apple", "banana"));
  EXPECT_DOUBLE_EQ(one->lowest_confidence(), 0.2);
}

TEST(Judge, LooksAtItsRegionAlone) {
  JudgeOptions with = options();
  with.region.corners = {{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}};
  const auto one = make(std::move(with));
  EXPECT_THAT(names(judge(*one, 1, {box(0, 20, 50), box(1, 80, 50)}).scene), ElementsAre("apple"));
}

TEST(Judge, TellsTheZonesThatACentreIsIn) {
  JudgeOptions with = options();
  with.zones = {{.name = "plate", .corners = {{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}},
                {.name = "top", .corners = {{0, 0}, {1, 0}, {1, 0.5}, {0, 0.5}}}};
  const auto one = make(std::move(with));
  const Judged judged = judge(*one, 1, {box(0, 20, 20), box(1, 80, 20), box(2, 80, 80)});
  EXPECT_THAT(judged.scene.objects[0].zones, ElementsAre("plate", "top"));
  EXPECT_THAT(judged.scene.objects[1].zones, ElementsAre("top"));
  EXPECT_THAT(judged.scene.objects[2].zones, IsEmpty());
  EXPECT_EQ(judged.scene.objects[0].area_fraction, 0.01);
}

TEST(Judge, MakesAnEventOfARuleThatHolds) {
  const auto one =
      make(options({{.name = "bananas",
                     .when = R"([.results[] | select(.name == "banana")] | select(length > 1) | length)",
                     .place = "a.yaml:7",
                     .severity = "info",
                     .sinks = {"log"}}}));
  EXPECT_THAT(judge(*one, 1, {box(1, 10, 10)}).decided, IsEmpty());
  const Judged judged = judge(*one, 2, {box(1, 10, 10), box(1, 50, 50)});
  ASSERT_EQ(judged.decided.size(), 1U);
  EXPECT_THAT(judged.decided[0].sinks, ElementsAre("log"));
  const Event& event = judged.decided[0].event;
  EXPECT_EQ(event.id, event_id("till-1", "tray", 2, "bananas"));
  EXPECT_EQ(event.severity, "info");
  EXPECT_EQ(event.frame, 2U);
  EXPECT_EQ(event.time_ms, 1'000'200);
  const json told = json::parse(event.json);
  EXPECT_EQ(told["id"], event.id);
  EXPECT_EQ(told["kind"], "rule");
  EXPECT_EQ(told["rule"], "bananas");
  EXPECT_EQ(told["value"], 2);
  EXPECT_EQ(told["app"], "till-1");
  EXPECT_EQ(told["results"].size(), 2U);
  EXPECT_EQ(told["counts"]["frames"], 2);
  const JudgeState state = one->state();
  EXPECT_EQ(state.frames, 2U);
  EXPECT_EQ(state.events, 1U);
  EXPECT_EQ(state.rules[0].value, "2");
  EXPECT_EQ(state.rules[0].runs, 2U);
  EXPECT_TRUE(state.rules[0].holds);
}

TEST(Judge, ShowsRulesWhatTheApplicationCounted) {
  const auto one = make(options(
      {{.name = "many", .when = ".app_state.counts.objects.apple >= 3"},
       {.name = "gone",
        .when =
            R"(.app_state.window | length > 1 and .[-2].objects.apple != null and .[-1].objects.apple == null)"}}));
  EXPECT_THAT(judge(*one, 1, {box(0, 10, 10), box(0, 50, 10)}).decided, IsEmpty());
  EXPECT_EQ(judge(*one, 2, {box(0, 10, 10)}).decided.at(0).event.rule, "many");
  const Judged third = judge(*one, 3, {});
  ASSERT_EQ(third.decided.size(), 2U);
  EXPECT_EQ(third.decided[1].event.rule, "gone");
}

TEST(Judge, WaitsAndCoolsDownAsARuleSays) {
  const auto one = make(options(
      {{.name = "apple", .when = ".results != []", .policy = {.needed = 3, .of = 5, .cooldown_ms = 300}}}));
  std::string fired;
  for (std::uint64_t number = 1; number <= 10; ++number) {
    fired += judge(*one, number, {box(0, 10, 10)}).decided.empty() ? '.' : 'E';
  }
  EXPECT_EQ(fired, "..E..E..E.");
}

TEST(Judge, TellsOfARuleThatFailsOnceAMinute) {
  const auto one = make(options({{.name = "broken", .when = ".results | error(\"no plate\")"}}));
  std::vector<std::uint64_t> told;
  for (std::uint64_t number = 1; number <= 700; number += 100) {
    for (const Decided& decided : judge(*one, number, {}).decided) {
      const json event = json::parse(decided.event.json);
      EXPECT_EQ(event["kind"], "rule_failed");
      EXPECT_EQ(event["error"], "no plate");
      EXPECT_NE(decided.event.id, event_id("till-1", "tray", number, "broken"));
      told.push_back(number);
    }
  }
  EXPECT_THAT(told, ElementsAre(1, 601));
  EXPECT_EQ(one->state().rules[0].failures, 7U);
  EXPECT_EQ(one->state().rules[0].error, "no plate");
}

TEST(Judge, IsStuckWhileARuleTakesTooLongAndGoesOnWithTheOthers) {
  JudgeOptions with =
      options({{.name = "endless", .when = "if .frame < 3 then last(range(1e12)) else false end"},
               {.name = "apple", .when = ".results != []"}});
  with.rule_limit = std::chrono::milliseconds(500);
  const auto one = make(std::move(with));
  for (std::uint64_t number = 1; number < 3; ++number) {
    const Judged judged = judge(*one, number, {box(0, 10, 10)});
    ASSERT_EQ(judged.decided.size(), 1U);
    EXPECT_EQ(judged.decided[0].event.rule, "apple");
    EXPECT_TRUE(one->state().stuck);
    EXPECT_EQ(one->state().rules[0].overruns, number);
  }
  judge(*one, 3, {});
  EXPECT_FALSE(one->state().stuck);
}

TEST(Judge, IsNotMadeOfWhatIsWrong) {
  const auto broken = Judge::make(options({{.name = "scratch", .when = "any(", .place = "line.yaml:9"}}));
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("line.yaml:9: the rule 'scratch' does not compile"));
  JudgeOptions with = options();
  with.lines = {{.name = "exit", .from = {0.5, 0}, .to = {0.5, 1}}};
  EXPECT_THAT(Judge::make(std::move(with)).error().message, HasSubstr("track: true"));
}

TEST(Judge, RefusesAFrameWithoutASizeAndLeavesOutBoxesThatAreNone) {
  const auto one = make(options());
  EXPECT_FALSE(one->judge(frame(1), {}, kNames));
  content::Detection endless = box(0, 10, 10);
  endless.box.x2 = std::numeric_limits<float>::infinity();
  EXPECT_THAT(judge(*one, 1, {endless, box(1, 50, 50)}).scene.objects, testing::SizeIs(1));
}

TEST(Judge, FollowsWithWeakBoxesThatRulesDoNotSee) {
  JudgeOptions with = options();
  with.track = true;
  const auto one = make(std::move(with));
  EXPECT_DOUBLE_EQ(one->lowest_confidence(), 0.1);
  judge(*one, 1, {box(0, 50, 50)});
  EXPECT_THAT(judge(*one, 2, {box(0, 52, 50, 0.15F)}).scene.objects, IsEmpty());
  const Judged third = judge(*one, 3, {box(0, 54, 50)});
  EXPECT_EQ(third.scene.objects[0].track_id, 1U);
  EXPECT_EQ(one->state().tracks, 1U);
}

// Everything that a belt's clip made an application say.
struct Told {
  std::vector<std::string> events;
  std::map<std::string, int> crossed;  // by class
  std::set<std::uint64_t> ids;         // that crossed
  std::size_t crossings = 0;
  std::string counts;
};

// `restored`: each frame is judged by another judge, which is given what the one before remembered.
Told play(const BeltClip& clip, const std::string& direction, bool restored = false) {
  const auto options_of_belt = [] {
    JudgeOptions with = options(
        {{.name = "counted", .when = R"(.crossings[] | select(.line == "till"))"},
         {.name = "often", .when = ".results != []", .policy = {.needed = 3, .of = 5, .cooldown_ms = 700}},
         {.name = "broken", .when = ".frame | error(tostring)"}});
    with.track = true;
    with.lines = {{.name = "till", .from = {0.5, 0}, .to = {0.5, 1}}};
    return with;
  };
  auto one = make(options_of_belt());
  Told told;
  for (const BeltFrame& shown : clip.frames) {
    if (restored) {
      const std::string memory = one->save();
      one = make(options_of_belt());
      EXPECT_TRUE(one->restore(memory));
    }
    content::Detections found{.picture = clip.picture};
    for (const BeltItem& item : shown.items) found.rows.push_back({item.class_id, 1, item.box});
    const auto judged = one->judge(frame(shown.number), found, kNames);
    EXPECT_TRUE(judged);
    for (const Crossing& crossing : judged->scene.crossings) {
      EXPECT_EQ(crossing.direction, direction);
      ++told.crossed[crossing.name];
      ++told.crossings;
      told.ids.insert(crossing.track_id);
    }
    for (const Decided& decided : judged->decided)
      told.events.push_back(decided.event.id + decided.event.json);
  }
  told.counts = one->state().counts;
  return told;
}

TEST(Judge, CountsEveryItemOfABeltOnceAtEverySpeedAndWithDroppedFrames) {
  for (const std::string strip : {"fruit_102_0000", "fruit_102_0001"}) {
    for (const int speed : {30, 90, -90, 180, 240}) {
      for (const bool dropped : {false, true}) {
        const BeltClip clip = belt_clip(strip, speed, dropped);
        std::map<int, std::string> class_of;
        for (const BeltFrame& shown : clip.frames) {
          for (const BeltItem& item : shown.items) class_of[item.label] = kNames.at(item.class_id);
        }
        std::map<std::string, int> labelled;
        for (const auto& [label, name] : class_of) ++labelled[name];
        const Told told = play(clip, speed > 0 ? "left" : "right");
        EXPECT_EQ(told.crossed, labelled) << strip << " at " << speed << (dropped ? ", dropped" : "");
        EXPECT_EQ(told.ids.size(), told.crossings);
      }
    }
  }
}

TEST(Judge, GivesTheSameEventsForTheSameFrames) {
  const BeltClip clip = belt_clip("fruit_102_0000", 120, true);
  const Told first = play(clip, "left");
  const Told second = play(clip, "left");
  EXPECT_GT(first.events.size(), 10U);
  EXPECT_EQ(first.events, second.events);
  EXPECT_EQ(first.counts, second.counts);
}

TEST(Judge, GoesOnInAnotherProcessAsIfNothingHadHappened) {
  const BeltClip clip = belt_clip("fruit_102_0001", 120, true);
  const Told whole = play(clip, "left");
  const Told in_pieces = play(clip, "left", true);
  EXPECT_EQ(whole.events, in_pieces.events);
  EXPECT_EQ(whole.crossed, in_pieces.crossed);
}

TEST(Judge, DoesNotGoOnFromWhatIsNoMemoryOfOne) {
  JudgeOptions with = options({{.name = "apple", .when = ".results != []"}});
  with.track = true;
  const auto one = make(std::move(with));
  judge(*one, 1, {box(0, 10, 10), box(1, 50, 50)});
  const std::string memory = one->save();
  for (std::size_t size = 0; size < memory.size(); ++size) {
    EXPECT_FALSE(one->restore(memory.substr(0, size))) << size;
  }
  EXPECT_FALSE(one->restore("9" + memory));
  EXPECT_FALSE(one->restore(memory + "1"));
  EXPECT_EQ(one->save(), memory);
  EXPECT_TRUE(one->restore(memory));
}

}  // namespace
}  // namespace bascule::applications
