#include "access/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::access {
namespace {

using enum RouteClass;
using ::testing::HasSubstr;
using ::testing::Not;
constexpr RouteClass kAll[] = {kHealth,     kMetadata, kInfer, kControl,
                               kStatistics, kTrace,    kLogs,  kApplications};

class HeldClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return at; }
  TimePoint at{std::chrono::seconds(1000)};
};

bool is_administration(RouteClass wanted) {
  return wanted == kControl || wanted == kTrace || wanted == kLogs || wanted == kApplications;
}

// What a decision is, in one word.
std::string_view word(const Decision& decision) {
  if (!decision.refusal) return "yes";
  if (decision.refusal->reason == Reason::kForbidden) return "forbidden";
  if (decision.refusal->reason == Reason::kRateExceeded) return "later";
  return decision.refusal->code == Code::kUnauthenticated ? "who" : "?";
}

TEST(Gate, LetsEverythingThroughOnLoopback) {
  const HeldClock clock;
  const Gate gate(clock);
  for (const RouteClass wanted : kAll) {
    EXPECT_EQ(word(gate.admit(wanted, {.loopback = true, .unsafe = true})), "yes");
  }
}

TEST(Gate, KeepsAdministrationFromOtherMachines) {
  const HeldClock clock;
  const Gate gate(clock);
  for (const RouteClass wanted : kAll) {
    const Decision decision =
        gate.admit(wanted, {.loopback = false, .listens = "0.0.0.0", .unsafe = true, .key = "made up"});
    EXPECT_EQ(word(decision), is_administration(wanted) ? "who" : "yes") << static_cast<int>(wanted);
    if (decision.refusal) {
      EXPECT_THAT(decision.refusal->message, HasSubstr("listens on 0.0.0.0"));
    }
  }
}

TEST(Gate, RefusesWhatAForeignPageWantsChanged) {
  struct Case {
    std::string_view origin;
    std::string_view host;
    bool unsafe;
    std::string_view said;
  };
  const Case cases[] = {
      {"", "localhost:8000", true, "yes"},
      {"http://localhost:3000", "localhost:8000", true, "yes"},
      {"http://192.0.2.7:8000", "192.0.2.7:8000", true, "yes"},
      {"http://evil.example", "localhost:8000", false, "yes"},
      {"http://evil.example", "localhost:8000", true, "forbidden"},
      {"http://evil.example:8000", "evil.example:8000", true, "forbidden"},
      {"null", "localhost:8000", true, "forbidden"},
      {"https://shop.example", "localhost:8000", true, "yes"},
      {"http://shop.example", "localhost:8000", true, "forbidden"},
      {"https://shop.example.evil", "localhost:8000", true, "forbidden"},
  };
  const HeldClock clock;
  const Gate gate(clock, {.origins = {"https://shop.example"}});
  for (const Case& item : cases) {
    for (const RouteClass wanted : kAll) {
      const Decision decision =
          gate.admit(wanted, {.unsafe = item.unsafe, .origin = item.origin, .host = item.host});
      EXPECT_EQ(word(decision), item.said) << item.origin << ' ' << item.host;
    }
  }
}

TEST(Gate, SharesWithEveryoneButAdministration) {
  const HeldClock clock;
  const Gate gate(clock, {.origins = {"https://shop.example", "*"}});
  EXPECT_EQ(gate.shared_with("https://shop.example"), "https://shop.example");
  EXPECT_EQ(gate.shared_with("https://any.example"), "*");
  EXPECT_EQ(gate.shared_with(""), "");
  EXPECT_EQ(Gate(clock).shared_with("https://any.example"), "");
  for (const RouteClass wanted : kAll) {
    EXPECT_EQ(word(gate.admit(wanted, {.unsafe = true, .origin = "https://shop.example"})), "yes");
    EXPECT_EQ(word(gate.admit(wanted, {.unsafe = true, .origin = "https://any.example"})),
              is_administration(wanted) ? "forbidden" : "yes");
  }
}

