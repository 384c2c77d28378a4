#include "tuning/search.h"

#include <map>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tuning/report.h"

namespace bascule::tuning {
namespace {

using tensor::DataType;
using testing::HasSubstr;

const std::vector<tensor::Shape> kShapes = {{1, 3, 256, 320}, {1, 3, 320, 256}};

// A machine of numbers: each kind has a run's time on one thread, threads share it with a loss, and what is
// measured is off by a few per cent.
class Numbers final : public Measuring {
 public:
  struct Kind {
    double run_ms = 0;
    double drop = 0;
    double row_gain = 1;
    std::string error = {};
    double fast_drop = -1;  // of pictures decoded fast; negative: they cannot be
    double shape_gain = 0;  // of a run where the model is compiled for its shape; 0: it cannot be
    double shape_drop = 0;
  };
  explicit Numbers(std::map<std::string, Kind> kinds, unsigned seed = 1, double noise = 0)
      : kinds_(std::move(kinds)), random_(seed), noise_(noise) {}

  Result<Probe> probe(const Candidate& candidate) override {
    const Kind& kind = of(candidate);
    if (!kind.error.empty()) return invalid_argument(kind.error);
    const bool fast = candidate.decode == content::DecodeMode::kFast;
    return Probe{.run_ms = kind.run_ms * off(),
                 .drop = fast ? kind.fast_drop : (candidate.shapes.empty() ? kind.drop : kind.shape_drop),
                 .row_gain = kind.row_gain,
                 .fast_decode = kind.fast_drop >= 0,
                 .shapes = kind.shape_gain > 0 ? kShapes : std::vector<tensor::Shape>{}};
  }

  Result<Speed> measure(const Candidate& candidate, Duration) override {
    measured.push_back(describe(candidate));
    const Kind& kind = of(candidate);
    const double threads = 1 + 0.85 * (candidate.threads - 1);
    double run = kind.run_ms / threads;
    if (candidate.max_batch_size > 1) run /= kind.row_gain;
    if (!candidate.shapes.empty()) run /= kind.shape_gain;
    const double decoding = candidate.decode == content::DecodeMode::kFast ? 2 : 4;
    return Speed{.latency_ms = (run + decoding) * off(),
                 .rate = static_cast<double>(candidate.instances) * 1000 / (run + decoding / 4) * off()};
  }

  std::vector<std::string> measured;

 private:
  const Kind& of(const Candidate& candidate) const {
    return kinds_.at(candidate.engine + (candidate.precision == DataType::kBf16 ? " bf16" : ""));
  }
  double off() { return 1 + noise_ * std::uniform_real_distribution<double>(-1, 1)(random_); }

