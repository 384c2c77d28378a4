#include "serving/ensembles.h"

#include <deque>
#include <optional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"

namespace bascule::serving {
namespace {

using content::EnsembleStep;
using content::InferRequest;
using content::InferResponse;
using tensor::DataType;
using tensor::NamedTensor;
using testing::ElementsAre;
using testing::HasSubstr;

class HeldExecutor final : public Executor {
 public:
  Result<void> post(Work work, std::size_t /*cost*/) override {
    queue.push_back(std::move(work));
    return {};
  }
  [[nodiscard]] std::size_t width() const override { return 1; }
  void run_all() {
    for (; !queue.empty(); queue.pop_front()) queue.front()();
  }
  std::deque<Work> queue;
};

class HeldClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time = TimePoint{} + std::chrono::hours(1);
};

NamedTensor number(std::string name, float value) {
  const std::vector<float> values{value};
  return {.name = std::move(name),
          .tensor = tensor::copy_tensor<float>(DataType::kFp32, {1}, values).value()};
}

// Models are called by what they do to their input "i", which becomes "o": "+1", "*2"; "a+b" adds "i" and
// "j".
class EnsemblesTest : public testing::Test {
 protected:
  struct Asked {
    InferRequest request;
    Ensembles::Sink sink;
  };

  void answer(std::size_t index) {
    Asked asked = std::move(asked_[index]);
    asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(index));
    const std::string& does = asked.request.model;
    float value = asked.request.inputs[0].tensor.elements<float>()[0];
    if (does == "+1") value += 1;
    if (does == "*2") value *= 2;
    if (does == "a+b") value += asked.request.inputs[1].tensor.elements<float>()[0];
    auto info = std::make_shared<content::ModelInfo>();
    info->name = does;
    info->version = "1";
    if (does == "fails") return asked.sink(invalid_argument("It does not want to."), true);
    asked.sink(InferResponse{.model = info, .outputs = {number("o", value)}}, true);
  }
  void answer_all() {
    while (!asked_.empty()) {
      answer(0);
      executor_.run_all();
    }
  }
  [[nodiscard]] std::vector<std::string> under_way() const {
    std::vector<std::string> names;
    for (const Asked& asked : asked_) names.push_back(asked.request.model);
    return names;
  }

  catalog::Handle made(std::vector<EnsembleStep> steps, std::vector<std::string> outputs,
                       std::size_t inflight = 0) {
    backend::FakeModel fake;
    fake.spec.inputs = {{.name = "x", .type = DataType::kFp32, .shape = {1}}};
    for (std::string& name : outputs) {
      fake.spec.outputs.push_back({.name = std::move(name), .type = DataType::kFp32, .shape = {1}});
    }
    backend_.add("e", std::move(fake));
    auto info = std::make_shared<content::ModelInfo>();
    info->name = "e";
    info->version = "1";
    return std::make_shared<const catalog::LoadedModel>(
        catalog::LoadedModel{.info = info,
                             .executable = backend_.load("e.fake", {}).value(),
                             .settings = settings_,
                             .ensemble = std::make_shared<const content::Ensemble>(content::Ensemble{
                                 .steps = std::move(steps), .max_inflight_requests = inflight})});
  }

  void ask(const catalog::Handle& model, float x, InferRequest request = {}) {
    request.model = "e";
    request.id = fmt::format("{}", x);
    request.inputs.push_back(number("x", x));
    ensembles_.infer(model, std::move(request), [this](Result<InferResponse> got, bool last) {
      EXPECT_TRUE(last);
      if (!got) return errors_.push_back(got.error());
      std::string text = got->id + ":";
      for (const NamedTensor& output : got->outputs) {
        text += fmt::format(" {}={}", output.name, output.tensor.elements<float>()[0]);
      }
      answers_.push_back(text);
    });
  }

  content::ModelSettings settings_;
  backend::FakeBackend backend_;
  HeldExecutor executor_;
  HeldClock clock_;
  metrics::Metrics metrics_;
  std::deque<Asked> asked_;
  std::vector<std::string> answers_;
  std::vector<Error> errors_;
  Ensembles ensembles_{[this](InferRequest request, Ensembles::Sink sink) {
                         asked_.push_back({std::move(request), std::move(sink)});
                       },
                       executor_, clock_, metrics_};
};

EnsembleStep step(std::string model, std::string from, std::string to) {
  return {.model = std::move(model), .inputs = {{"i", std::move(from)}}, .outputs = {{"o", std::move(to)}}};
}

TEST_F(EnsemblesTest, StepsGoOnWhatTheOthersGive) {
  EnsembleStep both = step("a+b", "y", "w");
  both.inputs.emplace("j", "z");
  const auto model = made({both, step("+1", "x", "y"), step("*2", "x", "z")}, {"w", "y"});
  ask(model, 5);
  EXPECT_THAT(under_way(), ElementsAre("+1", "*2")) << "what has its inputs goes at once, in any order";
  answer(1);
  EXPECT_THAT(under_way(), ElementsAre("+1")) << "the last one waits for both";
  answer_all();
  EXPECT_THAT(answers_, ElementsAre("5: w=16 y=6"));
}

