#include "tensor/tensor.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace bascule::tensor {
namespace {

using Limits = std::numeric_limits<float>;

Tensor bytes_tensor(Shape shape, const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return {.type = DataType::kString,
          .shape = std::move(shape),
          .bytes = std::as_bytes(std::span(*owner)),
          .owner = owner};
}

std::string length_prefix(std::uint32_t length) {
  std::string out(4, '\0');
  std::memcpy(out.data(), &length, 4);
  return out;
}

TEST(DataType, NamesAreReadBack) {
  for (int i = 0; i <= static_cast<int>(DataType::kString); ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(parse_data_type(to_string(type)), type);
  }
  EXPECT_EQ(to_string(DataType::kFp32), "FP32");
  EXPECT_EQ(to_string(DataType::kString), "BYTES");
  for (const char* name : {"", "fp32", "FLOAT", "FP32 ", "INT128"}) {
    EXPECT_EQ(parse_data_type(name), std::nullopt) << name;
  }
}

TEST(DataType, SizesAreThoseOfTheElements) {
  EXPECT_EQ(element_size(DataType::kBool), 1U);
  EXPECT_EQ(element_size(DataType::kBf16), 2U);
  EXPECT_EQ(element_size(DataType::kInt64), 8U);
  EXPECT_EQ(element_size(DataType::kString), 0U);
}

TEST(ElementCount, MultipliesAndKnowsScalarsAndEmptyTensors) {
  EXPECT_EQ(element_count(Shape{}).value(), 1U);
  EXPECT_EQ(element_count(Shape{2, 3, 4}).value(), 24U);
  EXPECT_EQ(element_count(Shape{0, 5}).value(), 0U);
  EXPECT_EQ(element_count(Shape{5, 0}).value(), 0U);
  EXPECT_EQ(element_count(Shape{std::int64_t{1} << 48U}).value(), std::size_t{1} << 48U);
}

TEST(ElementCount, RefusesWhatNoMachineHolds) {
  const std::int64_t big = std::int64_t{1} << 32U;
  const Shape shapes[] = {{(std::int64_t{1} << 48U) + 1},
                          {big, big},
                          {INT64_MAX, 2},
                          {INT64_MAX, INT64_MAX, INT64_MAX},
                          {big, big, 0},  // empty, but no shape that anyone means
                          {0, big, big}};
  for (const Shape& shape : shapes) {
    const auto count = element_count(shape);
    ASSERT_FALSE(count) << to_string(shape);
    EXPECT_EQ(count.error().reason, Reason::kShapeMismatch);
    EXPECT_NE(count.error().message.find(to_string(shape)), std::string::npos);
  }
}

TEST(ElementCount, RefusesNegativeDimensionsAndTooManyOfThem) {
  EXPECT_EQ(element_count(Shape{2, -1}).error().message, "Shape [2,-1] has the negative dimension -1.");
  EXPECT_FALSE(element_count(Shape{INT64_MIN}));
  EXPECT_FALSE(element_count(Shape{0, -3}));
  EXPECT_EQ(element_count(Shape(kMaxRank, 1)).value(), 1U);
  EXPECT_NE(element_count(Shape(kMaxRank + 1, 1)).error().message.find("17 dimensions"), std::string::npos);
}

TEST(ByteCount, IsCheckedAlike) {
  EXPECT_EQ(byte_count(Shape{3, 2}, 8).value(), 48U);
  EXPECT_EQ(byte_count(Shape{std::int64_t{1} << 48U}, 8).value(), std::size_t{1} << 51U);
  EXPECT_FALSE(byte_count(Shape{std::int64_t{1} << 49U}, 1));
}

TEST(Matches, LetsDynamicDimensionsBeAnything) {
  EXPECT_TRUE(matches(Shape{kDynamic, 3}, Shape{7, 3}));
  EXPECT_TRUE(matches(Shape{kDynamic}, Shape{0}));
  EXPECT_TRUE(matches(Shape{}, Shape{}));
  EXPECT_FALSE(matches(Shape{kDynamic, 3}, Shape{7, 4}));
  EXPECT_FALSE(matches(Shape{kDynamic}, Shape{}));
  EXPECT_FALSE(matches(Shape{3}, Shape{3, 1}));
}

TEST(MakeTensor, GivesAlignedMemoryOfTheRightSize) {
  auto made = make_tensor(DataType::kInt16, {3, 5});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->bytes.size(), 30U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(made->bytes.data()) % kAlignment, 0U);
  EXPECT_EQ(made->elements<std::int16_t>().size(), 15U);
  EXPECT_EQ(made->tensor.bytes.data(), made->bytes.data());
}

TEST(MakeTensor, GivesMemoryForNoElementsToo) {
  auto made = make_tensor(DataType::kFp32, {0, 4});
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->bytes.empty());
}

TEST(MakeTensor, RefusesStringsAndImpossibleShapes) {
  EXPECT_FALSE(make_tensor(DataType::kString, {1}));
  EXPECT_FALSE(make_tensor(DataType::kFp32, {-1}));
  EXPECT_FALSE(make_tensor(DataType::kFp32, {INT64_MAX}));
}

