#include "runs/report.h"

#include <algorithm>

#include <fmt/format.h>

#include "protocol/base64.h"
#include "runs/progress.h"
#include "runs/report_charts.h"

namespace bascule::runs {
namespace {

constexpr std::size_t kShownNames = 40;  // of the table of classes
constexpr std::size_t kWorstPictures = 12;
constexpr std::int64_t kTimesApart = 60;  // seconds between pictures from which their times tell something

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.6rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}table{border-collapse:collapse}"
    "td,th{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top}td.n,th.n{text-align:right}"
    "svg{width:100%;height:auto}svg "
    "text{font-size:11px;fill:#555}.key{display:inline-block;margin-right:1rem}"
    ".key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em;border-radius:2px}"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:.8rem}"
    "figure{margin:0}figure "
    "img{width:100%;border-radius:4px}figcaption{font-size:12px;color:#555;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}figcaption,svg "
    "text{color:#aaa;fill:#aaa}}";

using Named = std::pair<std::string, ReportState::Seen>;

std::vector<Named> most_first(const ReportState& state) {
  std::vector<Named> out(state.names().begin(), state.names().end());
  std::ranges::stable_sort(out, std::ranges::greater{}, [](const Named& one) { return one.second.count; });
  return out;
}

void append_row(std::string& out, std::string_view name, const std::string& value) {
  out += fmt::format("<tr><th>{}</th><td>{}</td></tr>", name, escaped(value));
}

std::string totals(const ReportState& state, const ReportFacts& facts) {
  std::string out = "<table>";
  append_row(out, "Model", facts.model);
  append_row(out, "Inputs", facts.inputs);
  append_row(out, "Result", facts.result);
  append_row(out, "Answered", with_commas(facts.good));
  append_row(out, "Bad inputs",
             facts.bad == 0 ? "0" : fmt::format("{} ({})", with_commas(facts.bad), facts.errors));
  if (state.pictures()) append_row(out, "Pictures that show nothing", with_commas(state.without()));
  if (facts.seconds > 0) {
    append_row(out, "Took",
               fmt::format("{}, {:.1f}/s", duration_text(facts.seconds),
                           static_cast<double>(facts.since) / facts.seconds));
  }
  if (state.measured().count > 0) {
    const ReportState::Measured& seen = state.measured();
    append_row(out, "Values",
               fmt::format("{:g} to {:g}, {:g} in the mean", seen.least, seen.most,
                           seen.sum / static_cast<double>(seen.count)));
  }
  return out + "</table>";
}

std::string table_of(const std::vector<Named>& names) {
  std::string out = "<table><tr><th>Class</th><th class=n>Count</th><th class=n>Mean confidence</th></tr>";
  for (std::size_t i = 0; i < std::min(names.size(), kShownNames); ++i) {
    const auto& [name, seen] = names[i];
    out += fmt::format(
        "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td></tr>", escaped(name), with_commas(seen.count),
        seen.sure == 0 ? "" : fmt::format("{:.3f}", seen.sum / static_cast<double>(seen.sure)));
  }
  out += "</table>";
  if (names.size() > kShownNames) out += fmt::format("<p>and {} more.</p>", names.size() - kShownNames);
  return out;
}

// The classes along the pictures' times where these say something, else along the inputs.
std::string over_time(const ReportState& state, const std::vector<Named>& names) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(names.size(), kColors); ++i) shown.push_back(names[i].first);
  const Timeline& times = state.by_time();
  const bool by_time =
      !times.empty() &&
      (times.steps.rbegin()->first - times.steps.begin()->first) * times.width >= kTimesApart;
  std::string out = stacked_bars(by_time ? times : state.by_order(), shown, by_time);
  if (out.empty()) return out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    out += fmt::format("<span class=key><i style=\"background:{}\"></i>{}</span>", color_of(i),
                       escaped(shown[i]));
  }
  if (names.size() > shown.size()) {
    out += fmt::format("<span class=key><i style=\"background:{}\"></i>others</span>", color_of(kColors));
  }
  return fmt::format("<h2>Classes {}</h2>",
                     by_time ? "by the time of the picture's file (UTC)" : "by the number of the input") +
         out;
}

std::string figure(const Kept& kept, const Thumbnail& thumbnail, const std::string& caption) {
  const std::vector<std::byte> jpeg = thumbnail(kept);
  std::string out = "<figure>";
  if (!jpeg.empty()) {
    out += "<img alt=\"\" src=\"data:image/jpeg;base64,";
    protocol::append_base64(out, jpeg);
    out += "\">";
  }
  return out + fmt::format("<figcaption>{}</figcaption></figure>", escaped(caption));
}

std::string least_sure(const ReportState& state, const Thumbnail& thumbnail) {
  if (state.worst().empty()) return {};
  std::string out = "<h2>Least sure</h2>";
  std::size_t at = 0;
  if (state.pictures()) {
    out += "<div class=grid>";
    for (; at < std::min(state.worst().size(), kWorstPictures); ++at) {
      const Kept& kept = state.worst()[at];
      out += figure(kept, thumbnail, fmt::format("{:.3f} {}: {}", kept.confidence, kept.name, kept.key));
    }
    out += "</div>";
  }
  if (at == state.worst().size()) return out;
  out += "<table><tr><th class=n>Confidence</th><th>Class</th><th>Input</th></tr>";
  for (; at < state.worst().size(); ++at) {
    const Kept& kept = state.worst()[at];
    out += fmt::format("<tr><td class=n>{:.3f}</td><td>{}</td><td>{}</td></tr>", kept.confidence,
                       escaped(kept.name), escaped(kept.key));
  }
  return out + "</table>";
}

}  // namespace

std::string report_html(const ReportState& state, const ReportFacts& facts, const Thumbnail& thumbnail) {
  const std::vector<Named> names = most_first(state);
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n",
      escaped(fmt::format("{} on {} inputs", facts.model, with_commas(facts.good + facts.bad))), kStyle);
  if (!facts.complete) out += "<p><strong>The run was ended before it was done.</strong></p>";
  out += totals(state, facts);
  if (!names.empty()) out += "\n<h2>Classes</h2>" + table_of(names) + '\n' + over_time(state, names);
  if (const std::string bins = histogram(state.bins()); !bins.empty()) out += "\n<h2>Confidences</h2>" + bins;
  out += '\n' + least_sure(state, thumbnail);
  const std::vector<Kept> samples = state.samples();
  if (!samples.empty()) {
    out += "\n<h2>Samples</h2><div class=grid>";
    for (const Kept& kept : samples) out += figure(kept, thumbnail, kept.key);
    out += "</div>";
  }
  return out + "\n</body></html>\n";
}

}  // namespace bascule::runs
