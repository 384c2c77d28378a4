#include "serving/frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "catalog/catalog.h"
#include "metrics/metrics.h"
#include "tensor/tensor.h"

namespace bascule::serving {
namespace {

using testing::HasSubstr;

// A frame of one byte becomes one float, and comes back as a class; 0xFF is damaged.
class ByteTask final : public tasks::Task {
 public:
  [[nodiscard]] std::string_view name() const override { return "detect"; }
  Result<tasks::Plan> plan(const content::EncodedPicture&,
                           const content::PredictOptions& options) const override {
    return tasks::Plan{.input_shape = {1, 1}, .options = options};
  }
  Result<void> prepare(const content::EncodedPicture& picture, const tasks::Plan&, tasks::Scratch&,
                       std::span<std::byte> input) const override {
    if (picture.bytes[0] == std::byte{0xFF}) return invalid_argument("It is damaged.", Reason::kBadPicture);
    const auto value = static_cast<float>(picture.bytes[0]);
    std::memcpy(input.data(), &value, sizeof value);
    return {};
  }
  Result<content::Prediction> finish(const tasks::Plan&, tasks::Scratch&,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    content::Detections out;
    out.rows.push_back({.class_id = static_cast<int>(outputs[0].tensor.elements<float>()[0])});
    return out;
  }
};

// Takes no more work at these of its posts, counted from 1.
class FullNowAndThen final : public Executor {
 public:
  Result<void> post(Work work, std::size_t cost) override {
    if (full.contains(++posts)) {
      return Error{.code = Code::kResourceExhausted,
                   .message = "The work queue is full.",
                   .reason = Reason::kQueueFull};
    }
    return pool_.post(std::move(work), cost);
  }
  [[nodiscard]] std::size_t width() const override { return pool_.width(); }
  void drain() { pool_.drain(); }
  std::set<int> full;
  std::atomic<int> posts = 0;

 private:
  ThreadPool pool_{{.name = "cpu", .threads = 2}};
};

class FramesTest : public testing::Test {
 protected:
  FramesTest() {
    backend::FakeModel fake;
    fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, 1}}};
    fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {-1, 1}}};
    fake.run = [](std::span<const tensor::NamedTensor> inputs) -> Result<std::vector<tensor::NamedTensor>> {
      return std::vector<tensor::NamedTensor>{{.name = "y", .tensor = inputs[0].tensor}};
    };
    backend_.add("m", fake);
    auto info = std::make_shared<content::ModelInfo>();
    info->name = "m";
    info->version = "1";
    catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
        catalog::LoadedModel{.info = std::move(info),
                             .executable = *backend_.load("m.fake", {}),
                             .task = std::make_shared<ByteTask>(),
                             .measured_run = std::chrono::milliseconds(1),
                             .max_batch_size = 1,
                             .settings = {}}));
  }

  ~FramesTest() override { executor_.drain(); }  // before the service goes

  // The bytes as frames, then `error` where there is one.
  Result<std::size_t> run(std::vector<std::uint8_t> bytes, std::size_t ahead, std::optional<Error> error = {},
                          std::size_t takes = 1000) {
    auto owner = std::make_shared<std::vector<std::uint8_t>>(std::move(bytes));
    std::size_t at = 0;
    content::InferRequest like;
    like.model = "m";
    like.dialect = "test";
    return infer_frames(
        {.service = service_, .clock = clock_, .ahead = ahead}, like,
        [&, owner]() -> Result<std::optional<content::EncodedPicture>> {
          if (at == owner->size()) {
            if (error) return *error;
            return std::optional<content::EncodedPicture>();
          }
          most_ahead_ = std::max(most_ahead_, at - got_.size());
          return std::optional(content::EncodedPicture{
              .bytes = std::as_bytes(std::span(*owner).subspan(at++, 1)), .owner = owner});
        },
        [&](const AnsweredFrame& frame) {
          EXPECT_EQ(frame.answer.model->name, "m");
          got_.push_back(std::get<content::Detections>(*frame.answer.prediction).rows[0].class_id);
          EXPECT_EQ(static_cast<int>(frame.picture.bytes[0]), got_.back());
          return got_.size() < takes;
        });
  }

  backend::FakeBackend backend_;
  catalog::Catalog catalog_{""};
  FullNowAndThen executor_;
  SteadyClock clock_;
  TimerThread timer_{clock_};
  metrics::Metrics metrics_;
  InferenceService service_{
      catalog_, {.executor = executor_, .timer = timer_, .clock = clock_, .metrics = metrics_}, {}};
  std::vector<int> got_;
  std::size_t most_ahead_ = 0;
};

TEST_F(FramesTest, AreAnsweredInTheirOrder) {
  std::vector<std::uint8_t> bytes(200);
  std::iota(bytes.begin(), bytes.end(), 0);
  const auto frames = run(bytes, 5);
  ASSERT_TRUE(frames) << frames.error().message;
  EXPECT_EQ(*frames, 200U);
  EXPECT_EQ(got_, std::vector<int>(bytes.begin(), bytes.end()));
  EXPECT_EQ(most_ahead_, 4U);  // read while so many were under way
  EXPECT_EQ(run({}, 0).value_or(7), 0U);
}

TEST_F(FramesTest, AnErrorIsToldBehindTheAnswersBeforeIt) {
  const auto frames = run({1, 2, 3}, 8, invalid_argument("The video is damaged."));
  ASSERT_FALSE(frames);
  EXPECT_EQ(frames.error().message, "The video is damaged.");
  EXPECT_EQ(got_, (std::vector<int>{1, 2, 3}));
  got_.clear();
  const auto bad = run({1, 0xFF, 3}, 8);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "It is damaged.");
  EXPECT_EQ(got_, (std::vector<int>{1}));
}

TEST_F(FramesTest, EndWhereNobodyWantsMore) {
  const auto frames = run(std::vector<std::uint8_t>(100, 7), 2, {}, 3);
  ASSERT_FALSE(frames);
  EXPECT_EQ(frames.error().code, Code::kCancelled);
  EXPECT_EQ(got_.size(), 3U);
}

TEST_F(FramesTest, ComeAgainWhereTheQueueIsFull) {
  executor_.full = {3, 4, 5, 7};
  const auto frames = run({1, 2, 3, 4, 5}, 1);
  ASSERT_TRUE(frames) << frames.error().message;
  EXPECT_EQ(got_, (std::vector<int>{1, 2, 3, 4, 5}));
  EXPECT_GT(executor_.posts, 3) << "at least one was refused and came again";
}

// As any other request is.
TEST_F(FramesTest, TheFirstIsRefusedAtOnce) {
  executor_.full = {1};
  const auto refused = run({1, 2}, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kQueueFull);
}

}  // namespace
}  // namespace bascule::serving
