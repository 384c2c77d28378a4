#include "image/row_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Only the functions marked so use AVX2: the file itself is compiled for every x86-64, and nothing that other
// files share is instantiated with wider instructions.
#define BASCULE_AVX2 __attribute__((target("avx2,fma")))

namespace bascule::image {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kHalf = 4;

struct Rgb {
  __m256i red, green, blue;  // 8 pixels, 32 bits each
};

// 8 bytes from `low` and 8 from `high`, one 128-bit half each.
BASCULE_AVX2 inline __m256i load_two(const std::uint8_t* low, const std::uint8_t* high) {
  return _mm256_inserti128_si256(
      _mm256_castsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(low))),
      _mm_loadl_epi64(reinterpret_cast<const __m128i*>(high)), 1);
}

// Bytes R G B r g b of two neighbouring pixels to 16-bit pairs Rr Gg Bb; and R G B of one to R0 G0 B0.
BASCULE_AVX2 inline __m256i pair_mask() {
  return _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
}
BASCULE_AVX2 inline __m256i single_mask() {
  return _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1, -1));
}

// v[k] holds pixel k in its low half and pixel k + 4 in its high one, as R G B x of 32 bits each.
BASCULE_AVX2 inline Rgb to_planes(const __m256i (&v)[4]) {
  const __m256i red_green_01 = _mm256_unpacklo_epi32(v[0], v[1]);
  const __m256i red_green_23 = _mm256_unpacklo_epi32(v[2], v[3]);
  const __m256i blue_01 = _mm256_unpackhi_epi32(v[0], v[1]);
  const __m256i blue_23 = _mm256_unpackhi_epi32(v[2], v[3]);
  return {_mm256_unpacklo_epi64(red_green_01, red_green_23),
          _mm256_unpackhi_epi64(red_green_01, red_green_23), _mm256_unpacklo_epi64(blue_01, blue_23)};
}

// value / 255: the reciprocal in two parts gives the correctly rounded quotient for every level 0 to 255.
BASCULE_AVX2 inline __m256 to_unit(__m256i levels) {
  constexpr float kHigh = 1.0F / 255.0F;
  constexpr auto kLow = static_cast<float>(1.0 / 255.0 - static_cast<double>(kHigh));
  const __m256 value = _mm256_cvtepi32_ps(levels);
  return _mm256_fmadd_ps(value, _mm256_set1_ps(kHigh), _mm256_mul_ps(value, _mm256_set1_ps(kLow)));
}

BASCULE_AVX2 inline void store_units(const Rgb& levels, std::size_t x, const PlaneRows& out) {
  _mm256_storeu_ps(out.plane[0] + x, to_unit(levels.red));
  _mm256_storeu_ps(out.plane[1] + x, to_unit(levels.green));
  _mm256_storeu_ps(out.plane[2] + x, to_unit(levels.blue));
}

BASCULE_AVX2 inline __m256i weigh(__m256i pairs, __m256i weights) {
  return _mm256_srai_epi32(_mm256_madd_epi16(pairs, weights), 4);
}

BASCULE_AVX2 inline Rgb scale_eight(const std::uint8_t* row, const std::int32_t* offsets,
                                    const std::int32_t* weights) {
  const __m256i mask = pair_mask();
  __m256i pixels[4];
  for (int k = 0; k < 4; ++k) {
    pixels[k] = _mm256_shuffle_epi8(load_two(row + offsets[k], row + offsets[k + 4]), mask);
  }
  const Rgb pairs = to_planes(pixels);
  const __m256i weight = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
  return {weigh(pairs.red, weight), weigh(pairs.green, weight), weigh(pairs.blue, weight)};
}

BASCULE_AVX2 inline void store_sixteen(__m256i first, __m256i second, std::int16_t* out) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0b11'01'10'00);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), packed);
}

