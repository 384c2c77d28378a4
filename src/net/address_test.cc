#include "net/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace bascule::net {
namespace {

std::string_view use_of(const char* text) {
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text, bytes.data()) == 1) return special_use(std::span(bytes).first(4));
  EXPECT_EQ(inet_pton(AF_INET6, text, bytes.data()), 1) << text;
  return special_use(bytes);
}

TEST(SpecialUse, IsNoneOfThePublicInternet) {
  for (const char* text :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "2606:4700:4700::1111", "2000::1", "2001:200::1", "3ffe::1", "2400::1",
        // Public IPv4 addresses inside of IPv6 ones.
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    EXPECT_EQ(use_of(text), "") << text;
  }
}

TEST(SpecialUse, SaysWhatAnAddressIsFor) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0", "this network"},
      {"0.255.255.255", "this network"},
      {"10.0.0.0", "private"},
      {"10.255.255.255", "private"},
      {"100.64.0.0", "shared by a provider"},
      {"100.127.255.255", "shared by a provider"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.255", "loopback"},
      {"169.254.169.254", "link-local"},
      {"172.16.0.0", "private"},
      {"172.31.255.255", "private"},
      {"192.0.0.170", "reserved"},
      {"192.0.2.1", "documentation"},
      {"192.88.99.1", "reserved"},
      {"192.168.0.0", "private"},
      {"192.168.255.255", "private"},
      {"198.18.0.0", "benchmarking"},
      {"198.19.255.255", "benchmarking"},
      {"198.51.100.9", "documentation"},
      {"203.0.113.9", "documentation"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"::", "reserved"},
      {"::1", "loopback"},
      {"::2", "reserved"},
      {"::8.8.8.8", "reserved"},
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:10.1.2.3", "private"},
      {"::ffff:169.254.169.254", "link-local"},
      {"64:ff9b::10.1.2.3", "private"},
      {"64:ff9b::127.0.0.1", "loopback"},
      {"64:ff9b:1::8.8.8.8", "reserved"},
      {"2002:7f00:1::1", "loopback"},
      {"2002:a00:1::", "private"},
      {"2001::1", "reserved"},
      {"2001:1ff::1", "reserved"},
      {"2001:db8::1", "documentation"},
      {"3fff::1", "documentation"},
      {"4000::1", "reserved"},
      {"fc00::1", "private"},
      {"fdff::1", "private"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fec0::1", "private"},
      {"ff02::1", "multicast"},
      {"100::1", "reserved"},
      {"5f00::1", "reserved"},
  };
  for (const auto& [text, use] : cases) EXPECT_EQ(use_of(text), use) << text;
}

TEST(SpecialUse, LooksIntoAddressesOfSockets) {
  sockaddr_in v4{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  EXPECT_EQ(special_use(*reinterpret_cast<sockaddr*>(&v4), sizeof v4), "loopback");
  EXPECT_EQ(special_use(*reinterpret_cast<sockaddr*>(&v4), sizeof v4 - 1), "unknown");
  v4.sin_addr.s_addr = htonl(0x08080808);
  EXPECT_EQ(special_use(*reinterpret_cast<sockaddr*>(&v4), sizeof v4), "");
  sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  EXPECT_EQ(special_use(*reinterpret_cast<sockaddr*>(&v6), sizeof v6), "loopback");
  v6.sin6_family = AF_UNIX;
  EXPECT_EQ(special_use(*reinterpret_cast<sockaddr*>(&v6), sizeof v6), "unknown");
  EXPECT_EQ(special_use(std::span<const std::uint8_t>()), "unknown");
}

}  // namespace
}  // namespace bascule::net
