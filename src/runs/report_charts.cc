#include "runs/report_charts.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "runs/progress.h"

namespace bascule::runs {
namespace {

constexpr std::array<std::string_view, kColors + 1> kPalette = {
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9498a0"};
constexpr double kWidth = 720;
constexpr double kHeight = 180;
constexpr double kLeft = 56;
constexpr double kBelow = 22;

std::string begin_chart() {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">", kLeft + kWidth + 8, kHeight + kBelow + 8);
}

std::string bar(double x, double y, double width, double height, std::string_view color,
                const std::string& title) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
      "fill=\"{}\"><title>{}</title></rect>",
      x, y, width, height, color, escaped(title));
}

std::string label(double x, double y, std::string_view anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x, y, anchor,
                     escaped(text));
}

// The two lines of the axes, and the largest value.
std::string axes(std::uint64_t most) {
  return fmt::format("<path d=\"M{0} 4V{1}H{2}\" fill=\"none\" stroke=\"#888\"/>", kLeft, kHeight,
                     kLeft + kWidth) +
         label(kLeft - 6, 14, "end", with_commas(most)) + label(kLeft - 6, kHeight, "end", "0");
}

double height_of(std::uint64_t count, std::uint64_t most) {
  return most == 0 ? 0 : static_cast<double>(count) / static_cast<double>(most) * (kHeight - 8);
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string_view color_of(std::size_t place) { return kPalette[std::min(place, kColors)]; }

std::string time_text(std::int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds when{std::chrono::seconds(seconds)};
  const auto day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(when - day);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count());
}

std::string stacked_bars(const Timeline& line, const std::vector<std::string>& names, bool times) {
  if (line.empty()) return {};
  const std::int64_t first = line.steps.begin()->first;
  const std::int64_t steps = line.steps.rbegin()->first - first + 1;
  std::uint64_t most = 0;
  for (const auto& [step, counts] : line.steps) {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : counts) sum += count;
    most = std::max(most, sum);
  }
  const double width = kWidth / static_cast<double>(steps);
  const auto text_of = [&](std::int64_t step) {
    return times ? time_text(step * line.width)
                 : with_commas(static_cast<std::uint64_t>(std::max<std::int64_t>(step * line.width, 1)));
  };
  std::string out = begin_chart() + axes(most);
  for (const auto& [step, counts] : line.steps) {
    double y = kHeight;
    std::uint64_t others = 0;
    const double x = kLeft + width * static_cast<double>(step - first);
    const auto add = [&](std::size_t place, const std::string& name, std::uint64_t count) {
      const double height = height_of(count, most);
      y -= height;
      out += bar(x, y, std::max(width - 1, 0.5), height, color_of(place),
                 fmt::format("{}: {} ({})", name, with_commas(count), text_of(step)));
    };
    for (const auto& [name, count] : counts) {
      if (std::ranges::find(names, name) == names.end()) others += count;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (const auto found = counts.find(names[i]); found != counts.end()) add(i, names[i], found->second);
    }
    if (others > 0) add(kColors, "others", others);
  }
  out += label(kLeft, kHeight + 16, "start", text_of(first)) +
         label(kLeft + kWidth, kHeight + 16, "end", text_of(first + steps));
  return out + "</svg>";
}

std::string histogram(const std::array<std::uint64_t, ReportState::kBins>& bins) {
  const std::uint64_t most = *std::ranges::max_element(bins);
  if (most == 0) return {};
  const double width = kWidth / static_cast<double>(bins.size());
  std::string out = begin_chart() + axes(most);
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const double height = height_of(bins[i], most);
    const double from = static_cast<double>(i) / static_cast<double>(bins.size());
    out += bar(kLeft + width * static_cast<double>(i), kHeight - height, width - 1, height, color_of(0),
               fmt::format("{:.2f} to {:.2f}: {}", from, from + 1.0 / static_cast<double>(bins.size()),
                           with_commas(bins[i])));
  }
  for (int i = 0; i <= 4; ++i)
    out += label(kLeft + kWidth * i / 4, kHeight + 16, "middle", fmt::format("{}", i / 4.0));
  return out + "</svg>";
}

}  // namespace bascule::runs