TEST(Gate, GoesByTheRoleOfAKey) {
  const HeldClock clock;
  Gate gate(clock);
  EXPECT_FALSE(gate.wants_keys());
  gate.set_keys({{.name = "camera", .digest = digest_of("k1"), .role = Role::kInfer},
                 {.name = "board", .digest = digest_of("k2"), .role = Role::kRead},
                 {.name = "boss", .digest = digest_of("k3"), .role = Role::kAdmin}});
  EXPECT_TRUE(gate.wants_keys());
  struct Case {
    std::string_view key;
    Role role;
  };
  for (const bool loopback : {true, false}) {
    for (const RouteClass wanted : kAll) {
      const auto said = [&](std::string_view key) {
        return word(gate.admit(wanted, {.loopback = loopback, .key = key}));
      };
      const std::string_view nobody = wanted == kHealth ? "yes" : "who";
      EXPECT_EQ(said(""), nobody);
      EXPECT_EQ(said("k4"), nobody);
      EXPECT_EQ(said(to_hex(digest_of("k1"))), nobody);
      EXPECT_EQ(said(std::string(10'000, 'k')), nobody);
      for (const Case& item : {Case{"k1", Role::kInfer}, {"k2", Role::kRead}, {"k3", Role::kAdmin}}) {
        EXPECT_EQ(said(item.key), may(item.role, wanted) ? "yes" : "forbidden") << item.key;
      }
    }
  }
  const Decision named = gate.admit(kControl, {.key = "k2"});
  EXPECT_EQ(named.name(), "board");
  EXPECT_THAT(named.refusal->message,
              HasSubstr("'board' has the role read; this takes a key of the role admin"));
  EXPECT_EQ(gate.admit(kInfer, {.key = "k1"}).name(), "camera");
}

TEST(Gate, ALoneWrongKeyIsNotRepeated) {
  const HeldClock clock;
  Gate gate(clock);
  gate.set_keys({{.name = "camera", .digest = digest_of("k1")}});
  EXPECT_THAT(gate.admit(kInfer, {.key = "secret"}).refusal->message, Not(HasSubstr("secret")));
}

TEST(Gate, HoldsAKeyToItsRate) {
  HeldClock clock;
  Gate gate(clock);
  gate.set_keys({{.name = "slow", .digest = digest_of("k1"), .role = Role::kInfer, .requests_per_second = 2},
                 {.name = "free", .digest = digest_of("k2"), .role = Role::kInfer}});
  const auto ask = [&](bool charged = true) { return gate.admit(kInfer, {.key = "k1", .charged = charged}); };
  EXPECT_EQ(word(ask()), "yes");
  EXPECT_EQ(word(ask(false)), "yes");  // costs nothing yet
  EXPECT_EQ(word(ask()), "yes");
  const Decision late = ask();
  ASSERT_EQ(word(late), "later");
  EXPECT_EQ(late.refusal->code, Code::kResourceExhausted);
  EXPECT_EQ(late.refusal->fields.retry_after, std::chrono::milliseconds(500));
  EXPECT_THAT(late.refusal->message, HasSubstr("'slow' may ask 2 times per second; ask again in 500 ms"));
  EXPECT_TRUE(gate.charge(late.key));
  EXPECT_EQ(word(gate.admit(kInfer, {.key = "k2"})), "yes");
  clock.at += std::chrono::milliseconds(500);
  EXPECT_FALSE(gate.charge(late.key));
  EXPECT_EQ(word(ask()), "later");
  EXPECT_FALSE(gate.charge(nullptr));
}

TEST(Gate, NewKeysReplaceTheOld) {
  const HeldClock clock;
  Gate gate(clock);
  const KeyEntry kept{
      .name = "kept", .digest = digest_of("k1"), .role = Role::kInfer, .requests_per_second = 1};
  gate.set_keys({kept, {.name = "gone", .digest = digest_of("k2"), .role = Role::kInfer}});
  const Decision gone = gate.admit(kInfer, {.key = "k2"});
  EXPECT_EQ(word(gone), "yes");
  EXPECT_EQ(word(gate.admit(kInfer, {.key = "k1"})), "yes");
  gate.set_keys({{.name = "new", .digest = digest_of("k3"), .role = Role::kInfer}, kept});
  EXPECT_EQ(word(gate.admit(kInfer, {.key = "k3"})), "yes");
  EXPECT_EQ(word(gate.admit(kInfer, {.key = "k2"})), "who");
  EXPECT_EQ(word(gate.admit(kInfer, {.key = "k1"})), "later");  // its rate went on
  const auto over = gate.charge(gone.key);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->code, Code::kUnauthenticated);
  gate.set_keys({});
  EXPECT_EQ(word(gate.admit(kInfer, {.key = "k1"})), "who");  // none is not open
}

}  // namespace
}  // namespace bascule::access
