#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::net {

// Which hosts may be asked: "pictures.example" (on ports 80 and 443), "pictures.example:8080",
// "*.example.org" (every host below example.org, not itself), "*" (all), "[2001:db8::1]:8080".
// Thread-safety: immutable.
class AllowList {
 public:
  // No host at all.
  AllowList() = default;

  // Errors: kInvalidArgument with the entry and how one looks.
  static Result<AllowList> parse(std::span<const std::string> entries);
  // Every host on every port.
  static AllowList all();

  // `host`: in small letters, IPv6 without brackets.
  [[nodiscard]] bool allows(std::string_view host, std::uint16_t port) const;
  [[nodiscard]] bool empty() const { return entries_.empty() && !all_; }

 private:
  struct Entry {
    std::string host;  // of `below`: with the dot in front
    bool below = false;
    bool any = false;
    std::optional<std::uint16_t> port;  // absent: 80 and 443
  };
  static Result<Entry> parse_entry(std::string_view text);

  std::vector<Entry> entries_;
  bool all_ = false;
};

}  // namespace bascule::net
