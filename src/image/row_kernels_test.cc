#include "image/row_kernels.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "image/test_support.h"

namespace bascule::image {
namespace {

// Runs both sets on rows of every width up to a few vectors; rows end where their memory ends.
class RowKernelsPair : public testing::Test {
 protected:
  void SetUp() override {
    if (avx2_row_kernels() == nullptr) GTEST_SKIP() << "this processor has no AVX2";
  }
  static std::vector<std::uint8_t> row(std::uint64_t seed, int width) {
    return test::noise(seed, 1, width).pixels;
  }
  static void expect_same(const std::vector<float>& plain, const std::vector<float>& wide) {
    ASSERT_EQ(test::fnv1a(std::as_bytes(std::span(plain))), test::fnv1a(std::as_bytes(std::span(wide))));
  }
  static PlaneRows planes(std::vector<float>& values, std::size_t width) {
    return {{values.data(), values.data() + width, values.data() + 2 * width}};
  }
};

constexpr int kWidths = 70;

TEST_F(RowKernelsPair, ScalesAlike) {
  for (int width = 1; width <= kWidths; ++width) {
    for (const std::size_t columns : {1U, 7U, 16U, 40U, 65U}) {
      const auto source = row(static_cast<std::uint64_t>(width), width);
      std::vector<std::int32_t> offsets(columns);
      std::vector<std::int32_t> weights(columns);
      for (std::size_t x = 0; x < columns; ++x) {
        const auto place = static_cast<int>(x) * std::max(width - 1, 1) / static_cast<int>(columns);
        const auto right = static_cast<int>((x * 131) % 2049);
        offsets[x] = 3 * place;
        weights[x] = (2048 - right) | right << 16;
      }
      const Columns plan{offsets, weights, width > 1 ? std::size_t{3} : 0};
      std::vector<std::int16_t> plain(3 * columns, -1);
      std::vector<std::int16_t> wide(3 * columns, -2);
      plain_row_kernels().scale(source, plan, plain.data());
      avx2_row_kernels()->scale(source, plan, wide.data());
      ASSERT_EQ(plain, wide) << width << " to " << columns;
    }
  }
}

TEST_F(RowKernelsPair, BlendsAlikeForEveryWeight) {
  std::vector<std::int16_t> upper(61);
  std::vector<std::int16_t> lower(61);
  for (std::size_t i = 0; i < upper.size(); ++i) {
    upper[i] = static_cast<std::int16_t>(i * 32640 / 60);
    lower[i] = static_cast<std::int16_t>(32640 - i * i * 9);
  }
  std::vector<float> plain(upper.size());
  std::vector<float> wide(upper.size());
  for (int weight = 0; weight <= 2048; ++weight) {
    plain_row_kernels().blend(upper.data(), lower.data(), 2048 - weight, weight, plain);
    avx2_row_kernels()->blend(upper.data(), lower.data(), 2048 - weight, weight, wide);
    expect_same(plain, wide);
  }
}

TEST_F(RowKernelsPair, HalvesAlike) {
  for (int width = 1; width <= kWidths; ++width) {
    const auto size = static_cast<std::size_t>(width);
    const auto upper = row(3, 2 * width);
    const auto lower = row(4, 2 * width);
    std::vector<float> plain(3 * size, -1);
    std::vector<float> wide(3 * size, -2);
    plain_row_kernels().halve(upper, lower, size, planes(plain, size));
    avx2_row_kernels()->halve(upper, lower, size, planes(wide, size));
    expect_same(plain, wide);
  }
}

TEST_F(RowKernelsPair, CopiesAlikeForEveryLevel) {
  for (int width = 1; width <= 300; ++width) {
    const auto size = static_cast<std::size_t>(width);
    std::vector<std::uint8_t> source(3 * size);
    std::iota(source.begin(), source.end(), std::uint8_t{0});
    std::vector<float> plain(3 * size, -1);
    std::vector<float> wide(3 * size, -2);
    plain_row_kernels().copy(source, size, planes(plain, size));
    avx2_row_kernels()->copy(source, size, planes(wide, size));
    expect_same(plain, wide);
  }
}

TEST(RowKernels, DividesExactly) {
  std::vector<std::uint8_t> levels(std::size_t{3} * 256);
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<std::uint8_t>(i / 3);
  std::vector<float> out(levels.size());
  row_kernels().copy(levels, 256, {{out.data(), out.data() + 256, out.data() + 512}});
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], static_cast<float>(i % 256) / 255.0F);
}

}  // namespace
}  // namespace bascule::image
