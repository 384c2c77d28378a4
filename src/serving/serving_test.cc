#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <future>
#include <optional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"
#include "catalog/catalog.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"
#include "serving/inline_policy.h"
#include "serving/joining.h"

namespace bascule::serving {
namespace {

using testing::HasSubstr;

// An executor whose hand the test holds.
class HeldExecutor final : public Executor {
 public:
  Result<void> post(Work work, std::size_t cost) override {
    costs.push_back(cost);
    if (full)
      return Error{.code = Code::kResourceExhausted, .message = "Full.", .reason = Reason::kQueueFull};
    queue.push_back(std::move(work));
    most_posted = std::max(most_posted, queue.size());
    return {};
  }
  [[nodiscard]] std::size_t width() const override { return cores; }
  void run_all() {
    if (before) before();
    while (!queue.empty()) {
      Work work = std::move(queue.front());
      queue.pop_front();
      work();
    }
  }
  bool full = false;
  std::size_t cores = 1;
  std::vector<std::size_t> costs;
  std::function<void()> before;
  std::deque<Work> queue;
  std::size_t most_posted = 0;
};

// No test here lets time pass.
class NoTimer final : public Timer {
 public:
  void call_at(TimePoint, Work) override {}
};

class HeldClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  mutable TimePoint time{};
};

// Doubles "pictures": the first byte of the picture becomes the first float, and comes back as a class.
class FirstByteTask final : public tasks::Task {
 public:
  [[nodiscard]] std::string_view name() const override { return "detect"; }
  Result<tasks::Plan> plan(const content::EncodedPicture& picture,
                           const content::PredictOptions& options) const override {
    if (picture.bytes.empty()) return invalid_argument("The picture is empty.", Reason::kBadPicture);
    return tasks::Plan{.input_shape = {1, 1}, .options = options};
  }
  Result<void> prepare(const content::EncodedPicture& picture, const tasks::Plan&, tasks::Scratch& scratch,
                       std::span<std::byte> input) const override {
    ++prepared;
    if (picture.bytes[0] == std::byte{0xFF}) return invalid_argument("It is damaged.", Reason::kBadPicture);
    kept = scratch.bitmap.pixels.capacity();
    scratch.bitmap.pixels.resize(decoded);
    const auto value = static_cast<float>(picture.bytes[0]);
    std::ranges::copy(std::as_bytes(std::span(&value, 1)), input.begin());
    return {};
  }
  Result<content::Prediction> finish(const tasks::Plan&, tasks::Scratch&,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    content::Detections out;
    out.rows.push_back({.class_id = static_cast<int>(outputs[0].tensor.elements<float>()[0])});
    return out;
  }
  mutable std::atomic<int> prepared = 0;
  std::size_t decoded = 0;       // bytes of pixels that the next picture has
  mutable std::size_t kept = 0;  // bytes that were still there from the one before
};

class Serving : public testing::Test {
 protected:
  void SetUp() override { script(-1); }

