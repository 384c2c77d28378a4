#include "tuning/report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace bascule::tuning {
namespace {

std::string bar(double part, std::size_t cells) {
  static constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double filled = std::clamp(part, 0.0, 1.0) * static_cast<double>(cells);
  std::string out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(filled); ++i) out += "█";
  out += kEighths[static_cast<std::size_t>((filled - std::floor(filled)) * 8)];
  return out;
}

std::string figure(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value)
                      : (value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value));
}

double highest_rate(const Outcome& outcome) {
  double highest = 0;
  for (const Row& row : outcome.rows) highest = std::max(highest, row.speed ? row.speed->rate : 0);
  return highest;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view goal_text(Goal goal) {
  if (goal == Goal::kLatency) return "latency";
  return goal == Goal::kThroughput ? "requests a second" : "both (geometric mean)";
}

}  // namespace

std::string table(const Outcome& outcome, Goal goal, std::size_t width) {
  std::size_t names = 0;
  for (const Row& row : outcome.rows) names = std::max(names, describe(row.candidate).size());
  const std::size_t fixed = names + 2 + 11 + 11 + 9 + 9;
  const std::size_t cells = std::clamp<std::size_t>(width > fixed + 2 ? width - fixed - 2 : 0, 10, 24);
  const double highest = highest_rate(outcome);
  std::string out = fmt::format("  {:<{}} {:>10} {:>10} {:>8} {:>8}  {}\n", "served by", names, "latency ms",
                                "per second", "answers", "score", "requests a second");
  for (std::size_t i = 0; i < outcome.rows.size(); ++i) {
    const Row& row = outcome.rows[i];
    const char* mark = i == outcome.winner ? "*" : " ";
    const std::string drop = row.drop ? fmt::format("{:.4f}", *row.drop) : "";
    if (row.speed) {
      fmt::format_to(std::back_inserter(out), "{} {:<{}} {:>10} {:>10} {:>8} {:>8.2f}  {}\n", mark,
                     describe(row.candidate), names, figure(row.speed->latency_ms), figure(row.speed->rate),
                     drop, row.score, bar(highest > 0 ? row.speed->rate / highest : 0, cells));
    } else {
      fmt::format_to(std::back_inserter(out), "{} {:<{}} {:>10} {:>10} {:>8} {:>8}  {}\n", mark,
                     describe(row.candidate), names, "-", "-", drop, "-", row.verdict);
    }
  }
  fmt::format_to(
      std::back_inserter(out),
      "\nlatency: of a request that comes alone; answers: how far they are from the default's in f32; "
      "score: {} against the default.\n",
      goal_text(goal));
  return out;
}

std::string svg(const Outcome& outcome, const std::string& title) {
  constexpr double kWidth = 720;
  constexpr double kRow = 26;
  constexpr double kNames = 260;
  std::size_t measured = 0;
  for (const Row& row : outcome.rows) measured += row.speed ? 1 : 0;
  const double height = 70 + kRow * static_cast<double>(measured);
  const double highest = std::max(highest_rate(outcome), 1e-9);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"#ffffff\"/>\n"
      "<text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{2}</text>\n"
      "<text x=\"12\" y=\"44\" fill=\"#555\">requests a second (bars), latency of one alone</text>\n",
      kWidth, height, escaped(title));
  double y = 56;
  for (std::size_t i = 0; i < outcome.rows.size(); ++i) {
    const Row& row = outcome.rows[i];
    if (!row.speed) continue;
    const bool chosen = i == outcome.winner;
    const double length = (kWidth - kNames - 170) * row.speed->rate / highest;
    fmt::format_to(std::back_inserter(out),
                   "<text x=\"12\" y=\"{:.0f}\"{}>{}</text>\n"
                   "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"16\" fill=\"{}\"/>\n"
                   "<text x=\"{:.1f}\" y=\"{:.0f}\">{}/s, {} ms</text>\n",
                   y + 13, chosen ? " font-weight=\"bold\"" : "", escaped(describe(row.candidate)), kNames, y,
                   length, chosen ? "#0b7a5a" : (i == 0 ? "#9aa4ad" : "#c9d3da"), kNames + length + 8, y + 13,
                   figure(row.speed->rate), figure(row.speed->latency_ms));
    y += kRow;
  }
  return out + "</svg>\n";
}

std::string summary(const Outcome& outcome) {
  const Row& chosen = outcome.chosen();
  const Row& standard = outcome.standard();
  if (outcome.winner == 0) {
    return fmt::format("{}: the default; nothing that was tried is faster within the allowed difference.",
                       describe(chosen.candidate));
  }
  if (!chosen.speed || !standard.speed) return describe(chosen.candidate) + ".";
  return fmt::format(
      "{}: {:.2f} times the default's requests a second, {:.2f} of its latency; answers differ by {:.4f}.",
      describe(chosen.candidate), chosen.speed->rate / standard.speed->rate,
      chosen.speed->latency_ms / standard.speed->latency_ms, chosen.drop.value_or(0));
}

}  // namespace bascule::tuning
