#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "metrics/histogram.h"
#include "metrics/metrics.h"

namespace bascule::metrics {

inline constexpr std::size_t kCodes = static_cast<std::size_t>(Code::kInternal) + 1;
inline constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::kUnsupportedMedia) + 1;

// What was counted for one version of a model in one dialect.
// Thread-safety: a value.
struct Counts {
  Histogram request{request_bounds()};
  Histogram queue{stage_bounds()};
  Histogram prepare{stage_bounds()};
  Histogram run{stage_bounds()};
  Histogram finish{stage_bounds()};
  ModelTotals totals;
  std::array<std::array<std::uint64_t, kReasons>, kCodes> errors{};
};

struct SeriesCounts {
  std::string model;
  std::string version;
  std::string dialect;
  Counts counts;
};

// Requests by model, version and dialect: one short lock of the series' own per request.
// Thread-safety: thread-safe.
class RequestStats {
 public:
  void done(const Asked& asked, const Answered& answered);
  void refused(const Asked& asked, const Error& error);
  void failed(const Asked& asked, const Error& error, Duration took, TimePoint at);

  // In the order of their labels.
  [[nodiscard]] std::vector<SeriesCounts> snapshot() const;
  // Over all dialects.
  [[nodiscard]] ModelTotals totals(std::string_view model, std::string_view version) const;

 private:
  static constexpr std::size_t kChains =
      64;  // of the lookup table; versions times dialects, most often a few
  struct Series {
    std::string model;
    std::string version;
    std::string dialect;
    Guarded<Counts> counts;
    Series* next = nullptr;  // in its chain
  };

  Series& series(const Asked& asked);
  static Series* find(Series* chain, const Asked& asked);

  // Readers walk the chains without a lock: entries are only ever added, in front, and never change their
  // keys.
  std::array<std::atomic<Series*>, kChains> chains_{};
  mutable Mutex mutex_;
  std::deque<Series> all_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule::metrics
