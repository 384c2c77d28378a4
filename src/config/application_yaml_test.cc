#include "config/application_yaml.h"

#include <gmock/gmock.h>

namespace bascule::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::string_view kWhole = R"(
applications:
  - name: line-3
    source: {folder: incoming, fps: 5, on_full: latest}
    model: steel
    region: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    tiles: {size: 320, overlap: 0.25}
    confidence: {default: 0.3, scratches: 0.4}
    iou: 0.5
    track: {lost_frames: 12, weak_confidence: 0.2, per_class: false}
    zones:
      plate: [[0, 0], [1, 0], [1, 1], [0, 1]]
      left: [[0, 0], [0.5, 0], [0.5, 1]]
    lines: {exit: [[0.8, 0], [0.8, 1]]}
    window: 50
    rules:
      - name: scratch
        when: 'any(.results[]; .name == "scratches" and .zone == "plate")'
        for: 3 of 5 frames
        cooldown: 10s
        severity: warning
        sinks: [alarm, log]
      - name: any
        when: .results != []
        for: 2 frames
        cooldown: 500 ms
    sinks:
      alarm: {webhook: "http://127.0.0.1:9000/alert", secret_file: key.txt, allow_private: true, time_limit: 3s}
      log: {jsonl: events.jsonl}
    outbox: {max_mb: 64, max_age: 2d, when_full: drop_oldest}
  - name: till
    source: {belt: belt.jpg, labels: belt.txt, speed: 40}
    names: [apple, banana]
    track: true
    lines: {exit: [[0.5, 0], [0.5, 1]]}
    checkout:
      prices: prices.csv
      currency: CHF
      rounding: half_even
      taxes: {full: 8.1, reduced: 2.6}
      prices_include_tax: false
      ask_below: 0.5
      receipt_head: Corner shop
      count_at: exit
)";

Result<std::vector<ApplicationYaml>> read(std::string_view yaml) { return read_applications(yaml, "a.yaml"); }

// One application with a line of its own.
std::string problem(const std::string& line) {
  const auto got =
      read("applications:\n  - name: a\n    source: {push: true}\n    model: m\n    " + line + "\n");
  return got ? "no error" : got.error().message;
}

std::string rule_problem(const std::string& members) {
  return problem("sinks: {log: {jsonl: a}}\n    rules:\n      - {name: r, when: ., " + members + "}");
}

