#include "backend/onnxruntime/ort_value.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/onnxruntime/test_models.h"

namespace bascule::backend::ort {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using test::floats;
using test::strings_of;
using test::values_of;

const Ort::MemoryInfo& cpu() {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  return memory;
}

Ort::Value float_value(const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Value out = Ort::Value::CreateTensor<float>(allocator, shape.data(), shape.size());
  std::ranges::copy(values, out.GetTensorMutableData<float>());
  return out;
}

Ort::Value int64_value(const std::vector<std::int64_t>& values) {
  Ort::AllocatorWithDefaultOptions allocator;
  const std::array<std::int64_t, 1> shape{static_cast<std::int64_t>(values.size())};
  Ort::Value out = Ort::Value::CreateTensor<std::int64_t>(allocator, shape.data(), 1);
  std::ranges::copy(values, out.GetTensorMutableData<std::int64_t>());
  return out;
}

Ort::Value float_map(const std::vector<std::int64_t>& keys, const std::vector<float>& values) {
  const Ort::Value k = int64_value(keys);
  const Ort::Value v = float_value({static_cast<std::int64_t>(values.size())}, values);
  return Ort::Value::CreateMap(k, v);
}

TEST(OrtValue, FeedsNumbersFromTheCallersMemory) {
  const Tensor tensor = floats({2, 2}, {1, 2, 3, 4});
  const Ort::Value value = to_value(tensor, cpu()).value();
  EXPECT_EQ(value.GetTensorRawData(), tensor.bytes.data());
}

TEST(OrtValue, CopiesOnlyWhatIsNotAligned) {
  std::vector<std::byte> memory(17);
  const Tensor tensor{.type = DataType::kFp32, .shape = {4}, .bytes = std::span(memory).subspan(1)};
  const Ort::Value value = to_value(tensor, cpu()).value();
  EXPECT_NE(value.GetTensorRawData(), tensor.bytes.data());
  const Tensor bytes{.type = DataType::kUint8, .shape = {16}, .bytes = std::span(memory).subspan(1)};
  EXPECT_EQ(to_value(bytes, cpu()).value().GetTensorRawData(), bytes.bytes.data());
}

TEST(OrtValue, RefusesBytesThatAreNotAsManyAsTheShapeSays) {
  Tensor tensor = floats({2, 2}, {1, 2, 3, 4});
  tensor.shape = {2, 3};
  const auto value = to_value(tensor, cpu());
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message, "Shape [2,3] of FP32 needs 24 bytes, but 16 were given.");
}

TEST(OrtValue, GivesNumbersInTheEnginesMemoryAndKeepsItAlive) {
  Ort::Value value = float_value({3}, {1, 2, 3});
  const void* data = value.GetTensorRawData();
  auto keep = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = keep;
  Converted out =
      from_value(std::move(value), {.name = "y", .kind = OutputKind::kTensor}, {}, std::move(keep)).value();
  EXPECT_EQ(out.values.bytes.data(), data);
  EXPECT_EQ(values_of(out.values), (std::vector<float>{1, 2, 3}));
  EXPECT_FALSE(watch.expired());
  out = {};
  EXPECT_TRUE(watch.expired());
}

TEST(OrtValue, CopiesAnOutputThatIsAnInput) {
  const tensor::NamedTensor input{"x", floats({2}, {1, 2})};
  Ort::Value value = to_value(input.tensor, cpu()).value();
  const Converted out =
      from_value(std::move(value), {.name = "x", .kind = OutputKind::kTensor}, {&input, 1}, nullptr).value();
  EXPECT_NE(out.values.bytes.data(), input.tensor.bytes.data());
  EXPECT_EQ(values_of(out.values), (std::vector<float>{1, 2}));
}

TEST(OrtValue, GivesAMapAsTwoColumns) {
  const Converted out =
      from_value(float_map({7, 3}, {0.25F, 0.75F}),
                 {.name = "m", .kind = OutputKind::kMap, .label_type = DataType::kInt64}, {}, nullptr)
          .value();
  EXPECT_EQ(values_of<std::int64_t>(out.labels), (std::vector<std::int64_t>{3, 7}));
  EXPECT_EQ(values_of(out.values), (std::vector<float>{0.75F, 0.25F}));
  EXPECT_EQ(out.values.shape, Shape{2});
}

TEST(OrtValue, RefusesMapsOfUnequalSizes) {
  std::vector<Ort::Value> maps;
  maps.push_back(float_map({1, 2}, {1, 2}));
  maps.push_back(float_map({1}, {1}));
  const auto out = from_value(Ort::Value::CreateSequence(maps),
                              {.name = "m", .kind = OutputKind::kMapSequence, .label_type = DataType::kInt64},
                              {}, nullptr);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().message,
            "Output 'm' gives 2 labels for row 0, but 1 for row 1; only rows of equal size can be given as "
            "columns.");
}

}  // namespace
}  // namespace bascule::backend::ort
