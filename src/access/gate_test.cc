#include "access/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::access {
namespace {

using enum RouteClass;
constexpr RouteClass kAll[] = {kHealth,     kMetadata, kInfer, kControl,
                               kStatistics, kTrace,    kLogs,  kApplications};

TEST(Gate, LetsEverythingThroughOnLoopback) {
  for (const RouteClass wanted : kAll) {
    EXPECT_TRUE(Gate().admit(wanted, {.loopback = true, .unsafe = true})) << static_cast<int>(wanted);
  }
}

TEST(Gate, KeepsAdministrationFromOtherMachines) {
  for (const RouteClass wanted : kAll) {
    const auto admitted = Gate().admit(wanted, {.loopback = false, .listens = "0.0.0.0", .unsafe = true});
    const bool administration = wanted == kControl || wanted == kTrace || wanted == kLogs;
    ASSERT_EQ(admitted.has_value(), !administration) << static_cast<int>(wanted);
    if (admitted) continue;
    EXPECT_EQ(admitted.error().code, Code::kUnauthenticated);
    EXPECT_EQ(admitted.error().reason, Reason::kNone);
    EXPECT_THAT(admitted.error().message, ::testing::HasSubstr("listens on 0.0.0.0"));
  }
}

TEST(Gate, RefusesWhatAForeignPageWantsChanged) {
  struct Case {
    std::string_view origin;
    std::string_view host;
    bool unsafe;
    bool allowed;
  };
  const Case cases[] = {
      {"", "localhost:8000", true, true},
      {"http://localhost:3000", "localhost:8000", true, true},
      {"http://192.0.2.7:8000", "192.0.2.7:8000", true, true},
      {"http://evil.example", "localhost:8000", false, true},
      {"http://evil.example", "localhost:8000", true, false},
      {"http://evil.example:8000", "evil.example:8000", true, false},
      {"null", "localhost:8000", true, false},
  };
  for (const Case& item : cases) {
    for (const RouteClass wanted : kAll) {
      const auto admitted =
          Gate().admit(wanted, {.unsafe = item.unsafe, .origin = item.origin, .host = item.host});
      ASSERT_EQ(admitted.has_value(), item.allowed) << item.origin << ' ' << item.host;
      EXPECT_TRUE(admitted || admitted.error().reason == Reason::kForbidden);
    }
  }
}

}  // namespace
}  // namespace bascule::access
