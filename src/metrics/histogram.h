#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"

namespace bascule::metrics {

// Durations counted into buckets. Thread-safety: external (its owner's lock).
class Histogram {
 public:
  // `bounds`: upper ends of the buckets, ascending; they outlive the histogram.
  explicit Histogram(std::span<const Duration> bounds) : bounds_(bounds), counts_(bounds.size() + 1) {}

  void observe(Duration value);

  [[nodiscard]] std::span<const Duration> bounds() const { return bounds_; }
  // One more than there are bounds: the last holds what is beyond them all.
  [[nodiscard]] std::span<const std::uint64_t> counts() const { return counts_; }
  [[nodiscard]] Duration sum() const { return sum_; }

 private:
  std::span<const Duration> bounds_;
  std::vector<std::uint64_t> counts_;
  Duration sum_{};
};

// Of whole requests: from 20 us, where tiny models answer, to 60 s; three or more in a factor of ten where
// most answers fall, so that a quantile read from them is off by less than half.
[[nodiscard]] std::span<const Duration> request_bounds();
// Of the stages of a request: from 10 us to 10 s, three in a factor of ten.
[[nodiscard]] std::span<const Duration> stage_bounds();

}  // namespace bascule::metrics