  // A model of so many rows that doubles them.
  void script(std::int64_t rows) {
    backend::FakeModel fake;
    fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {rows, 1}}};
    fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {rows, 1}}};
    fake.run =
        [this](std::span<const tensor::NamedTensor> inputs) -> Result<std::vector<tensor::NamedTensor>> {
      runs_.push_back(inputs[0].tensor.shape[0]);
      std::vector<float> values;
      for (const float v : inputs[0].tensor.elements<float>()) values.push_back(v * 2);
      last_ = values;
      auto out = tensor::copy_tensor<float>(tensor::DataType::kFp32, inputs[0].tensor.shape, values);
      if (!out) return std::move(out).error();
      return std::vector<tensor::NamedTensor>{{.name = "y", .tensor = *std::move(out)}};
    };
    backend_.add("m", fake);
  }

  void serve(Duration measured, bool pictures, std::size_t max_batch = 1, Duration saved = {}) {
    auto info = std::make_shared<content::ModelInfo>();
    info->name = "m";
    info->version = "1";
    info->batchable = fixed_batch_ == 0;
    info->static_batch = fixed_batch_;
    task_ = pictures ? std::make_shared<FirstByteTask>() : nullptr;
    catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
        catalog::LoadedModel{.info = std::move(info),
                             .executable = *backend_.load("m.fake", {}),
                             .task = task_,
                             .measured_run = measured,
                             .measured_bytes = 4,
                             .max_batch_size = max_batch,
                             .saved_by_sharing = saved,
                             .settings = settings_}));
  }

  static content::InferRequest tensors(float value, std::int64_t rows = 1) {
    content::InferRequest request;
    request.model = "m";
    request.id = "id-1";
    const std::vector<float> values(static_cast<std::size_t>(rows), value);
    request.inputs.push_back(
        {.name = "x", .tensor = *tensor::copy_tensor<float>(tensor::DataType::kFp32, {rows, 1}, values)});
    return request;
  }

  static content::InferRequest picture(std::span<const std::byte> bytes) {
    content::InferRequest request;
    request.model = "m";
    request.picture = {.bytes = bytes};
    return request;
  }

  Result<content::InferResponse> ask(content::InferRequest request) {
    std::optional<Result<content::InferResponse>> answer;
    service_.infer(std::move(request), [&](Result<content::InferResponse> result, bool last) {
      EXPECT_TRUE(last);
      EXPECT_FALSE(answer) << "answered twice";
      answer = std::move(result);
    });
    inline_ = answer.has_value();
    executor_.run_all();
    EXPECT_TRUE(answer) << "never answered";
    return *std::move(answer);
  }

  backend::FakeBackend backend_;
  catalog::Catalog catalog_{""};
  HeldExecutor executor_;
  HeldClock clock_;
  NoTimer timer_;
  metrics::Metrics metrics_;
  InferenceService service_{
      catalog_, {.executor = executor_, .timer = timer_, .clock = clock_, .metrics = metrics_}, {}};
  std::shared_ptr<FirstByteTask> task_;
  // The answers of requests that come while the executor is held, in their order.
  std::vector<Result<content::InferResponse>> ask_all(std::vector<content::InferRequest> requests) {
    std::vector<std::optional<Result<content::InferResponse>>> answers(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      service_.infer(std::move(requests[i]), [&answers, i](Result<content::InferResponse> result, bool) {
        answers[i] = std::move(result);
      });
    }
    executor_.run_all();
    std::vector<Result<content::InferResponse>> out;
    for (auto& answer : answers)
      out.push_back(answer ? *std::move(answer) : internal_error("Never answered."));
    return out;
  }

  content::ModelSettings settings_;
  std::size_t fixed_batch_ = 0;
  std::vector<std::int64_t> runs_;  // the rows of each
  std::vector<float> last_;         // what the last run gave
  bool inline_ = false;
};

TEST_F(Serving, AShortRunStaysOnTheCallersThread) {
  serve(std::chrono::microseconds(5), false);
  const auto answer = ask(tensors(4));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(inline_);
  EXPECT_EQ(answer->outputs[0].tensor.elements<float>()[0], 8);
  EXPECT_EQ(answer->id, "id-1");
}