TEST_F(EnsemblesTest, GivesTheOutputsThatAreWantedAndPassesTheRequestOn) {
  const auto model = made({step("+1", "x", "y"), step("*2", "y", "z")}, {"y", "z"});
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  ask(model, 1,
      {.outputs = {"z"},
       .deadline = clock_.time + std::chrono::seconds(3),
       .priority = 2,
       .cancelled = cancelled});
  const InferRequest& sent = asked_[0].request;
  EXPECT_EQ(sent.deadline, clock_.time + std::chrono::seconds(3));
  EXPECT_EQ(sent.priority, 2U);
  EXPECT_EQ(sent.cancelled, cancelled);
  EXPECT_EQ(sent.depth, 1);
  EXPECT_THAT(sent.outputs, ElementsAre("o"));
  answer_all();
  EXPECT_THAT(answers_, ElementsAre("1: z=4"));
  EXPECT_EQ(metrics_.totals("+1", "1").success.count, 1U) << "a step counts as its model's request";
}

TEST_F(EnsemblesTest, PassesTensorsWithoutACopy) {
  const auto model = made({step("+1", "x", "y"), step("*2", "y", "z")}, {"z"});
  InferRequest request;
  ask(model, 1);
  const std::byte* const given = asked_[0].request.inputs[0].tensor.bytes.data();
  answer(0);
  EXPECT_NE(asked_[0].request.inputs[0].tensor.bytes.data(), given);
  EXPECT_EQ(asked_[0].request.inputs[0].name, "i");
  EXPECT_LE(asked_[0].request.inputs[0].tensor.owner.use_count(), 2) << "the run's and the request's";
  answer_all();
}

TEST_F(EnsemblesTest, TheFirstFailureEndsTheRequest) {
  const auto model = made({step("fails", "x", "y"), step("+1", "x", "z"), step("*2", "z", "w")}, {"y", "w"});
  ask(model, 1);
  answer(0);
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].message, "Step 1 of ensemble 'e' (model 'fails'): It does not want to.");
  EXPECT_EQ(errors_[0].code, Code::kInvalidArgument);
  answer_all();
  EXPECT_EQ(errors_.size(), 1U) << "answered once, and no step begins after it";
  EXPECT_TRUE(answers_.empty());
}

TEST_F(EnsemblesTest, AStepHoldsNoMoreRequestsThanItsLimit) {
  const auto model = made({step("+1", "x", "y"), step("*2", "y", "z")}, {"z"}, 2);
  for (int i = 1; i <= 5; ++i) ask(model, static_cast<float>(i));
  EXPECT_THAT(under_way(), ElementsAre("+1", "+1"));
  answer(0);
  EXPECT_THAT(under_way(), ElementsAre("+1", "*2")) << "the next one comes from the executor";
  executor_.run_all();
  EXPECT_THAT(under_way(), ElementsAre("+1", "*2", "+1"));
  answer_all();
  EXPECT_THAT(answers_, ElementsAre("1: z=4", "2: z=6", "3: z=8", "4: z=10", "5: z=12"));
}

TEST_F(EnsemblesTest, RequestsBeyondTheQueueAreRefused) {
  settings_.max_queue_size = 2;
  const auto model = made({step("+1", "x", "y")}, {"y"}, 1);
  for (int i = 1; i <= 3; ++i) ask(model, static_cast<float>(i));
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].reason, Reason::kQueueFull);
  EXPECT_THAT(errors_[0].message, HasSubstr("2 requests are in ensemble 'e'"));
  answer_all();
  ask(model, 4);
  answer_all();
  EXPECT_EQ(answers_.size(), 3U);
}

TEST_F(EnsemblesTest, AnEndlessNestIsRefused) {
  const auto model = made({step("+1", "x", "y")}, {"y"});
  ask(model, 1, {.depth = Ensembles::kMaxDepth});
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_THAT(errors_[0].message, HasSubstr("Does one hold itself?"));
}

TEST_F(EnsemblesTest, RequestsAreCheckedAgainstWhatIsDeclared) {
  const auto model = made({step("+1", "x", "y")}, {"y"});
  ask(model, 1, {.inputs = {number("v", 1)}});
  ask(model, 1, {.outputs = {"nothing"}});
  content::EncodedPicture picture;
  ask(model, 1, {.picture = picture});
  ASSERT_EQ(errors_.size(), 3U);
  EXPECT_EQ(errors_[0].reason, Reason::kUnknownInput);
  EXPECT_EQ(errors_[1].reason, Reason::kUnknownOutput);
  EXPECT_THAT(errors_[2].message, HasSubstr("takes tensors, not pictures or rows"));
}

}  // namespace
}  // namespace bascule::serving
