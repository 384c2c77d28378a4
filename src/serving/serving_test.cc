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

namespace bascule::serving {
namespace {

using testing::HasSubstr;

// An executor whose hand the test holds.
class HeldExecutor final : public Executor {
 public:
  Result<void> post(Work work) override {
    if (full)
      return Error{.code = Code::kResourceExhausted, .message = "Full.", .reason = Reason::kQueueFull};
    queue.push_back(std::move(work));
    return {};
  }
  [[nodiscard]] std::size_t width() const override { return 1; }
  void run_all() {
    while (!queue.empty()) {
      Work work = std::move(queue.front());
      queue.pop_front();
      work();
    }
  }
  bool full = false;
  std::deque<Work> queue;
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
                       std::span<float> input) const override {
    ++prepared;
    kept = scratch.bitmap.pixels.capacity();
    scratch.bitmap.pixels.resize(decoded);
    input[0] = static_cast<float>(picture.bytes[0]);
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
  void SetUp() override {
    backend::FakeModel fake;
    fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, 1}}};
    fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {-1, 1}}};
    fake.run = [](std::span<const tensor::NamedTensor> inputs) -> Result<std::vector<tensor::NamedTensor>> {
      std::vector<float> values;
      for (const float v : inputs[0].tensor.elements<float>()) values.push_back(v * 2);
      auto out = tensor::copy_tensor<float>(tensor::DataType::kFp32, inputs[0].tensor.shape, values);
      if (!out) return std::move(out).error();
      return std::vector<tensor::NamedTensor>{{.name = "y", .tensor = *std::move(out)}};
    };
    backend_.add("m", fake);
  }

  void serve(Duration measured, bool pictures) {
    auto info = std::make_shared<content::ModelInfo>();
    info->name = "m";
    info->version = "1";
    task_ = pictures ? std::make_shared<FirstByteTask>() : nullptr;
    catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
        catalog::LoadedModel{.info = std::move(info),
                             .executable = *backend_.load("m.fake", {}),
                             .task = task_,
                             .measured_run = measured,
                             .measured_bytes = 4}));
  }

  static content::InferRequest tensors(float value) {
    content::InferRequest request;
    request.model = "m";
    request.id = "id-1";
    const float values[] = {value};
    request.inputs.push_back({.name = "x",
                              .tensor = *tensor::copy_tensor<float>(tensor::DataType::kFp32, {1, 1},
                                                                    std::span<const float>(values))});
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
  InferenceService service_{catalog_, executor_, clock_, {}};
  std::shared_ptr<FirstByteTask> task_;
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
  EXPECT_THAT(answer.error().message, HasSubstr("/v2/models/m/infer"));
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
  larger.request_bytes = 64 * 9;
  EXPECT_TRUE(runs_inline(larger));
  larger.request_bytes = 64 * 10;
  EXPECT_FALSE(runs_inline(larger));
  auto never = base;
  never.limit = {};
  EXPECT_FALSE(runs_inline(never));
  auto empty = base;
  empty.request_bytes = 0;
  empty.measured_bytes = 0;
  EXPECT_TRUE(runs_inline(empty));
}

}  // namespace
}  // namespace bascule::serving