TEST_F(Serving, ASentenceStaysOnTheCallersThreadALongTextDoesNot) {
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kString, .shape = {-1, 1}}};
  fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kString, .shape = {-1, 1}}};
  fake.run = [](std::span<const tensor::NamedTensor> inputs) -> Result<std::vector<tensor::NamedTensor>> {
    return std::vector<tensor::NamedTensor>{{.name = "y", .tensor = inputs[0].tensor}};
  };
  backend_.add("m", fake);
  serve(std::chrono::microseconds(50), false);  // on an empty text
  const auto text = [](std::size_t length) {
    content::InferRequest request;
    request.model = "m";
    const std::string letters(length, 'a');
    request.inputs.push_back(
        {.name = "x", .tensor = *tensor::make_string_tensor({1, 1}, std::vector<std::string_view>{letters})});
    return request;
  };
  ASSERT_TRUE(ask(text(80)));
  EXPECT_TRUE(inline_);
  ASSERT_TRUE(ask(text(10'000)));
  EXPECT_FALSE(inline_);
}

TEST_F(Serving, ALongRunGoesToAWorker) {
  serve(std::chrono::milliseconds(5), false);
  ASSERT_TRUE(ask(tensors(4)));
  EXPECT_FALSE(inline_);
}

TEST_F(Serving, PicturesGoThroughTheTaskOnAWorker) {
  serve(std::chrono::microseconds(5), true);
  const std::byte bytes[] = {std::byte{21}};
  const auto answer = ask(picture(bytes));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_FALSE(inline_);
  EXPECT_EQ(std::get<content::Detections>(*answer->prediction).rows[0].class_id, 42);
}

TEST_F(Serving, TheMemoryOfAPictureIsKeptUnlessItIsLarge) {
  serve(std::chrono::microseconds(5), true);
  const std::byte bytes[] = {std::byte{21}};
  task_->decoded = std::size_t{1} << 20U;
  ASSERT_TRUE(ask(picture(bytes)));
  task_->decoded = std::size_t{40} << 20U;
  ASSERT_TRUE(ask(picture(bytes)));
  EXPECT_GE(task_->kept, std::size_t{1} << 20U);
  ASSERT_TRUE(ask(picture(bytes)));
  EXPECT_EQ(task_->kept, 0U);
}

TEST_F(Serving, ARefusedPictureCostsNoWork) {
  serve(std::chrono::microseconds(5), true);
  const auto answer = ask(picture({}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, Reason::kBadPicture);
  EXPECT_EQ(task_->prepared, 0);
}

TEST_F(Serving, AModelOfTensorsRefusesPictures) {
  serve(std::chrono::microseconds(5), false);
  const std::byte bytes[] = {std::byte{1}};
  const auto answer = ask(picture(bytes));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("takes tensors, not pictures"));
}

TEST_F(Serving, TensorsThatWaitTogetherShareARunWithoutACopyOfTheAnswer) {
  serve(std::chrono::milliseconds(5), false, 4);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 5; ++i) requests.push_back(tensors(static_cast<float>(i)));
  requests[1].id = "other";
  const auto answers = ask_all(std::move(requests));
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{4, 1}));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i]) << answers[i].error().message;
    const tensor::Tensor& tensor = answers[i]->outputs[0].tensor;
    EXPECT_EQ(tensor.shape, (tensor::Shape{1, 1}));
    EXPECT_EQ(tensor.elements<float>()[0], static_cast<float>(2 * i));
  }
  EXPECT_EQ(answers[1]->id, "other");
  EXPECT_EQ(answers[0]->outputs[0].tensor.owner, answers[1]->outputs[0].tensor.owner);
  EXPECT_THAT(metrics_.render({}), HasSubstr(R"(bascule_batch_size_sum{model="m",version="1"} 5)"));
}

TEST_F(Serving, WhatAsksToBeAloneSharesNoRun) {
  serve(std::chrono::milliseconds(5), false, 4);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 4; ++i) requests.push_back(tensors(static_cast<float>(i)));
  requests[1].alone = true;
  for (const auto& answer : ask_all(std::move(requests))) EXPECT_TRUE(answer);
  EXPECT_THAT(runs_, testing::UnorderedElementsAre(3, 1));

  runs_.clear();
  serve(std::chrono::milliseconds(5), true, 4);
  const std::byte bytes[] = {std::byte{1}, std::byte{2}, std::byte{3}};
  requests.clear();
  for (const std::byte& byte : bytes) {
    requests.push_back(picture({&byte, 1}));
    requests.back().alone = true;
  }
  for (const auto& answer : ask_all(std::move(requests))) EXPECT_TRUE(answer);
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{1, 1, 1}));
}

TEST_F(Serving, PicturesThatWaitTogetherShareARunAndABadOneHurtsNoOther) {
  serve(std::chrono::milliseconds(5), true, 8);
  const std::byte bytes[] = {std::byte{1}, std::byte{0xFF}, std::byte{3}};
  std::vector<content::InferRequest> requests;
  for (const std::byte& byte : bytes) requests.push_back(picture({&byte, 1}));
  const auto answers = ask_all(std::move(requests));
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{2}));
  ASSERT_TRUE(answers[0] && answers[2]);
  EXPECT_EQ(std::get<content::Detections>(*answers[0]->prediction).rows[0].class_id, 2);
  EXPECT_EQ(std::get<content::Detections>(*answers[2]->prediction).rows[0].class_id, 6);
  ASSERT_FALSE(answers[1]);
  EXPECT_EQ(answers[1].error().reason, Reason::kBadPicture);
}

