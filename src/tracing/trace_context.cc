#include "tracing/trace_context.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace bascule::tracing {
namespace {

constexpr std::size_t kLength = 55;      // of version 00
constexpr std::size_t kMaxLength = 128;  // of later ones, as far as they are kept
constexpr std::size_t kMaxState = 512;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

std::uint8_t digit(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

// Precondition: `text` is twice as many hexadecimal digits as `out` has bytes.
void read_hex(std::string_view text, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(digit(text[2 * i]) << 4U | digit(text[2 * i + 1]));
  }
}

}  // namespace

bool is_traceparent(std::string_view value) {
  if (value.size() < kLength || value.size() > kMaxLength) return false;
  const std::string_view version = value.substr(0, 2);
  if (!is_hex(version) || version == "ff" || value[2] != '-' || value[35] != '-' || value[52] != '-')
    return false;
  if (!is_id(value.substr(3, 32)) || !is_id(value.substr(36, 16)) || !is_hex(value.substr(53, 2)))
    return false;
  if (value.size() == kLength) return true;
  // Of a later version, and nothing in it that could not be echoed.
  return version != "00" && value[kLength] == '-' &&
         std::ranges::all_of(value, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

std::optional<Parent> parse_traceparent(std::string_view value) {
  if (!is_traceparent(value)) return std::nullopt;
  Parent parent;
  read_hex(value.substr(3, 32), parent.trace);
  read_hex(value.substr(36, 16), parent.span);
  parent.sampled = (digit(value[54]) & 1U) != 0;
  return parent;
}

std::string_view kept_tracestate(std::string_view value) {
  const bool printable = std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; });
  return printable && value.size() <= kMaxState ? value : std::string_view{};
}

}  // namespace bascule::tracing
