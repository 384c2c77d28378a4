#include "http/trace_context.h"

#include <algorithm>
#include <cstddef>

namespace bascule::http {
namespace {

constexpr std::size_t kLength = 55;      // of version 00
constexpr std::size_t kMaxLength = 128;  // of later ones, as far as they are kept

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
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

}  // namespace bascule::http