  const std::map<std::string, Kind> kinds_;
  std::mt19937 random_;
  const double noise_;
};

SearchOptions options(Goal goal = Goal::kBoth) {
  return {.goal = goal,
          .cores = 2,
          .kinds = {{.engine = "onnxruntime"},
                    {.engine = "openvino"},
                    {.engine = "openvino", .precision = DataType::kBf16}}};
}

const std::map<std::string, Numbers::Kind> kDetector = {{"onnxruntime", {.run_ms = 66}},
                                                        {"openvino", {.run_ms = 72}},
                                                        {"openvino bf16", {.run_ms = 39, .drop = 0.003}}};

TEST(Search, ChoosesBf16WithThreadsForADetector) {
  Numbers machine(kDetector);
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(describe(outcome->standard().candidate), "onnxruntime f32, 2 x 1 thread");
  EXPECT_EQ(describe(outcome->chosen().candidate), "openvino bf16, 1 x 2 threads");
  EXPECT_EQ(outcome->chosen().verdict, "chosen");
  EXPECT_GT(outcome->chosen().score, 1.5);
}

TEST(Search, DependsOnTheGoal) {
  Numbers machine(kDetector);
  EXPECT_EQ(describe(search(machine, options(Goal::kThroughput))->chosen().candidate),
            "openvino bf16, 2 x 1 thread");
  EXPECT_EQ(describe(search(machine, options(Goal::kLatency))->chosen().candidate),
            "openvino bf16, 1 x 2 threads");
}

TEST(Search, KeepsToTheAllowedDifference) {
  Numbers machine({{"onnxruntime", {.run_ms = 66}},
                   {"openvino", {.run_ms = 60, .drop = 0.0001}},
                   {"openvino bf16", {.run_ms = 39, .drop = 0.03}}});
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->chosen().candidate.precision, DataType::kFp32);
  const auto bf16 = std::ranges::find_if(
      outcome->rows, [](const Row& row) { return row.candidate.precision == DataType::kBf16; });
  EXPECT_EQ(bf16->verdict, "answers differ by 0.03, and 0.01 is allowed");
  EXPECT_FALSE(bf16->speed);
}

TEST(Search, DoesNotMeasureWhatCannotWin) {
  Numbers machine(kDetector);
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  for (const std::string& what : machine.measured) {
    EXPECT_THAT(what, testing::Not(HasSubstr("openvino f32"))) << "its run takes 1.8 times the shortest";
    EXPECT_THAT(what, testing::Not(HasSubstr("batch")));
  }
  EXPECT_THAT(table(*outcome, Goal::kBoth), HasSubstr("one run takes 1.8 times the shortest"));
  EXPECT_THAT(table(*outcome, Goal::kBoth), HasSubstr("a row of a shared run takes 100 % of one alone"));
}

TEST(Search, TriesSharedRunsWhereARowGains) {
  Numbers machine({{"onnxruntime", {.run_ms = 20, .row_gain = 2}},
                   {"openvino", {.run_ms = 40}},
                   {"openvino bf16", {.error = "This processor does not compute in bf16."}}});
  const auto outcome = search(machine, options(Goal::kThroughput));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(describe(outcome->chosen().candidate), "onnxruntime f32, 2 x 1 thread, batch 4");
  EXPECT_THAT(table(*outcome, Goal::kThroughput), HasSubstr("does not compute in bf16"));
}

TEST(Search, DecodesFastWhereThatIsNearEnough) {
  Numbers machine({{"onnxruntime", {.run_ms = 6, .fast_drop = 0.002}},
                   {"openvino", {.run_ms = 60}},
                   {"openvino bf16", {.run_ms = 60}}});
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(describe(outcome->chosen().candidate), "onnxruntime f32, 2 x 1 thread, decode fast");
  Numbers far({{"onnxruntime", {.run_ms = 6, .fast_drop = 0.02}},
               {"openvino", {.run_ms = 60}},
               {"openvino bf16", {.run_ms = 60}}});
  const auto other = search(far, options());
  ASSERT_TRUE(other);
  EXPECT_EQ(other->winner, 0U);
  EXPECT_THAT(table(*other, Goal::kBoth), HasSubstr("answers differ by 0.02, and 0.01 is allowed"));
}

TEST(Search, CompilesForTheSamplesShapesWhereThatIsFasterAndNearEnough) {
  Numbers machine({{"onnxruntime", {.run_ms = 66}},
                   {"openvino", {.run_ms = 72}},
                   {"openvino bf16", {.run_ms = 39, .shape_gain = 1.2}}});
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(describe(outcome->chosen().candidate), "openvino bf16, 1 x 2 threads, fixed shapes");
  EXPECT_EQ(outcome->chosen().candidate.shapes, kShapes);
  EXPECT_EQ(
      std::ranges::count_if(outcome->rows, [](const Row& row) { return !row.candidate.shapes.empty(); }), 2);
  Numbers far({{"onnxruntime", {.run_ms = 66}},
               {"openvino", {.run_ms = 72}},
               {"openvino bf16", {.run_ms = 39, .shape_gain = 1.2, .shape_drop = 0.02}}});
  const auto other = search(far, options());
  ASSERT_TRUE(other);
  EXPECT_EQ(describe(other->chosen().candidate), "openvino bf16, 1 x 2 threads");
  EXPECT_THAT(table(*other, Goal::kBoth), HasSubstr("fixed shapes"));
  EXPECT_THAT(table(*other, Goal::kBoth), HasSubstr("answers differ by 0.02, and 0.01 is allowed"));
}

TEST(Search, DecodesFastWhatIsCompiledForItsShapes) {
  Numbers machine({{"onnxruntime", {.run_ms = 10}},
                   {"openvino", {.run_ms = 10}},
                   {"openvino bf16", {.run_ms = 6, .fast_drop = 0.002, .shape_gain = 1.2}}});
  EXPECT_EQ(describe(search(machine, options(Goal::kLatency))->chosen().candidate),
            "openvino bf16, 1 x 2 threads, decode fast, fixed shapes");
}

// Two kinds at nearly the same speed: the second place is the other sharing's, not the other kind's.
TEST(Search, TriesBothSharingsOfTheCoresForShapesAndFastDecoding) {
  Numbers machine({{"onnxruntime", {.run_ms = 66}},
                   {"openvino", {.run_ms = 39.5, .fast_drop = 0.002, .shape_gain = 1.2}},
                   {"openvino bf16", {.run_ms = 39, .fast_drop = 0.002, .shape_gain = 1.2}}});
  ASSERT_TRUE(search(machine, options()));
  for (const std::string sharing : {"2 x 1 thread", "1 x 2 threads"}) {
    EXPECT_THAT(machine.measured, testing::Contains("openvino bf16, " + sharing + ", fixed shapes"));
    EXPECT_THAT(machine.measured,
                testing::Contains("openvino bf16, " + sharing + ", decode fast, fixed shapes"));
  }
  EXPECT_THAT(machine.measured,
              testing::Not(testing::Contains(HasSubstr("openvino f32, 2 x 1 thread, fixed"))));
}

TEST(Search, DoesNotCompileSharedRunsForShapes) {
  Numbers machine({{"onnxruntime", {.run_ms = 66}},
                   {"openvino", {.run_ms = 20, .row_gain = 3, .shape_gain = 1.2}},
                   {"openvino bf16", {.run_ms = 60}}});
  const auto outcome = search(machine, options(Goal::kThroughput));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(describe(outcome->chosen().candidate), "openvino f32, 2 x 1 thread, batch 4");
  for (const std::string& what : machine.measured) {
    EXPECT_FALSE(what.contains("batch") && what.contains("fixed shapes")) << what;
  }
}

TEST(Search, KeepsTheDefaultWhereNothingIsFaster) {
  Numbers machine({{"onnxruntime", {.run_ms = 0.01}},
                   {"openvino", {.run_ms = 0.05}},
                   {"openvino bf16", {.run_ms = 0.05}}});
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->winner, 0U);
  EXPECT_THAT(summary(*outcome), HasSubstr("the default"));
  EXPECT_THAT(table(*outcome, Goal::kBoth), HasSubstr("too short for threads to share"));
}

