#include "access/origin.h"

#include <gtest/gtest.h>

namespace bascule::access {
namespace {

TEST(Origin, KnowsPagesOfThisMachine) {
  for (const std::string_view origin :
       {"http://localhost", "http://localhost:3000", "https://LOCALHOST:1", "http://127.0.0.1:8000",
        "http://[::1]:8000", "http://[::1]", "capacitor://localhost"}) {
    EXPECT_TRUE(is_local_origin(origin)) << origin;
  }
  for (const std::string_view origin :
       {"", "null", "localhost", "http://", "http://localhost.evil.example", "http://evil.example",
        "http://127.0.0.1.evil.example:80", "http://evil.example:127.0.0.1", "http://localhost@evil.example",
        "http://localhost:80:evil", "http://0x7f.1", "http://[::1].evil.example"}) {
    EXPECT_FALSE(is_local_origin(origin)) << origin;
  }
}

TEST(Origin, TakesAPageForTheServersOwnByItsAddressOnly) {
  struct Case {
    std::string_view origin;
    std::string_view host;
    bool own;
  };
  const Case cases[] = {
      {"http://192.0.2.7:8000", "192.0.2.7:8000", true},
      {"https://192.0.2.7", "192.0.2.7", true},
      {"http://[2001:db8::7]:8000", "[2001:db8::7]:8000", true},
      {"http://192.0.2.7:8001", "192.0.2.7:8000", false},
      {"http://192.0.2.8:8000", "192.0.2.7:8000", false},
      {"http://evil.example:8000", "evil.example:8000", false},  // a name that was made to lead here
      {"http://1.2.3.example", "1.2.3.example", false},
      {"http://...", "...", false},
      {"http://", "", false},
      {"null", "null", false},
      {"", "", false},
  };
  for (const Case& item : cases) {
    EXPECT_EQ(is_own_origin(item.origin, item.host), item.own) << item.origin << " at " << item.host;
  }
}

}  // namespace
}  // namespace bascule::access