TEST_F(Serving, AFixedBatchIsFilledUpWithZerosAndOnlyItsRowsAreAnswered) {
  fixed_batch_ = 4;
  script(4);
  serve(std::chrono::milliseconds(5), false, 4);
  ASSERT_TRUE(ask(tensors(9, 4)));
  EXPECT_EQ(last_, (std::vector<float>{18, 18, 18, 18}));
  const auto answer = ask(tensors(3, 2));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(last_, (std::vector<float>{6, 6, 0, 0}));
  EXPECT_EQ(answer->outputs[0].tensor.shape, (tensor::Shape{2, 1}));
  EXPECT_EQ(answer->outputs[0].tensor.elements<float>()[1], 6);
  EXPECT_EQ(answer->stages.shared_rows, 0U);
  const auto refused = ask(tensors(3, 5));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("has shape [5,1], but the model wants [4,1]"));
}

TEST_F(Serving, RequestsFillAFixedBatchTogether) {
  fixed_batch_ = 4;
  script(4);
  serve(std::chrono::milliseconds(5), false, 4);
  std::vector<content::InferRequest> requests;
  for (const float value : {1.0F, 2.0F, 3.0F}) requests.push_back(tensors(value));
  const auto answers = ask_all(std::move(requests));
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{4}));
  EXPECT_EQ(last_, (std::vector<float>{2, 4, 6, 0}));
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->outputs[0].tensor.shape, (tensor::Shape{1, 1}));
    EXPECT_EQ(answer->stages.shared_rows, 3U);
  }
}

TEST_F(Serving, PicturesFillAFixedBatchTogetherOrAlone) {
  fixed_batch_ = 4;
  script(4);
  serve(std::chrono::milliseconds(5), true, 4);
  const std::byte bytes[] = {std::byte{1}, std::byte{0xFF}, std::byte{3}, std::byte{5}};
  std::vector<content::InferRequest> requests;
  for (const std::byte& byte : bytes) requests.push_back(picture({&byte, 1}));
  const auto answers = ask_all(std::move(requests));
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{4}));
  EXPECT_EQ(last_, (std::vector<float>{2, 6, 10, 0}));
  ASSERT_TRUE(answers[0] && answers[2] && answers[3]);
  EXPECT_FALSE(answers[1]);
  EXPECT_EQ(std::get<content::Detections>(*answers[3]->prediction).rows[0].class_id, 10);
  // The slot is used again, without what was in it.
  const auto alone = ask(picture({bytes, 1}));
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_EQ(last_, (std::vector<float>{2, 0, 0, 0}));
  EXPECT_EQ(std::get<content::Detections>(*alone->prediction).rows[0].class_id, 2);
}

TEST_F(Serving, WhoAsksAloneRunsInlineWhereSharingWouldPay) {
  serve(std::chrono::microseconds(60), false, 8, std::chrono::microseconds(50));
  auto first = tensors(1);
  ASSERT_TRUE(ask(std::move(first)));
  EXPECT_TRUE(inline_);
  auto other = tensors(1);
  other.caller = 7;
  ASSERT_TRUE(ask(std::move(other)));
  EXPECT_FALSE(inline_);
}

TEST_F(Serving, WhatIsOverOrUnwantedIsNotRun) {
  serve(std::chrono::milliseconds(5), false);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 3; ++i) requests.push_back(tensors(1));
  requests[0].deadline = clock_.time;
  const auto gone = std::make_shared<std::atomic<bool>>(true);
  requests[1].cancelled = gone;
  const auto answers = ask_all(std::move(requests));
  EXPECT_EQ(answers[0].error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(answers[1].error().code, Code::kCancelled);
  EXPECT_TRUE(answers[2]);
  EXPECT_EQ(runs_.size(), 1U);
}

TEST_F(Serving, BeyondTheBudgetIsRefusedWithATimeToComeBack) {
  serve(std::chrono::milliseconds(200), false);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 6; ++i) requests.push_back(tensors(1));
  const auto answers = ask_all(std::move(requests));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(answers[static_cast<std::size_t>(i)]) << i;
  ASSERT_FALSE(answers[5]);
  EXPECT_EQ(answers[5].error().reason, Reason::kQueueFull);
  EXPECT_EQ(answers[5].error().fields.retry_after, std::chrono::milliseconds(1000));
  EXPECT_THAT(answers[5].error().message, HasSubstr("limit is 1000 ms of work"));
}

