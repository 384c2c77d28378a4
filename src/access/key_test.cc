#include "access/key.h"

#include <set>

#include <gtest/gtest.h>

namespace bascule::access {
namespace {

TEST(Key, DigestsAreSha256) {
  // FIPS 180-4's example "abc".
  constexpr std::string_view kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(to_hex(digest_of("abc")), kAbc);
  EXPECT_EQ(parse_hex(kAbc), digest_of("abc"));
  EXPECT_EQ(parse_hex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"), digest_of("abc"));
  EXPECT_FALSE(parse_hex(kAbc.substr(1)));
  EXPECT_FALSE(parse_hex(std::string(kAbc.substr(1)) + "g"));
  EXPECT_FALSE(parse_hex(""));
}

TEST(Key, NewOnesAreLongAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string key = new_key();
    EXPECT_EQ(key.size(), 72U);
    EXPECT_TRUE(seen.insert(key).second);
  }
}

TEST(Key, IsTakenFromEitherField) {
  struct Case {
    std::string_view authorization;
    std::string_view api_key;
    std::string_view key;
  };
  const Case cases[] = {
      {"", "", ""},        {"Bearer k", "", "k"},        {"bearer k", "other", "k"}, {"BEARER  k ", "", "k"},
      {"", "k", "k"},      {"Basic dXNlcg==", "k", "k"}, {"Bearer", "k", "k"},       {"Bearerk", "", ""},
      {"Bearer ", "", ""},
  };
  for (const Case& item : cases) {
    EXPECT_EQ(sent_key(item.authorization, item.api_key), item.key) << item.authorization;
  }
}

TEST(Key, RolesHaveNamesAndBounds) {
  for (const Role role : {Role::kInfer, Role::kRead, Role::kAdmin})
    EXPECT_EQ(parse_role(to_string(role)), role);
  EXPECT_FALSE(parse_role("Admin"));
  using enum RouteClass;
  struct Case {
    RouteClass wanted;
    bool infer;
    bool read;
  };
  const Case cases[] = {{kHealth, true, true},    {kMetadata, true, true},      {kInfer, true, false},
                        {kControl, false, false}, {kStatistics, false, true},   {kTrace, false, false},
                        {kLogs, false, false},    {kApplications, false, false}};
  for (const Case& item : cases) {
    EXPECT_EQ(may(Role::kInfer, item.wanted), item.infer) << static_cast<int>(item.wanted);
    EXPECT_EQ(may(Role::kRead, item.wanted), item.read) << static_cast<int>(item.wanted);
    EXPECT_TRUE(may(Role::kAdmin, item.wanted)) << static_cast<int>(item.wanted);
  }
}

}  // namespace
}  // namespace bascule::access
