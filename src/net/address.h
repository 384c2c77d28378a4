#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace bascule::net {

// What an address is for, where it is not one of the public internet: "loopback", "private", …; empty where
// it is public. IPv6 addresses that carry an IPv4 one (mapped, NAT64, 6to4) are what that is. `bytes`: 4 or
// 16, in the order of the wire. Source: IANA's registries of special-purpose addresses; of IPv6 only 2000::/3
// is public at all.
[[nodiscard]] std::string_view special_use(std::span<const std::uint8_t> bytes);

// The same of a socket's address; "unknown" where it is neither IPv4 nor IPv6.
[[nodiscard]] std::string_view special_use(const sockaddr& address, socklen_t size);

}  // namespace bascule::net
