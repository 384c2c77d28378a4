#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "access/route_class.h"

namespace bascule::access {

enum class Role : std::uint8_t {
  kInfer,  // asks models, and what it must know for that
  kRead,   // looks on: metadata and counters
  kAdmin,  // everything
};

[[nodiscard]] std::string_view to_string(Role role);  // "infer", "read", "admin"
[[nodiscard]] std::optional<Role> parse_role(std::string_view text);
[[nodiscard]] bool may(Role role, RouteClass wanted);

// SHA-256. Enough for keys as `new_key` makes them: nobody guesses 256 random bits, so that a slow hash with
// salt, as passwords need, would only slow every request.
using Digest = std::array<unsigned char, 32>;
[[nodiscard]] Digest digest_of(std::string_view key);
[[nodiscard]] std::string to_hex(const Digest& digest);
[[nodiscard]] std::optional<Digest> parse_hex(std::string_view text);

// A key of 256 random bits, "bascule_" and 64 hexadecimal digits; empty where the system has no random bits.
[[nodiscard]] std::string new_key();

// What is kept of a key: never the key itself.
// Thread-safety: a value.
struct KeyEntry {
  std::string name;
  Digest digest{};
  Role role = Role::kInfer;
  double requests_per_second = 0;  // 0: no limit
  bool operator==(const KeyEntry&) const = default;
};

// The key that a caller sent: in "Bearer KEY", else by itself (x-api-key); empty where there is none.
[[nodiscard]] std::string_view sent_key(std::string_view authorization, std::string_view api_key);

}  // namespace bascule::access