TEST(ApplicationYaml, ReadsWhatIsThere) {
  const auto got = read(kWhole);
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->size(), 2U);
  const ApplicationYaml& line = got->front();
  EXPECT_EQ(line.name, "line-3");
  EXPECT_EQ(line.place, "a.yaml:3");
  EXPECT_EQ(line.source.kind, "folder");
  EXPECT_EQ(line.source.target, "incoming");
  EXPECT_EQ(line.source.settings.at("fps").text, "5");
  EXPECT_EQ(line.source.settings.at("on_full").place, "a.yaml:4");
  EXPECT_EQ(line.model, "steel");
  EXPECT_EQ(line.region.size(), 3U);
  EXPECT_EQ(line.tiles->size, 320);
  EXPECT_EQ(line.tiles->overlap, 0.25);
  EXPECT_EQ(line.confidence, 0.3);
  EXPECT_EQ(line.iou, 0.5);
  EXPECT_THAT(line.confidences, ElementsAre(Pair("scratches", 0.4)));
  EXPECT_TRUE(line.track.on);
  EXPECT_EQ(line.track.lost_frames, 12U);
  EXPECT_FALSE(line.track.per_class);
  ASSERT_EQ(line.zones.size(), 2U);
  EXPECT_EQ(line.zones[0].name, "plate") << "in the order of the file";
  EXPECT_EQ(line.zones[1].points[1].x, 0.5);
  EXPECT_EQ(line.lines[0].points[1].y, 1);
  EXPECT_EQ(line.window, 50U);
  ASSERT_EQ(line.rules.size(), 2U);
  EXPECT_EQ(line.rules[0].needed, 3U);
  EXPECT_EQ(line.rules[0].of, 5U);
  EXPECT_EQ(line.rules[0].cooldown_ms, 10'000);
  EXPECT_EQ(line.rules[0].severity, "warning");
  EXPECT_EQ(line.rules[0].place, "a.yaml:18");
  EXPECT_THAT(line.rules[0].sinks, ElementsAre("alarm", "log"));
  EXPECT_EQ(line.rules[1].needed, 2U);
  EXPECT_EQ(line.rules[1].of, 2U);
  EXPECT_EQ(line.rules[1].cooldown_ms, 500);
  EXPECT_EQ(line.rules[1].severity, "alert");
  EXPECT_THAT(line.rules[1].sinks, IsEmpty());
  EXPECT_EQ(line.sinks[0].kind, "webhook");
  EXPECT_EQ(line.sinks[0].settings.at("time_limit").text, "3000");
  EXPECT_EQ(line.sinks[1].name, "log");
  EXPECT_EQ(line.sinks[1].target, "events.jsonl");

  EXPECT_EQ(line.outbox.max_mb, 64U);
  EXPECT_EQ(line.outbox.max_age_ms, 2 * 86'400'000);
  EXPECT_TRUE(line.outbox.drop_oldest);

  const ApplicationYaml& till = got->back();
  EXPECT_EQ(till.outbox.max_mb, 256U);
  EXPECT_EQ(till.outbox.max_age_ms, 7 * 86'400'000);
  EXPECT_FALSE(till.outbox.drop_oldest);
  EXPECT_EQ(till.source.kind, "belt");
  EXPECT_EQ(till.source.settings.at("labels").text, "belt.txt");
  EXPECT_EQ(till.model, "") << "the labels say what is there";
  EXPECT_THAT(till.names, ElementsAre("apple", "banana"));
  EXPECT_EQ(till.confidence, 0.25);
  EXPECT_FALSE(line.checkout);
  ASSERT_TRUE(till.checkout);
  EXPECT_EQ(till.checkout->prices, "prices.csv");
  EXPECT_EQ(till.checkout->currency, "CHF");
  EXPECT_EQ(till.checkout->rounding, "half_even");
  EXPECT_EQ(till.checkout->taxes.at("full").text, "8.1");
  EXPECT_FALSE(till.checkout->prices_include_tax);
  EXPECT_EQ(till.checkout->ask_below, 0.5);
  EXPECT_EQ(till.checkout->receipt_head, "Corner shop");
  EXPECT_EQ(till.checkout->count_at, "exit");
}

TEST(ApplicationYaml, RefusesAnOutboxThatCannotBe) {
  EXPECT_EQ(problem("outbox: {when_full: wait}"), "no error");
  EXPECT_THAT(problem("outbox: {max_mb: 15}"), HasSubstr("16"));
  EXPECT_THAT(problem("outbox: {max_age: 0s}"), HasSubstr("'max_age' must be a second or more"));
  EXPECT_THAT(problem("outbox: {when_full: stop}"), HasSubstr("it must be wait or drop_oldest"));
  EXPECT_THAT(problem("outbox: {max_size: 1}"), HasSubstr("max_size"));
  EXPECT_THAT(problem("outbox: 64"), HasSubstr("a.yaml:5"));
}

TEST(ApplicationYaml, LeavesOtherFilesAlone) {
  EXPECT_THAT(*read("models: [a.onnx]\n"), IsEmpty());
  EXPECT_THAT(*read(""), IsEmpty());
  EXPECT_THAT(read("applications: [").error().message, HasSubstr("a.yaml:"));
}

TEST(ApplicationYaml, PointsAtUnknownKeysAndTheNearestKnownOne) {
  EXPECT_EQ(problem("rulez: []"), "a.yaml:5: unknown key 'rulez'; did you mean 'rules'?");
  EXPECT_EQ(problem("tiles: {sise: 3}"), "a.yaml:5: unknown key 'sise'; did you mean 'size'?");
  EXPECT_THAT(rule_problem("cooldwn: 3s"), HasSubstr("did you mean 'cooldown'?"));
  EXPECT_THAT(problem("sinks: {a: {webhok: x}}"), HasSubstr("did you mean 'webhook'?"));
  EXPECT_THAT(problem("sinks: {a: {webhook: x, secretfile: y}}"), HasSubstr("did you mean 'secret_file'?"));
  EXPECT_THAT(problem("sinks: {a: {webhook: x, jsonl: y}}"), HasSubstr("both 'webhook' and 'jsonl'"));
  EXPECT_THAT(problem("window: 3\n    window: 4"), HasSubstr("'window' is given twice"));
  EXPECT_THAT(rule_problem("sinks: [lok]"), HasSubstr("there is no sink 'lok'; did you mean 'log'?"));
}

