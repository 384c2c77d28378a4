#include "applications/event.h"

#include <array>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"

namespace bascule::applications {
namespace {

constexpr std::string_view kVersion = "1";

// "LENGTH:BYTES", so that the bytes may be any.
void append(std::string& out, std::string_view field) {
  out += fmt::format("{}:", field.size());
  out += field;
}

std::optional<std::string_view> take(std::string_view& bytes) {
  const std::size_t colon = bytes.substr(0, 20).find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto size = text::parse_int(bytes.substr(0, colon));
  if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > bytes.size() - colon - 1) return std::nullopt;
  const std::string_view field = bytes.substr(colon + 1, static_cast<std::size_t>(*size));
  bytes.remove_prefix(colon + 1 + field.size());
  return field;
}

}  // namespace

std::string event_id(std::string_view app, std::string_view source, std::uint64_t frame,
                     std::string_view rule) {
  std::string all;
  append(all, app);
  append(all, source);
  append(all, std::to_string(frame));
  append(all, rule);
  return digest_of(all).substr(0, 32);
}

std::string utc_text(std::int64_t time_ms) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(time_ms)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string packed(const Event& event) {
  std::string out;
  append(out, kVersion);
  for (const std::string* const field :
       {&event.id, &event.app, &event.source, &event.rule, &event.severity}) {
    append(out, *field);
  }
  append(out, std::to_string(event.frame));
  append(out, std::to_string(event.time_ms));
  append(out, event.json);
  return out;
}

Result<Event> unpacked(std::string_view bytes) {
  std::array<std::string_view, 9> fields;
  bool whole = true;
  for (std::string_view& field : fields) {
    const auto taken = take(bytes);
    whole = whole && taken;
    if (taken) field = *taken;
  }
  const auto frame = text::parse_int(fields[6]);
  const auto time = text::parse_int(fields[7]);
  if (!whole || !bytes.empty() || fields[0] != kVersion || !frame || *frame < 0 || !time) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "What the outbox keeps is no event of this version of the program."};
  }
  return Event{.id = std::string(fields[1]),
               .app = std::string(fields[2]),
               .source = std::string(fields[3]),
               .rule = std::string(fields[4]),
               .severity = std::string(fields[5]),
               .frame = static_cast<std::uint64_t>(*frame),
               .time_ms = *time,
               .json = std::string(fields[8])};
}

}  // namespace bascule::applications
