#include "runs/progress.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace bascule::runs {
namespace {

constexpr int kBar = 24;           // characters
constexpr double kTooEarly = 1.0;  // seconds before which nothing is foretold

}  // namespace

std::string with_commas(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string duration_text(double seconds) {
  const auto all = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (all < 60) return fmt::format("{} s", all);
  if (all < 3600) return fmt::format("{}:{:02} min", all / 60, all % 60);
  return fmt::format("{}:{:02}:{:02} h", all / 3600, all / 60 % 60, all % 60);
}

std::string line_text(const Standing& standing) {
  const double seconds = to_seconds(standing.took);
  std::string text;
  if (standing.share >= 0) text = fmt::format("{:3.0f} %  ", std::floor(100 * standing.share));
  text += with_commas(standing.good + standing.bad) + " done";
  if (standing.bad > 0) text += fmt::format(", {} bad", with_commas(standing.bad));
  if (seconds > 0) text += fmt::format("  {:.1f}/s", static_cast<double>(standing.since) / seconds);
  const double gained = standing.share - standing.first_share;
  if (standing.first_share >= 0 && gained > 0 && seconds >= kTooEarly && standing.share < 1) {
    text += fmt::format("  {} left", duration_text(seconds * (1 - standing.share) / gained));
  }
  return text;
}

std::string bar_text(const Standing& standing) {
  if (standing.share < 0) return line_text(standing);
  const int full = std::clamp(static_cast<int>(standing.share * kBar), 0, kBar);
  return fmt::format("[{}{}] {}", std::string(static_cast<std::size_t>(full), '#'),
                     std::string(static_cast<std::size_t>(kBar - full), ' '), line_text(standing));
}

}  // namespace bascule::runs