TEST_F(Serving, MoreRowsThanTheSettingsAllowAreRefusedWithBothNumbers) {
  settings_.max_batch_size = 4;
  serve(std::chrono::microseconds(5), false, 4);
  EXPECT_TRUE(ask(tensors(1, 4)));
  const auto answer = ask(tensors(1, 5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
  EXPECT_THAT(answer.error().message, HasSubstr("has 5 rows; max_batch_size of model 'm' is 4"));
  EXPECT_EQ(answer.error().fields.got, "5");
}

TEST_F(Serving, MoreRowsThanWeWouldShareRunAlone) {
  serve(std::chrono::microseconds(5), false, 4);
  const auto answer = ask(tensors(1, 5));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{5}));
}

TEST_F(Serving, HigherPrioritiesAreRunFirst) {
  settings_.priority_levels = 3;
  settings_.default_priority_level = 2;
  serve(std::chrono::milliseconds(5), false);
  std::vector<content::InferRequest> requests;
  for (const std::int64_t rows : {1, 2, 3, 4}) requests.push_back(tensors(1, rows));
  requests[0].priority = 3;
  requests[2].priority = 1;
  requests[3].priority = 7;  // above the levels: the default
  for (const auto& answer : ask_all(std::move(requests))) EXPECT_TRUE(answer);
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{3, 2, 4, 1}));
}

TEST_F(Serving, ARequestThatNamesNoTimeHasThatOfTheSettings) {
  settings_.default_timeout = std::chrono::milliseconds(3);
  serve(std::chrono::milliseconds(5), false);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 2; ++i) requests.push_back(tensors(1));
  requests[1].deadline = clock_.time + std::chrono::milliseconds(10);
  executor_.before = [this] { clock_.time += std::chrono::milliseconds(3); };
  const auto answers = ask_all(std::move(requests));
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(answers[1]);
}

TEST_F(Serving, ARunTakesATokenForEachOfItsThreads) {
  settings_.threads = 2;
  executor_.cores = 5;
  serve(std::chrono::milliseconds(5), false);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 4; ++i) requests.push_back(tensors(1));
  for (const auto& answer : ask_all(std::move(requests))) EXPECT_TRUE(answer);
  EXPECT_EQ(executor_.costs, (std::vector<std::size_t>{2, 2, 2, 2}));
  EXPECT_EQ(executor_.most_posted, 2U) << "instances for five cores";
}

TEST_F(Serving, InstancesAreAsManyAsAskedFor) {
  settings_.instances = 3;
  serve(std::chrono::milliseconds(5), false);
  std::vector<content::InferRequest> requests;
  for (int i = 0; i < 5; ++i) requests.push_back(tensors(1));
  for (const auto& answer : ask_all(std::move(requests))) EXPECT_TRUE(answer);
  EXPECT_EQ(executor_.most_posted, 3U);
}

TEST_F(Serving, WhatKeepsTheOrderWaitsInTheQueue) {
  settings_.preserve_ordering = true;
  serve(std::chrono::microseconds(5), false);
  EXPECT_TRUE(ask(tensors(1)));
  EXPECT_FALSE(inline_);
}

