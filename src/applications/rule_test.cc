#include "applications/rule.h"

#include <gmock/gmock.h>

namespace bascule::applications {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr Duration kLong = std::chrono::seconds(60);  // longer than any rule here takes on a busy machine
constexpr Duration kShort = std::chrono::milliseconds(50);

std::shared_ptr<const std::string> scene(std::string json = R"({"results":[{"name":"apple","confidence":0.9},
    {"name":"pear","confidence":0.4}],"frame":7,"id":"12345678901234567890"})") {
  return std::make_shared<const std::string>(std::move(json));
}

std::unique_ptr<Rule> rule(const std::string& program) {
  auto compiled = Rule::compile("test", "line.yaml:3", program);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return *std::move(compiled);
}

RuleOutcome ask(const std::string& program) {
  const auto one = rule(program);
  one->begin(scene());
  return one->end(kLong);
}

TEST(Rule, HoldsWhereAnOutputIsNeitherFalseNorNull) {
  EXPECT_TRUE(ask(R"(any(.results[]; .name == "apple"))").holds);
  EXPECT_FALSE(ask(R"(any(.results[]; .name == "plum"))").holds);
  EXPECT_TRUE(ask(R"(.results[] | .name == "pear")").holds) << "the second output";
  EXPECT_FALSE(ask("empty").holds);
  EXPECT_FALSE(ask(".nothing").holds);
  EXPECT_TRUE(ask("0").holds) << "as jq sees it";
}

TEST(Rule, TellsTheValueThatMadeItHold) {
  EXPECT_EQ(ask(R"(.results[] | select(.confidence < 0.5))").value, R"({"name":"pear","confidence":0.4})");
  EXPECT_EQ(ask("false, null").value, "null");
  EXPECT_EQ(ask("empty").value, "");
  EXPECT_EQ(ask(".id").value, R"("12345678901234567890")") << "ids are texts: no digit is lost";
  EXPECT_THAT(ask("[range(100000)]").value, HasSubstr("a value of"));
}

TEST(Rule, HasRegularExpressions) { EXPECT_TRUE(ask(R"(any(.results[]; .name | test("^ap+le$")))").holds); }

TEST(Rule, IsRefusedWithItsPlaceItsProgramAndJqsWords) {
  const auto broken = Rule::compile("scratch", "line.yaml:12", "any(.results[]; .name = = 3)");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kInvalidArgument);
  EXPECT_THAT(broken.error().message, AllOf(HasSubstr("line.yaml:12"), HasSubstr("'scratch'"),
                                            HasSubstr("syntax error"), HasSubstr(".name = = 3")));
  EXPECT_THAT(Rule::compile("a", "b:1", "nosuch(.x)").error().message, HasSubstr("nosuch/1 is not defined"));
  EXPECT_THAT(Rule::compile("a", "b:1", "import \"x\" as x; .").error().message,
              HasSubstr("does not compile"));
  EXPECT_FALSE(Rule::compile("a", "b:1", std::string("1\0 2", 4)));
  EXPECT_FALSE(Rule::compile("a", "b:1", std::string(kMaxRuleText + 1, ' ')));
}

TEST(Rule, FailsWithJqsWordsAndMayBeAskedAgain) {
  const auto one = rule("if .frame == 7 then error(\"no plate\") else .frame end");
  one->begin(scene());
  const RuleOutcome failed = one->end(kLong);
  EXPECT_FALSE(failed.holds);
  EXPECT_EQ(failed.error, "no plate");
  one->begin(scene(R"({"frame":8})"));
  const RuleOutcome good = one->end(kLong);
  EXPECT_EQ(good.error, "");
  EXPECT_EQ(good.value, "8");
  EXPECT_THAT(ask(".results + 1").error, HasSubstr("cannot be added"));
  EXPECT_THAT(ask("input").error, HasSubstr("no further input"));
  EXPECT_EQ(ask("debug | .frame").value, "7");
  EXPECT_THAT(ask("halt").error, HasSubstr("halt"));
  EXPECT_THAT(ask("\"bye\" | halt_error").error, HasSubstr("halt"));
}

TEST(Rule, SaysWhereASceneIsNoJson) {
  const auto one = rule(".");
  one->begin(scene("{\"frame\":"));
  EXPECT_THAT(one->end(kLong).error, HasSubstr("no JSON"));
}

TEST(Rule, IsEndedWhereItTakesTooLongAndMayBeAskedAgain) {
  const auto one = rule("if .frame == 7 then last(range(1e12)) else .frame end");
  one->begin(scene());
  const RuleOutcome late = one->end(kShort);
  EXPECT_TRUE(late.overran);
  EXPECT_FALSE(late.holds);
  EXPECT_GE(late.took, kShort);
  // It comes back soon after it was told to.
  RuleOutcome next{.overran = true};
  for (int tries = 0; tries < 100 && next.overran; ++tries) {
    one->begin(scene(R"({"frame":8})"));
    next = one->end(kLong);
  }
  EXPECT_EQ(next.value, "8");
}

TEST(Rule, GoesWhileItRuns) {
  const auto one = rule("last(range(1e12))");
  one->begin(scene());
}

TEST(Rule, RunsManyTimesWithoutKeepingAnything) {
  const auto one = rule(R"([.results[] | {key: .name, value: .confidence}] | from_entries | .apple > 0.5)");
  for (int i = 0; i < 2000; ++i) {
    one->begin(scene());
    EXPECT_TRUE(one->end(kLong).holds);
  }
}

}  // namespace
}  // namespace bascule::applications