TEST(ApplicationYaml, SaysWhatIsWrongWithATill) {
  EXPECT_EQ(problem("checkout: {currency: EUR}"), "a.yaml:5: 'prices' is missing.");
  EXPECT_EQ(problem("checkout: {prices: p.csv, count_at: exit}"),
            "a.yaml:5: 'count_at' is 'exit'; it must be 'frame' or the name of one of 'lines'.");
  EXPECT_EQ(problem("checkout: {prices: p.csv, rounding: up}"),
            "a.yaml:5: 'rounding' is 'up'; it must be one of half_up, half_even, down.");
  EXPECT_EQ(problem("checkout: {prices: p.csv, ask_bellow: 0.5}"),
            "a.yaml:5: unknown key 'ask_bellow'; did you mean 'ask_below'?");
}

TEST(ApplicationYaml, SaysWhatIsMissingOrOutOfRange) {
  EXPECT_THAT(read("applications: [{name: a}]").error().message, HasSubstr("'source' is missing"));
  EXPECT_THAT(read("applications: [{name: a, source: {push: true}}]").error().message,
              HasSubstr("'model' is missing"));
  EXPECT_THAT(read("applications: [{name: ../a, source: {push: true}, model: m}]").error().message,
              HasSubstr("no name of an application"));
  EXPECT_THAT(
      read("applications: [{name: a, source: {labels: d}}, {name: a, source: {labels: d}}]").error().message,
      HasSubstr("two applications 'a'"));
  EXPECT_THAT(problem("region: [[0, 0], [1, 1]]"), HasSubstr("at least 3"));
  EXPECT_THAT(problem("region: [[0, 0], [1, 1.5], [0, 1]]"),
              HasSubstr("'1.5'; it must be a number from 0 to 1"));
  EXPECT_THAT(problem("zones: {z: [1, 2, 3]}"), HasSubstr("is [x, y]"));
  EXPECT_THAT(problem("lines: {l: [[0, 0], [0, 1]]}"), HasSubstr("say 'track: true'"));
  EXPECT_THAT(problem("track: true\n    lines: {l: [[0, 0], [0, 0]]}"), HasSubstr("has no length"));
  EXPECT_THAT(problem("track: yes please"), HasSubstr("true or false"));
  EXPECT_THAT(problem("confidence: {apple: 2}"), HasSubstr("the confidence of 'apple' is '2'"));
  EXPECT_THAT(problem("source: {push: true}"), HasSubstr("given twice"));
  EXPECT_THAT(problem("sinks: {a: {webhook: x, allow_private: maybe}}"), HasSubstr("true or false"));
  EXPECT_THAT(rule_problem("for: 6 of 5 frames"), HasSubstr("'6 of 5 frames'"));
  EXPECT_THAT(rule_problem("for: 0 of 5 frames"), HasSubstr("3 of 5 frames"));
  EXPECT_THAT(rule_problem("for: 3 of 5000 frames"), HasSubstr("at most of 1000"));
  EXPECT_THAT(rule_problem("cooldown: 10"), HasSubstr("must be a time such as"));
  EXPECT_THAT(rule_problem("severity: loud"), HasSubstr("info, warning, alert"));
  EXPECT_THAT(problem("rules: [{name: r, when: .}, {name: r, when: .}]"), HasSubstr("two rules 'r'"));
  EXPECT_THAT(problem("rules: [{name: r}]"), HasSubstr("'when' is missing"));
}

TEST(ApplicationYaml, ReadsTimes) {
  for (const auto& [text, ms] : std::vector<std::pair<std::string, std::int64_t>>{{"10s", 10'000},
                                                                                  {"1.5 s", 1500},
                                                                                  {"250ms", 250},
                                                                                  {"2 min", 120'000},
                                                                                  {"2m", 120'000},
                                                                                  {"1h", 3'600'000},
                                                                                  {"7d", 604'800'000},
                                                                                  {"0s", 0}}) {
    const auto got = read(
        "applications: [{name: a, source: {push: true}, model: m, rules: [{name: r, when: ., cooldown: " +
        text + "}]}]");
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ((*got)[0].rules[0].cooldown_ms, ms) << text;
  }
  for (const char* text : {"-1s", "9000h", "s", "ten s"}) {
    EXPECT_THAT(rule_problem(std::string("cooldown: ") + text), HasSubstr("a year at most")) << text;
  }
}

}  // namespace
}  // namespace bascule::config