TEST_F(Serving, AFullQueueIsAnAnswer) {
  serve(std::chrono::milliseconds(5), false);
  executor_.full = true;
  const auto answer = ask(tensors(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, Reason::kQueueFull);
}

TEST_F(Serving, WrongInputsAndOutputsAreRefusedBeforeAnyRun) {
  serve(std::chrono::microseconds(5), false);
  auto missing = tensors(1);
  missing.inputs.clear();
  EXPECT_EQ(ask(std::move(missing)).error().reason, Reason::kMissingInput);
  auto unknown = tensors(1);
  unknown.outputs = {"z"};
  EXPECT_EQ(ask(std::move(unknown)).error().reason, Reason::kUnknownOutput);
}

TEST_F(Serving, UnknownModelIsAnAnswer) {
  auto request = tensors(1);
  request.model = "other";
  EXPECT_EQ(ask(std::move(request)).error().reason, Reason::kUnknownModel);
}

TEST_F(Serving, ReadyNeedsAModelThatServesAndNoneThatLoads) {
  const ControlService control(catalog_, clock_);
  EXPECT_FALSE(control.ready());
  catalog_.set_failed("bad", "1", "The file is empty.");
  EXPECT_THAT(control.ready().error().message, HasSubstr("The file is empty."));
  serve(std::chrono::microseconds(5), false);
  EXPECT_TRUE(control.ready());
  catalog_.set_loading("late", "1");
  EXPECT_THAT(control.ready().error().message, HasSubstr("'late' is still loading"));
}

TEST(InlinePolicy, ScalesTheMeasuredRunByTheSizeOfTheRequest) {
  using std::chrono::microseconds;
  const InlineSituation base{.measured_run = microseconds(20),
                             .measured_bytes = 64,
                             .request_bytes = 64,
                             .limit = microseconds(200)};
  EXPECT_TRUE(runs_inline(base));
  auto larger = base;
  larger.request_bytes = std::size_t{64} * 9;
  EXPECT_TRUE(runs_inline(larger));
  larger.request_bytes = std::size_t{64} * 10;
  EXPECT_FALSE(runs_inline(larger));
  auto never = base;
  never.limit = {};
  EXPECT_FALSE(runs_inline(never));
  auto empty = base;
  empty.request_bytes = 0;
  empty.measured_bytes = 0;
  EXPECT_TRUE(runs_inline(empty));
}

TEST(InlinePolicy, WhatPaysToShareIsNotRunAtOnceWhileOthersAsk) {
  using std::chrono::microseconds;
  InlineSituation situation{.measured_run = microseconds(60),
                            .measured_bytes = 64,
                            .request_bytes = 64,
                            .limit = microseconds(200),
                            .saved_by_sharing = microseconds(50),
                            .alone = false};
  EXPECT_FALSE(runs_inline(situation));
  situation.alone = true;
  EXPECT_TRUE(runs_inline(situation));
  situation.alone = false;
  situation.saved_by_sharing = microseconds(7);
  EXPECT_TRUE(runs_inline(situation)) << "a hand-over costs more than sharing saves";
}

TEST(Joining, KeysTellApartWhatDoesNotFit) {
  const auto make = [](std::string name, tensor::Shape shape) {
    auto slot = tensor::make_tensor(tensor::DataType::kFp32, std::move(shape)).value();
    return std::vector<tensor::NamedTensor>{{.name = std::move(name), .tensor = slot.tensor}};
  };
  const std::vector<std::string> y = {"y"};
  const std::string key = join_key(make("x", {1, 4}), {});
  EXPECT_NE(key, "");
  EXPECT_EQ(join_key(make("x", {3, 4}), {}), key);
  EXPECT_NE(join_key(make("x", {1, 5}), {}), key);
  EXPECT_NE(join_key(make("x", {1, 4, 1}), {}), key);
  EXPECT_NE(join_key(make("z", {1, 4}), {}), key);
  EXPECT_NE(join_key(make("x", {1, 4}), y), key);
  EXPECT_EQ(join_key(make("x", {0, 4}), {}), "");
  EXPECT_EQ(join_key(make("x", {}), {}), "");
}

TEST(Joining, OutputsOfOtherRowsAreNotCut) {
  auto slot = tensor::make_tensor(tensor::DataType::kFp32, {5, 2}).value();
  const std::vector<tensor::NamedTensor> outputs = {{.name = "y", .tensor = slot.tensor}};
  EXPECT_FALSE(rows_of(outputs, 0, 1, 4));
  const auto cut = rows_of(outputs, 3, 2, 5);
  ASSERT_TRUE(cut);
  EXPECT_EQ((*cut)[0].tensor.shape, (tensor::Shape{2, 2}));
  EXPECT_EQ((*cut)[0].tensor.bytes.data(), slot.bytes.data() + 24);
  EXPECT_EQ((*cut)[0].tensor.bytes.size(), 16U);
}

}  // namespace
}  // namespace bascule::serving
