#include "runs/answer.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runs/json_line.h"
#include "runs/test_support.h"

namespace bascule::runs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Unit unit_of(Form form, const std::vector<std::string>& texts, const std::string& header = {}) {
  Unit unit{.form = form};
  if (form == Form::kCsv) unit.header = std::make_shared<const std::string>(header);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    unit.items.push_back({.key = "f:" + std::to_string(i + 1), .text = texts[i], .fault = {}});
  }
  return unit;
}

std::vector<std::string> told(const Answered& answered) {
  std::vector<std::string> out;
  for (const Outcome& one : answered.outcomes) {
    out.push_back(one.good ? one.id + one.answer.substr(8, one.answer.find(',') - 8) : "refused");
  }
  return out;
}

TEST(Answer, FindsTheBadRowsAndAnswersTheOthers) {
  EchoAsker asker;
  std::vector<std::string> texts(256, "x");
  texts[0] = texts[100] = texts[101] = texts[255] = "bad";
  const Answered answered = answer(asker, unit_of(Form::kSentence, texts), {.pictures = false});
  ASSERT_EQ(answered.outcomes.size(), 256U);
  EXPECT_FALSE(answered.fatal);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(answered.outcomes[i].good, texts[i] == "x") << i;
  EXPECT_EQ(answered.outcomes[100].error.message, "Row 1 is bad.");
  EXPECT_LT(asker.asked(), 80);
}

TEST(Answer, ReadsEveryFormOfRow) {
  EchoAsker asker;
  const AnswerOptions options{.pictures = false};
  EXPECT_THAT(told(answer(asker, unit_of(Form::kCsv, {"1,2", "3", "\"q\"\"\",4", "5\",6"}, "a,b"), options)),
              ElementsAre("\"1\"", "refused", "\"q\"\"", "refused"));
  EXPECT_THAT(
      told(answer(asker, unit_of(Form::kJson, {R"({"id":7,"a":"x"})", "nonsense", R"({"a":"y","id":"k"})"}),
                  options)),
      ElementsAre("7\"x\"", "refused", "\"k\"\"y\""));
  EXPECT_THAT(told(answer(asker, unit_of(Form::kSentence, {"Hello \"you\"", "\xff"}), options)).size(), 2U);
}

TEST(Answer, TakesTheIdOutOfATableUnlessItIsAColumnOfTheModel) {
  EchoAsker asker;
  const Unit unit = unit_of(Form::kCsv, {"k1,1", "k2,2"}, "id,a");
  EXPECT_THAT(told(answer(asker, unit, {.pictures = false})), ElementsAre("\"k1\"\"1\"", "\"k2\"\"2\""));
  EXPECT_THAT(told(answer(asker, unit, {.pictures = false, .keeps_id = true})),
              ElementsAre("\"k1\"", "\"k2\""));
}

TEST(Answer, AsksForPicturesByTheirPaths) {
  const TestFolder folder;
  EchoAsker asker;
  Unit unit;
  unit.items.push_back({.key = folder.write("a.jpg", "cat"), .text = {}, .fault = {}});
  EXPECT_THAT(answer(asker, unit, {}).outcomes[0].answer, HasSubstr("\"name\":\"cat\""));
  unit.items[0].key = (folder / "none.jpg").string();
  EXPECT_EQ(answer(asker, unit, {}).outcomes[0].error.code, Code::kNotFound);
  unit = unit_of(Form::kJson, {"{\"image\":\"" + (folder / "a.jpg").string() + "\",\"id\":3}"});
  const Answered answered = answer(asker, unit, {});
  EXPECT_TRUE(answered.outcomes[0].good);
  EXPECT_EQ(answered.outcomes[0].id, "3");
  EXPECT_EQ(answered.outcomes[0].key, (folder / "a.jpg").string());
}

TEST(Answer, SaysNothingOfAUnitThatNobodyCanAnswer) {
  EchoAsker asker;
  const Answered answered = answer(asker, unit_of(Form::kSentence, {"a", "gone", "b"}), {.pictures = false});
  ASSERT_TRUE(answered.fatal);
  EXPECT_EQ(answered.fatal->code, Code::kUnavailable);
  EXPECT_TRUE(answered.outcomes.empty());
}

TEST(JsonLine, TakesTheIdOutOfTheRow) {
  EXPECT_EQ(read_json_line(R"( { "a" : [1, 2] , "id" : "x" , "b":null } )", false, false)->row,
            R"({"a":[1, 2],"b":null})");
  EXPECT_EQ(read_json_line(R"({"id":1,"b":2})", false, true)->row, R"({"id":1,"b":2})");
  EXPECT_EQ(read_json_line("[1, 2]", false, false)->row, "[1, 2]");
  EXPECT_EQ(read_json_line("\"text\"", false, false)->row, "\"text\"");
  EXPECT_EQ(read_json_line("\"a.jpg\"", true, false)->picture, "a.jpg");
}

TEST(JsonLine, RefusesWhatAsksForNothing) {
  for (const char* line : {"", "{", "{}", "{\"id\":1}", "{\"a\":1} x", "{\"id\":[1],\"a\":1}", "\xff"}) {
    EXPECT_FALSE(read_json_line(line, false, false)) << line;
  }
  for (const char* line : {"{}", "[1]", "{\"image\":3}", "{\"image\":\"\"}", "{\"a\":1}"}) {
    EXPECT_FALSE(read_json_line(line, true, false)) << line;
  }
}

}  // namespace
}  // namespace bascule::runs
