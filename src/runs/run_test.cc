#include "runs/run.h"

#include <atomic>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runs/report_state.h"
#include "runs/test_support.h"

namespace bascule::runs {
namespace {

// A run over a file of sentences, with a result beside it.
// Thread-safety: external (one thread).
struct Fixture {
  explicit Fixture(const std::string& text) : input(folder.write("in.txt", text)) {}

  Result<Ending> go(const std::string& out, std::function<bool()> stop = [] { return false; }) {
    auto reader = Reader::open(
        {.words = {input}, .pictures = false, .block = 3, .is_picture = [](const std::filesystem::path&) {
           return false;
         }});
    auto results = Results::open({.out = folder / out, .errors = errors_of(folder / out), .pictures = false});
    if (!results) return results.error();
    reader->go_on_from(results->progress().position);
    ReportState state(false);
    BASCULE_TRY(state.restore(results->progress().report));
    auto ending =
        run(*reader, asker, *results, options,
            {.clock = clock, .stop = std::move(stop), .tick = [](const Standing&) {}, .report = &state});
    report = state.saved();
    if (ending && *ending == Ending::kDone) BASCULE_TRY(results->finish());
    return ending;
  }

  TestFolder folder;
  const std::string input;
  SteadyClock clock;
  EchoAsker asker;
  RunOptions options{.lanes = 3, .window = 5, .answer = {.pictures = false}};
  std::string report;
};

std::string lines(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += i % 7 == 3 ? "bad\n" : std::to_string(i) + '\n';
  return out;
}

TEST(Run, WritesResultsInTheOrderOfTheirInputs) {
  Fixture fixture(lines(1000));
  ASSERT_EQ(*fixture.go("r.jsonl"), Ending::kDone);
  const std::string text = fixture.folder.read("r.jsonl");
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    if (i % 7 == 3) continue;
    expected += "{\"input\":\"" + fixture.input + ":" + std::to_string(i + 1) + "\",\"label\":\"" +
                std::to_string(i) + "\",\"probabilities\":{\"a\":0.25,\"b\":0.75}}\n";
  }
  EXPECT_EQ(text, expected);
}

TEST(Run, StoppedAnywhereItGoesOnToTheSameBytes) {
  Fixture fixture(lines(300));
  fixture.options.save_every = Duration::zero();
  ASSERT_EQ(*fixture.go("whole.jsonl"), Ending::kDone);
  const std::string report = fixture.report;
  int stops = 0;
  for (int step = 1; step < 40; ++step) {
    std::atomic<int> asked = 0;
    const auto ending = fixture.go("parts.jsonl", [&] { return ++asked > 20 * step; });
    ASSERT_TRUE(ending) << ending.error().message;
    if (*ending == Ending::kDone) break;
    ++stops;
  }
  EXPECT_GT(stops, 0);
  EXPECT_EQ(fixture.folder.read("parts.jsonl"), fixture.folder.read("whole.jsonl"));
  EXPECT_EQ(fixture.folder.read("parts.errors.jsonl"), fixture.folder.read("whole.errors.jsonl"));
  EXPECT_EQ(fixture.report, report);
}

TEST(Run, EndsWhereThereAreTooManyBadInputsAndCanGoOn) {
  Fixture fixture(lines(300));
  fixture.options.max_errors = 5;
  EXPECT_EQ(*fixture.go("r.jsonl"), Ending::kTooManyErrors);
  EXPECT_TRUE(std::filesystem::exists(checkpoint_of(fixture.folder / "r.jsonl")));
  fixture.options.max_errors.reset();
  EXPECT_EQ(*fixture.go("r.jsonl"), Ending::kDone);
  ASSERT_EQ(*fixture.go("whole.jsonl"), Ending::kDone);
  EXPECT_EQ(fixture.folder.read("r.jsonl"), fixture.folder.read("whole.jsonl"));
}

TEST(Run, KeepsWhatWasAnsweredWhenNobodyAnswersAnyMore) {
  Fixture fixture("a\nb\nc\nd\ngone\ne\n");
  const auto ending = fixture.go("r.jsonl");
  ASSERT_FALSE(ending);
  EXPECT_EQ(ending.error().code, Code::kUnavailable);
  static_cast<void>(fixture.folder.write("in.txt", "a\nb\nc\nd\nhere\ne\n"));
  ASSERT_EQ(*fixture.go("r.jsonl"), Ending::kDone);
  ASSERT_EQ(*fixture.go("whole.jsonl"), Ending::kDone);
  EXPECT_EQ(fixture.folder.read("r.jsonl"), fixture.folder.read("whole.jsonl"));
}

TEST(Run, NothingInIsNothingOut) {
  Fixture fixture("\n\n");
  EXPECT_EQ(*fixture.go("r.jsonl"), Ending::kDone);
  EXPECT_EQ(fixture.folder.read("r.jsonl"), "");
}

}  // namespace
}  // namespace bascule::runs
