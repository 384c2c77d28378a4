#include "metrics/histogram.h"

#include <algorithm>
#include <chrono>

namespace bascule::metrics {
namespace {

using std::chrono::microseconds;

constexpr Duration kRequestBounds[] = {
    microseconds(20),         microseconds(50),         microseconds(100),       microseconds(150),
    microseconds(200),        microseconds(300),        microseconds(500),       microseconds(700),
    microseconds(1'000),      microseconds(1'500),      microseconds(2'000),     microseconds(3'000),
    microseconds(5'000),      microseconds(7'500),      microseconds(10'000),    microseconds(15'000),
    microseconds(20'000),     microseconds(30'000),     microseconds(50'000),    microseconds(75'000),
    microseconds(100'000),    microseconds(150'000),    microseconds(200'000),   microseconds(300'000),
    microseconds(500'000),    microseconds(750'000),    microseconds(1'000'000), microseconds(1'500'000),
    microseconds(2'000'000),  microseconds(3'000'000),  microseconds(5'000'000), microseconds(10'000'000),
    microseconds(20'000'000), microseconds(30'000'000), microseconds(60'000'000)};

constexpr Duration kStageBounds[] = {
    microseconds(10),        microseconds(20),        microseconds(50),        microseconds(100),
    microseconds(200),       microseconds(500),       microseconds(1'000),     microseconds(2'000),
    microseconds(5'000),     microseconds(10'000),    microseconds(20'000),    microseconds(50'000),
    microseconds(100'000),   microseconds(200'000),   microseconds(500'000),   microseconds(1'000'000),
    microseconds(2'000'000), microseconds(5'000'000), microseconds(10'000'000)};

}  // namespace

void Histogram::observe(Duration value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
}

std::span<const Duration> request_bounds() { return kRequestBounds; }
std::span<const Duration> stage_bounds() { return kStageBounds; }

}  // namespace bascule::metrics
