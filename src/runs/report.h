#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runs/report_state.h"

namespace bascule::runs {

// What a report says besides what was found.
// Thread-safety: a value.
struct ReportFacts {
  std::string model;
  std::string inputs;  // as they were given
  std::string result;
  std::string errors;
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  double seconds = 0;       // of this process
  std::uint64_t since = 0;  // inputs of this process
  bool complete = true;
};

// The picture of an input with what was found on it, as JPEG; empty where it cannot be shown.
using Thumbnail = std::function<std::vector<std::byte>(const Kept& kept)>;

// One page of HTML with everything in it: no script, no file beside it. What comes from inputs is escaped.
[[nodiscard]] std::string report_html(const ReportState& state, const ReportFacts& facts,
                                      const Thumbnail& thumbnail);

}  // namespace bascule::runs
