#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runs/report_state.h"

namespace bascule::runs {

// `text` as it stands between or within the tags of HTML.
[[nodiscard]] std::string escaped(std::string_view text);
// The colour of the n-th name of a chart; the last one is for all others.
inline constexpr std::size_t kColors = 8;
[[nodiscard]] std::string_view color_of(std::size_t place);
// "2026-11-27 03:15" of seconds since 1970, UTC.
[[nodiscard]] std::string time_text(std::int64_t seconds);

// Bars, one over the other by name, along the steps of a timeline. `names`: those with a colour of their own,
// in that order; all others share the last one.
[[nodiscard]] std::string stacked_bars(const Timeline& line, const std::vector<std::string>& names,
                                       bool times);
// How many confidences lie between 0 and 1.
[[nodiscard]] std::string histogram(const std::array<std::uint64_t, ReportState::kBins>& bins);

}  // namespace bascule::runs
