#include "net/allow_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

namespace bascule::net {
namespace {

using testing::HasSubstr;

TEST(AllowList, NamesHostsAndPorts) {
  const std::tuple<const char*, const char*, int, bool> cases[] = {
      {"Pictures.Example", "pictures.example", 80, true},
      {"pictures.example", "pictures.example", 443, true},
      {"pictures.example", "pictures.example", 8080, false},
      {"pictures.example", "evil.pictures.example", 80, false},
      {"pictures.example", "pictures.example.evil", 80, false},
      {"pictures.example.", "pictures.example", 80, true},
      {"pictures.example:8080", "pictures.example", 8080, true},
      {"pictures.example:8080", "pictures.example", 80, false},
      {"*.example.org", "a.example.org", 80, true},
      {"*.example.org", "a.b.example.org", 443, true},
      {"*.example.org", "example.org", 80, false},
      {"*.example.org", "evilexample.org", 80, false},
      {"*.example.org", ".example.org", 80, false},
      {"*.example.org:8443", "a.example.org", 8443, true},
      {"*.example.org:8443", "a.example.org", 443, false},
      {"*", "anything", 443, true},
      {"*", "anything", 22, false},
      {"*:9000", "anything", 9000, true},
      {"[2001:DB8::1]:8080", "2001:db8::1", 8080, true},
      {"[2001:db8::1]", "2001:db8::1", 80, true},
      {"127.0.0.1", "127.0.0.1", 80, true},
  };
  for (const auto& [entry, host, port, allowed] : cases) {
    const auto list = AllowList::parse(std::vector<std::string>{"first.example", entry});
    ASSERT_TRUE(list) << entry << list.error().message;
    EXPECT_EQ(list->allows(host, static_cast<std::uint16_t>(port)), allowed)
        << entry << " " << host << ":" << port;
  }
}

TEST(AllowList, IsEmptyOrAllOrWhatItSays) {
  EXPECT_TRUE(AllowList().empty());
  EXPECT_FALSE(AllowList().allows("a", 80));
  EXPECT_TRUE(AllowList::parse({})->empty());
  EXPECT_FALSE(AllowList::all().empty());
  EXPECT_TRUE(AllowList::all().allows("a", 12345));
}

TEST(AllowList, RefusesEntriesThatNameNoHost) {
  for (const char* entry : {"", ":80", "a:0", "a:65536", "a:x", "*.", "**", "a*b", "*.*.org", "http://a",
                            "a/b", "a b", "u@a", "a?b", "a#b", "[::1", "::1]", "\xC3\xA9.example"}) {
    const auto list = AllowList::parse(std::vector<std::string>{entry});
    ASSERT_FALSE(list) << entry;
    EXPECT_THAT(list.error().message, HasSubstr("write one as pictures.example"));
  }
}

}  // namespace
}  // namespace bascule::net