TEST(Search, TakesTheOtherEngineForTheDefaultWhereTheFirstCannotLoadTheFile) {
  Numbers machine({{"onnxruntime", {.error = "It cannot."}},
                   {"openvino", {.run_ms = 10}},
                   {"openvino bf16", {.run_ms = 5}}});
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->standard().candidate.engine, "openvino");
  Numbers none({{"onnxruntime", {.error = "It cannot."}},
                {"openvino", {.error = "Nor this."}},
                {"openvino bf16", {.error = "Nor."}}});
  const auto failed = search(none, options());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "It cannot.");
}

// 200 machines whose measurements are off by up to 4 %: the same winner, and never one slower than the
// default.
TEST(Search, ChoosesTheSameAgainAndAgain) {
  std::map<std::string, int> winners;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Numbers machine(kDetector, seed, 0.04);
    const auto outcome = search(machine, options());
    ASSERT_TRUE(outcome);
    ++winners[describe(outcome->chosen().candidate)];
    EXPECT_GE(outcome->chosen().score, 0.95) << "seed " << seed;
  }
  EXPECT_GE(winners["openvino bf16, 1 x 2 threads"], 190);
}

// Likewise where the model can be compiled for its shapes.
TEST(Search, ChoosesTheSameShapesAgainAndAgain) {
  std::map<std::string, Numbers::Kind> detector = kDetector;
  detector["openvino"].shape_gain = 1.25;
  detector["openvino bf16"].shape_gain = 1.18;
  std::map<std::string, int> winners;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Numbers machine(detector, seed, 0.04);
    const auto outcome = search(machine, options());
    ASSERT_TRUE(outcome);
    ++winners[describe(outcome->chosen().candidate)];
    EXPECT_GE(outcome->chosen().score, 0.95) << "seed " << seed;
  }
  EXPECT_GE(winners["openvino bf16, 1 x 2 threads, fixed shapes"], 190);
}

TEST(Search, NeverChoosesWhatIsWorseInOneOfBoth) {
  // Threads within a run halve the latency, but the rate falls by more than the tolerance.
  Numbers machine(
      {{"onnxruntime", {.run_ms = 3}}, {"openvino", {.run_ms = 30}}, {"openvino bf16", {.run_ms = 30}}});
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->winner, 0U);
}

TEST(Search, DrawsWhatItFound) {
  Numbers machine(kDetector);
  const auto outcome = search(machine, options());
  ASSERT_TRUE(outcome);
  const std::string drawn = svg(*outcome, "a <model> & more");
  EXPECT_THAT(drawn, testing::StartsWith("<svg "));
  EXPECT_THAT(drawn, HasSubstr("a &lt;model> &amp; more"));
  EXPECT_THAT(drawn, HasSubstr("openvino bf16, 1 x 2 threads"));
}

}  // namespace
}  // namespace bascule::tuning