BASCULE_AVX2 void scale(std::span<const std::uint8_t> row, const Columns& columns, std::int16_t* out) {
  const std::size_t width = columns.offsets.size();
  const std::int32_t* offsets = columns.offsets.data();
  const std::int32_t* weights = columns.weights.data();
  constexpr std::size_t kBlock = 2 * kLanes;
  std::size_t x = 0;
  // Loads take 8 bytes where 6 are needed; offsets never fall, so the last of a block tells for all of it.
  while (columns.step == 3 && x + kBlock <= width &&
         static_cast<std::size_t>(offsets[x + kBlock - 1]) + 8 <= row.size()) {
    const Rgb first = scale_eight(row.data(), offsets + x, weights + x);
    const Rgb second = scale_eight(row.data(), offsets + x + kLanes, weights + x + kLanes);
    store_sixteen(first.red, second.red, out + x);
    store_sixteen(first.green, second.green, out + width + x);
    store_sixteen(first.blue, second.blue, out + 2 * width + x);
    x += kBlock;
  }
  scale_from(x, row, columns, out);
}

BASCULE_AVX2 void blend(const std::int16_t* upper, const std::int16_t* lower, int weight_upper,
                        int weight_lower, std::span<float> out) {
  const __m256i above = _mm256_set1_epi16(static_cast<std::int16_t>(weight_upper));
  const __m256i below = _mm256_set1_epi16(static_cast<std::int16_t>(weight_lower));
  const __m256i two = _mm256_set1_epi16(2);
  std::size_t x = 0;
  for (; x + 2 * kLanes <= out.size(); x += 2 * kLanes) {
    const __m256i a =
        _mm256_mulhi_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper + x)), above);
    const __m256i b =
        _mm256_mulhi_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lower + x)), below);
    const __m256i level = _mm256_srai_epi16(_mm256_add_epi16(_mm256_add_epi16(a, b), two), 2);
    _mm256_storeu_ps(out.data() + x, to_unit(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(level))));
    _mm256_storeu_ps(out.data() + x + kLanes,
                     to_unit(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(level, 1))));
  }
  blend_from(x, upper, lower, weight_upper, weight_lower, out);
}

BASCULE_AVX2 void halve(std::span<const std::uint8_t> upper, std::span<const std::uint8_t> lower,
                        std::size_t width, const PlaneRows& out) {
  const __m256i mask = pair_mask();
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i two = _mm256_set1_epi32(2);
  std::size_t x = 0;
  for (; x + kLanes <= width && 6 * (x + kLanes - 1) + 8 <= upper.size(); x += kLanes) {
    __m256i sums[4];
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t low = 6 * (x + k);
      const std::size_t high = low + kHalf * 6;
      sums[k] =
          _mm256_add_epi16(_mm256_shuffle_epi8(load_two(upper.data() + low, upper.data() + high), mask),
                           _mm256_shuffle_epi8(load_two(lower.data() + low, lower.data() + high), mask));
    }
    const Rgb pairs = to_planes(sums);
    const Rgb levels{_mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs.red, ones), two), 2),
                     _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs.green, ones), two), 2),
                     _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs.blue, ones), two), 2)};
    store_units(levels, x, out);
  }
  halve_from(x, upper, lower, width, out);
}

BASCULE_AVX2 void copy(std::span<const std::uint8_t> row, std::size_t width, const PlaneRows& out) {
  const __m256i mask = single_mask();
  std::size_t x = 0;
  for (; x + kLanes <= width && 3 * (x + kLanes - 1) + 8 <= row.size(); x += kLanes) {
    __m256i pixels[4];
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint8_t* from = row.data() + 3 * (x + k);
      pixels[k] = _mm256_shuffle_epi8(load_two(from, from + kHalf * 3), mask);
    }
    store_units(to_planes(pixels), x, out);
  }
  copy_from(x, row, width, out);
}

}  // namespace

const RowKernels* avx2_row_kernels() {
  static constexpr RowKernels kKernels{scale, blend, halve, copy};
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kKernels : nullptr;
}

}  // namespace bascule::image

#else

namespace bascule::image {

const RowKernels* avx2_row_kernels() { return nullptr; }

}  // namespace bascule::image

#endif
