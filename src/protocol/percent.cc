#include "protocol/percent.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace bascule::protocol {

std::string percent_decoded(std::string_view value, bool plus) {
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '+' && plus) {
      out += ' ';
      continue;
    }
    unsigned byte = 0;
    if (value[i] == '%' && value.size() - i > 2) {
      const char* digits = value.data() + i + 1;
      const auto [end, code] = std::from_chars(digits, digits + 2, byte, 16);
      if (code == std::errc() && end == digits + 2) {
        out += static_cast<char>(byte);
        i += 2;
        continue;
      }
    }
    out += value[i];
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  constexpr std::size_t kMaxPairs = 64;
  std::vector<std::pair<std::string, std::string>> out;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    if (out.size() == kMaxPairs) {
      return invalid_argument(
          fmt::format("The query has more than {} fields, which is the limit.", kMaxPairs));
    }
    const std::size_t equals = std::min(pair.find('='), pair.size());
    out.emplace_back(percent_decoded(pair.substr(0, equals), true),
                     percent_decoded(pair.substr(std::min(equals + 1, pair.size())), true));
  }
  return out;
}

}  // namespace bascule::protocol
