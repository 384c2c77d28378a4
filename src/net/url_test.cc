#include "net/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace bascule::net {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Url, TellsHostAndPort) {
  const std::tuple<const char*, const char*, int, const char*> cases[] = {
      {"http://Pictures.Example/a.jpg", "pictures.example", 80, "pictures.example"},
      {"HTTPS://pictures.example./a.jpg?x=1#y", "pictures.example", 443, "pictures.example"},
      {"http://pictures.example:8080", "pictures.example", 8080, "pictures.example:8080"},
      {"https://pictures.example:80/", "pictures.example", 80, "pictures.example:80"},
      {"http://[2001:DB8::1]:81/", "2001:db8::1", 81, "[2001:db8::1]:81"},
      // All forms of one address are that address.
      {"http://127.1/", "127.0.0.1", 80, "127.0.0.1"},
      {"http://0x7f000001/", "127.0.0.1", 80, "127.0.0.1"},
      {"http://2130706433/", "127.0.0.1", 80, "127.0.0.1"},
      {"http://0177.0.0.1/", "127.0.0.1", 80, "127.0.0.1"},
      {"http://%6c%6fcalhost/", "localhost", 80, "localhost"},
  };
  for (const auto& [text, host, port, shown] : cases) {
    const auto url = Url::parse(text);
    ASSERT_TRUE(url) << text << ": " << url.error().message;
    EXPECT_EQ(url->host(), host) << text;
    EXPECT_EQ(url->port(), port) << text;
    EXPECT_EQ(url->shown(), shown) << text;
  }
}

TEST(Url, RefusesWhatMayNotBeAsked) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no URL"},
      {"pictures.example/a.jpg", "no URL"},
      {"http://", "no URL"},
      {"http://a:99999/", "no URL"},
      {"http://a b/", "no URL"},
      {"http://a:0/", "port"},
      {"file:///etc/passwd", "'file'"},
      {"ftp://pictures.example/a.jpg", "'ftp'"},
      {"gopher://pictures.example:6379/_x", "'gopher'"},
      {"data:image/jpeg;base64,AA==", "no URL"},
      {"http://me@pictures.example/", "name or password"},
      {"http://me:secret@pictures.example/", "name or password"},
      {"http://:secret@pictures.example/", "name or password"},
      {"http://pictures.example\xE3\x80\x82/", "plain letters"},
      {"http://evil.example\xEF\xBC\x8F.pictures.example/", "plain letters"},
      {"http://[fe80::1%25lo]/", "host"},
      {std::string("http://a\0.example/", 18), "zero byte"},
      {"http://a/" + std::string(4096, 'x'), "4105 characters; the limit is 4096"},
  };
  for (const auto& [text, says] : cases) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error().message, HasSubstr(says)) << text;
    EXPECT_THAT(url.error().message, Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace bascule::net
