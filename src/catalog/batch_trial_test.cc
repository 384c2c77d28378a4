#include "catalog/batch_trial.h"

#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"

namespace bascule::catalog {
namespace {

using tensor::DataType;
using tensor::NamedTensor;
using testing::HasSubstr;

using Script = std::function<std::vector<float>(std::span<const float> values, std::int64_t rows)>;

// A model of rows of two floats whose answers the script makes; `width` floats a row, or as many rows as come
// out.
Result<BatchTrial> tried(Script script, std::int64_t width, DataType type = DataType::kFp32,
                         std::int64_t rows = tensor::kDynamic) {
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = type, .shape = {rows, 2}}};
  fake.spec.outputs = {{.name = "y", .type = DataType::kFp32, .shape = {rows, width}}};
  fake.run = [script = std::move(script),
              width](std::span<const NamedTensor> inputs) -> Result<std::vector<NamedTensor>> {
    const auto values = script(inputs[0].tensor.elements<float>(), inputs[0].tensor.shape[0]);
    tensor::Shape shape = {static_cast<std::int64_t>(values.size()) / width, width};
    BASCULE_ASSIGN(auto tensor, tensor::copy_tensor<float>(DataType::kFp32, std::move(shape), values));
    return std::vector<NamedTensor>{{.name = "y", .tensor = std::move(tensor)}};
  };
  backend::FakeBackend backend;
  backend.add("m", std::move(fake));
  const auto model = backend.load("m.fake", {}).value();
  const SteadyClock clock;
  if (rows > 0) {
    return try_static_batch(*model, [](const tensor::TensorSpec& spec) { return spec.shape; }, clock);
  }
  return try_batch(*model, [](const tensor::TensorSpec&) { return tensor::Shape{1, 2}; }, 4, clock);
}

TEST(BatchTrial, RowsThatDoNotSeeEachOtherMayShareARun) {
  const auto trial = tried(
      [](auto values, auto) {
        std::vector<float> out(values.begin(), values.end());
        for (float& v : out) v *= 3;
        return out;
      },
      2);
  ASSERT_TRUE(trial) << trial.error().message;
  EXPECT_TRUE(trial->independent) << trial->why_not;
  EXPECT_EQ(trial->rows, 4U);
  EXPECT_GT(trial->alone, Duration{});
}

TEST(BatchTrial, ASumOverTheRowsIsFound) {
  const auto trial = tried(
      [](auto values, auto) {
        std::vector<float> out;
        float sum = 0;
        for (const float v : values) out.push_back(sum += v);
        return out;
      },
      2);
  ASSERT_TRUE(trial) << trial.error().message;
  EXPECT_FALSE(trial->independent);
  EXPECT_THAT(trial->why_not, HasSubstr("row 3 of output 'y' changes"));
}

TEST(BatchTrial, AnAnswerOfOtherRowsIsFound) {
  const auto trial = tried([](auto, auto) { return std::vector<float>(7, 1.0F); }, 1);
  ASSERT_TRUE(trial) << trial.error().message;
  EXPECT_FALSE(trial->independent);
  EXPECT_THAT(trial->why_not, HasSubstr("is [7,1] for 4 rows and [7,1] for one"));
}

TEST(BatchTrial, AFixedBatchOfStrangersMayBePadded) {
  const auto trial = tried(
      [](auto values, auto rows) {
        EXPECT_EQ(rows, 3);
        std::vector<float> out(values.begin(), values.end());
        for (float& v : out) v = 1 - v;
        return out;
      },
      2, DataType::kFp32, 3);
  ASSERT_TRUE(trial) << trial.error().message;
  EXPECT_TRUE(trial->independent) << trial->why_not;
  EXPECT_EQ(trial->rows, 3U);
}

TEST(BatchTrial, AFixedFirstDimensionMayBeNoBatch) {
  const auto place_matters = tried(
      [](auto values, auto) {
        std::vector<float> out(values.begin(), values.end());
        for (std::size_t i = 0; i < out.size(); ++i) out[i] *= static_cast<float>(i);
        return out;
      },
      2, DataType::kFp32, 3);
  ASSERT_TRUE(place_matters);
  EXPECT_THAT(place_matters->why_not, HasSubstr("row 2 of output 'y' changes"));
  const auto sum = tried(
      [](auto values, auto) {
        float total = 0;
        for (const float v : values) total += v;
        return std::vector<float>(values.size(), total);
      },
      2, DataType::kFp32, 3);
  ASSERT_TRUE(sum);
  EXPECT_FALSE(sum->independent);
  const auto other_rows =
      tried([](auto, auto) { return std::vector<float>(8, 1.0F); }, 2, DataType::kFp32, 3);
  ASSERT_TRUE(other_rows);
  EXPECT_THAT(other_rows->why_not, HasSubstr("is [4,2] for 3 rows"));
}

TEST(BatchTrial, TextsCannotBeMadeUp) {
  EXPECT_FALSE(tried([](auto, auto) { return std::vector<float>{}; }, 1, DataType::kString));
}

}  // namespace
}  // namespace bascule::catalog