TEST(CopyTensor, OwnsItsValues) {
  Tensor copy;
  {
    const std::array<float, 4> values = {1, 2, 3, 4};
    copy = copy_tensor<float>(DataType::kFp32, {2, 2}, values).value();
  }
  EXPECT_EQ(copy.elements<float>()[3], 4.0F);
  const Tensor second = copy;  // shares the bytes
  EXPECT_EQ(second.bytes.data(), copy.bytes.data());
}

TEST(CopyTensor, RefusesANumberOfValuesThatIsNotTheShapes) {
  const std::array<float, 3> values = {1, 2, 3};
  EXPECT_EQ(copy_tensor<float>(DataType::kFp32, {2, 2}, values).error().reason, Reason::kDataSizeMismatch);
  EXPECT_FALSE(copy_tensor<float>(DataType::kFp32, {2}, values));
}

TEST(StringTensor, IsReadBackWithEmptyAndBinaryElements) {
  const std::array<std::string_view, 3> values = {"", std::string_view("a\0b", 3), "Ära"};
  const auto tensor = make_string_tensor({3, 1}, values);
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->bytes.size(), 12U + 3U + 4U);
  const auto read = string_elements(*tensor);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, std::vector<std::string_view>(values.begin(), values.end()));
}

TEST(StringTensor, MayBeEmpty) {
  const auto tensor = make_string_tensor({0}, {});
  ASSERT_TRUE(tensor);
  EXPECT_TRUE(string_elements(*tensor)->empty());
}

TEST(StringTensor, RefusesANumberOfElementsThatIsNotTheShapes) {
  const std::array<std::string_view, 2> values = {"a", "b"};
  EXPECT_FALSE(make_string_tensor({3}, values));
  EXPECT_FALSE(make_string_tensor({-2}, values));
}

TEST(StringElements, RefuseLengthsThatDoNotAddUp) {
  const std::string one = length_prefix(1) + "a";
  EXPECT_TRUE(string_elements(bytes_tensor({1}, one)));
  const std::pair<Shape, std::string> hostile[] = {
      {{1}, ""},                               // nothing
      {{1}, std::string(3, '\1')},             // within a length
      {{1}, length_prefix(2) + "a"},           // one byte too few
      {{1}, length_prefix(UINT32_MAX) + "a"},  // far beyond the end
      {{1}, one + "x"},                        // bytes left over
      {{1}, one + one},                        // an element left over
      {{3}, one + one},                        // an element too few
      {{2}, one + length_prefix(UINT32_MAX)},  // the second one lies
      {{0}, one},                              // an element where none should be
      {{std::int64_t{1} << 40U}, one},         // a shape that must not be allocated for
      {{std::int64_t{1} << 60U}, one},         // nor multiplied
      {{-1}, one},
  };
  for (const auto& [shape, bytes] : hostile) {
    EXPECT_FALSE(string_elements(bytes_tensor(shape, bytes))) << to_string(shape) << ", " << bytes.size();
  }
}

TEST(Fp16, KnowsItsLandmarks) {
  EXPECT_EQ(fp16_to_float(0x3C00), 1.0F);
  EXPECT_EQ(fp16_to_float(0xC000), -2.0F);
  EXPECT_EQ(fp16_to_float(0x7BFF), 65504.0F);
  EXPECT_EQ(fp16_to_float(0x0001), std::ldexp(1.0F, -24));  // the smallest subnormal
  EXPECT_EQ(fp16_to_float(0x7C00), Limits::infinity());
  EXPECT_TRUE(std::isnan(fp16_to_float(0x7E00)));
  EXPECT_TRUE(std::signbit(fp16_to_float(0x8000)));
}

TEST(Fp16, RoundsToNearestEven) {
  EXPECT_EQ(float_to_fp16(1.0F), 0x3C00);
  EXPECT_EQ(float_to_fp16(1.0F + std::ldexp(1.0F, -11)), 0x3C00);      // halfway, to even
  EXPECT_EQ(float_to_fp16(1.0F + 3 * std::ldexp(1.0F, -11)), 0x3C02);  // halfway, to even
  EXPECT_EQ(float_to_fp16(1.0F + 1.01F * std::ldexp(1.0F, -11)), 0x3C01);
  EXPECT_EQ(float_to_fp16(65519.0F), 0x7BFF);
  EXPECT_EQ(float_to_fp16(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_fp16(-Limits::infinity()), 0xFC00);
  EXPECT_EQ(float_to_fp16(std::ldexp(1.0F, -26)), 0x0000);
}

TEST(Fp16, EveryBitPatternIsReadBack) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = fp16_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_fp16(value), bits);
  }
}

TEST(Bf16, RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(bf16_to_float(0x3F80), 1.0F);
  EXPECT_EQ(float_to_bf16(1.0F), 0x3F80);
  EXPECT_EQ(float_to_bf16(1.0F + std::ldexp(1.0F, -8)), 0x3F80);      // halfway, to even
  EXPECT_EQ(float_to_bf16(1.0F + 3 * std::ldexp(1.0F, -8)), 0x3F82);  // halfway, to even
  EXPECT_EQ(float_to_bf16(Limits::max()), 0x7F80);                    // rounds up to infinity
  EXPECT_EQ(float_to_bf16(-Limits::infinity()), 0xFF80);
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(Limits::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7F800001U)))));
}

TEST(Bf16, EveryBitPatternIsReadBack) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = bf16_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_bf16(value), bits);
  }
}

}  // namespace
}  // namespace bascule::tensor
