#pragma once

#include <cstdint>

namespace bascule::tracing {

// The `number`th value of the sequence that `seed` begins (SplitMix64, Steele, Lea and Flood 2014): no two of
// a sequence are the same, and any can be had without those before it.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t seed, std::uint64_t number) {
  std::uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

}  // namespace bascule::tracing
