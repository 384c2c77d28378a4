#include "net/address.h"

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace bascule::net {
namespace {

constexpr std::size_t kV4 = 4;
constexpr std::size_t kV6 = 16;

// The first `bits` of an address.
// Thread-safety: immutable.
struct Prefix {
  std::array<std::uint8_t, kV6> bytes;
  std::size_t bits;
  std::string_view use;
};

constexpr Prefix kSpecialV4[] = {
    {{0}, 8, "this network"},
    {{10}, 8, "private"},
    {{100, 64}, 10, "shared by a provider"},
    {{127}, 8, "loopback"},
    {{169, 254}, 16, "link-local"},
    {{172, 16}, 12, "private"},
    {{192, 0, 0}, 24, "reserved"},
    {{192, 0, 2}, 24, "documentation"},
    {{192, 88, 99}, 24, "reserved"},
    {{192, 168}, 16, "private"},
    {{198, 18}, 15, "benchmarking"},
    {{198, 51, 100}, 24, "documentation"},
    {{203, 0, 113}, 24, "documentation"},
    {{224}, 4, "multicast"},
    {{240}, 4, "reserved"},
};

// Within 2000::/3. 2001::/23 holds Teredo and ORCHID, which reach what they like.
constexpr Prefix kSpecialV6[] = {
    {{0x20, 0x01}, 23, "reserved"},
    {{0x20, 0x01, 0x0D, 0xB8}, 32, "documentation"},
    {{0x3F, 0xFF}, 20, "documentation"},
};

// Outside of it, for a better word.
constexpr Prefix kNamedV6[] = {
    {{0xFC}, 7, "private"},
    {{0xFE, 0x80}, 10, "link-local"},
    {{0xFE, 0xC0}, 10, "private"},
    {{0xFF}, 8, "multicast"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
};

constexpr Prefix kGlobalV6 = {{0x20}, 3, ""};

// Where an IPv4 address lies in addresses that begin so.
struct Embedding {
  Prefix prefix;
  std::size_t at;
};
constexpr Embedding kEmbeddings[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 96, ""}, 12},  // mapped
    {{{0, 0x64, 0xFF, 0x9B}, 96, ""}, 12},                       // NAT64
    {{{0x20, 0x02}, 16, ""}, 2},                                 // 6to4
};

bool begins_with(std::span<const std::uint8_t> bytes, const Prefix& prefix) {
  const std::size_t whole = prefix.bits / 8;
  if (std::memcmp(bytes.data(), prefix.bytes.data(), whole) != 0) return false;
  if (prefix.bits % 8 == 0) return true;
  const auto mask = static_cast<unsigned>(0xFF00U >> (prefix.bits % 8)) & 0xFFU;
  return (bytes[whole] & mask) == (prefix.bytes[whole] & mask);
}

std::string_view use_in(std::span<const Prefix> table, std::span<const std::uint8_t> bytes) {
  for (const Prefix& prefix : table) {
    if (begins_with(bytes, prefix)) return prefix.use;
  }
  return {};
}

}  // namespace

std::string_view special_use(std::span<const std::uint8_t> bytes) {
  if (bytes.size() == kV4) return use_in(kSpecialV4, bytes);
  if (bytes.size() != kV6) return "unknown";
  for (const Embedding& embedding : kEmbeddings) {
    if (begins_with(bytes, embedding.prefix)) return use_in(kSpecialV4, bytes.subspan(embedding.at, kV4));
  }
  if (begins_with(bytes, kGlobalV6)) return use_in(kSpecialV6, bytes);
  const std::string_view named = use_in(kNamedV6, bytes);
  return named.empty() ? "reserved" : named;
}

std::string_view special_use(const sockaddr& address, socklen_t size) {
  if (address.sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return special_use({reinterpret_cast<const std::uint8_t*>(&v4.sin_addr), kV4});
  }
  if (address.sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return special_use({reinterpret_cast<const std::uint8_t*>(&v6.sin6_addr), kV6});
  }
  return "unknown";
}

}  // namespace bascule::net
