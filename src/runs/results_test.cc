#include "runs/results.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runs/test_support.h"

namespace bascule::runs {
namespace {

using testing::HasSubstr;

Outcome good(std::string key, std::string answer, std::string id = {}) {
  return {.key = std::move(key), .id = std::move(id), .answer = std::move(answer), .good = true};
}

Outcome bad(std::string key) {
  return {.key = std::move(key), .id = {}, .answer = {}, .error = invalid_argument("It is \"bad\".")};
}

const std::string kRow = R"("label":"a, b","probabilities":{"x":0.25,"y":0.75},"ok":true,"none":null)";
const std::string kPicture =
    R"("shape":[4,8],"results":[{"name":"cat","class":1,"confidence":0.5},{"name":"dog","class":2,"confidence":0.75}])";

ResultsOptions options(const std::filesystem::path& out) {
  return {.out = out,
          .errors = errors_of(out),
          .pictures = false,
          .terms = {{"--conf", "0.25"}, {"--shard", ""}}};
}

// What is there after an end that nobody saw coming: written, but not saved.
void write_and_crash(const ResultsOptions& how, const std::string& key) {
  auto results = Results::open(how);
  ASSERT_TRUE(results) << results.error().message;
  ASSERT_TRUE(results->add(good(key, kRow)));
  ASSERT_TRUE(results->add(bad(key)));
  ASSERT_TRUE(results->flush());
}

TEST(Results, WritesJsonLinesAndErrorsBesideThem) {
  const TestFolder folder;
  auto results = Results::open(options(folder / "r.jsonl"));
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_FALSE(results->resumed());
  ASSERT_TRUE(results->add(good("a\"b", kRow, "7")));
  ASSERT_TRUE(results->add(bad("c")));
  ASSERT_TRUE(results->finish());
  EXPECT_EQ(folder.read("r.jsonl"), R"({"input":"a\"b","id":7,)" + kRow + "}\n");
  EXPECT_EQ(folder.read("r.errors.jsonl"),
            R"({"input":"c","error":"It is \"bad\".","code":"invalid_argument"})"
            "\n");
  EXPECT_FALSE(std::filesystem::exists(checkpoint_of(folder / "r.jsonl")));
}

TEST(Results, LeavesNoEmptyFileOfErrors) {
  const TestFolder folder;
  auto results = Results::open(options(folder / "r.jsonl"));
  ASSERT_TRUE(results->add(good("a", kRow)));
  ASSERT_TRUE(results->finish());
  EXPECT_FALSE(std::filesystem::exists(errors_of(folder / "r.jsonl")));
}

TEST(Results, GoOnFromTheCheckpointAndForgetWhatLiesBehindIt) {
  for (const char* name : {"r.jsonl", "r.csv", "r.sqlite"}) {
    SCOPED_TRACE(name);
    const TestFolder folder;
    const ResultsOptions how = options(folder / name);
    write_and_crash(how, "never saved");
    {
      auto results = Results::open(how);
      ASSERT_TRUE(results) << results.error().message;
      EXPECT_FALSE(results->resumed());
      ASSERT_TRUE(results->add(good("one", kRow)));
      ASSERT_TRUE(results->add(bad("two")));
      ASSERT_TRUE(results->save({.inputs = 2, .chain = 17}, "so far"));
    }
    write_and_crash(how, "lost");
    auto results = Results::open(how);
    ASSERT_TRUE(results) << results.error().message;
    EXPECT_TRUE(results->resumed());
    EXPECT_EQ(results->progress().position, (Position{.inputs = 2, .chain = 17}));
    EXPECT_EQ(results->progress().good, 1U);
    EXPECT_EQ(results->progress().bad, 1U);
    EXPECT_EQ(results->progress().report, "so far");
    ASSERT_TRUE(results->add(good("three", kRow)));
    ASSERT_TRUE(results->finish());
    EXPECT_THAT(folder.read("r.errors.jsonl"), HasSubstr("two"));
    EXPECT_THAT(folder.read("r.errors.jsonl"), testing::Not(HasSubstr("lost")));
    const std::string text = folder.read(name);
    EXPECT_THAT(text, HasSubstr("three"));
    if (std::string_view(name) == "r.csv") {
      EXPECT_EQ(text,
                "input,id,label,probabilities.x,probabilities.y,ok,none\n"
                "one,,\"a, b\",0.25,0.75,true,\n"
                "three,,\"a, b\",0.25,0.75,true,\n");
    }
  }
}

TEST(Results, ATableOfPicturesNamesTheSurest) {
  const TestFolder folder;
  ResultsOptions how = options(folder / "r.csv");
  how.pictures = true;
  auto results = Results::open(how);
  ASSERT_TRUE(results->add(good("a.jpg", kPicture, "\"k\"")));
  ASSERT_TRUE(results->add(good("b.jpg", R"("shape":[4,8],"results":[])")));
  ASSERT_TRUE(results->finish());
  const std::string text = folder.read("r.csv");
  EXPECT_THAT(text, testing::StartsWith("input,id,width,height,objects,label,confidence,results\n"
                                        "a.jpg,k,8,4,2,dog,0.75,\"[{\"\"name\"\":\"\"cat\"\""));
  EXPECT_THAT(text, testing::EndsWith("b.jpg,,8,4,0,,,[]\n"));
}

TEST(Results, ARowThatIsOfOtherColumnsIsNotPutIntoTheWrongOnes) {
  const TestFolder folder;
  auto results = Results::open(options(folder / "r.csv"));
  ASSERT_TRUE(results->add(good("a", R"("label":"x","value":1)")));
  EXPECT_TRUE(results->add(good("b", R"("value":2)")));
  EXPECT_FALSE(results->add(good("c", R"("value":2,"label":"x")")));
  EXPECT_FALSE(results->add(good("d", R"("other":2)")));
}

TEST(Results, RefusesAResultThatBelongsToNoRun) {
  const TestFolder folder;
  static_cast<void>(folder.write("r.jsonl", "precious\n"));
  ResultsOptions how = options(folder / "r.jsonl");
  EXPECT_EQ(Results::open(how).error().code, Code::kAlreadyExists);
  EXPECT_EQ(folder.read("r.jsonl"), "precious\n");
  EXPECT_FALSE(std::filesystem::exists(checkpoint_of(folder / "r.jsonl")));
  how.overwrite = true;
  EXPECT_TRUE(Results::open(how));
  EXPECT_EQ(folder.read("r.jsonl"), "");
}

TEST(Results, RefusesOtherTermsUntilItIsToldToBeginAnew) {
  const TestFolder folder;
  ResultsOptions how = options(folder / "r.jsonl");
  write_and_crash(how, "a");
  how.terms[0].second = "0.5";
  EXPECT_THAT(Results::open(how).error().message, HasSubstr("another --conf: '0.25' then, '0.5' now"));
  how.restart = true;
  EXPECT_TRUE(Results::open(how));
}

TEST(Results, SeesThatSomebodyChangedTheResult) {
  const TestFolder folder;
  const ResultsOptions how = options(folder / "r.jsonl");
  {
    auto results = Results::open(how);
    ASSERT_TRUE(results->add(good("one", kRow)));
    ASSERT_TRUE(results->save({.inputs = 1, .chain = 1}, ""));
  }
  static_cast<void>(folder.write("r.jsonl", "x"));
  EXPECT_THAT(Results::open(how).error().message, HasSubstr("was changed since"));
}

TEST(Results, LetsNoSecondRunWriteToTheSameFiles) {
  const TestFolder folder;
  const ResultsOptions how = options(folder / "r.jsonl");
  const auto first = Results::open(how);
  ASSERT_TRUE(first);
  EXPECT_THAT(Results::open(how).error().message, HasSubstr("Another run is writing"));
}

TEST(ResultForm, IsSaidByTheEnding) {
  EXPECT_EQ(*result_form("a/b.JSONL"), ResultForm::kJsonLines);
  EXPECT_EQ(*result_form("-"), ResultForm::kJsonLines);
  EXPECT_EQ(*result_form("b.csv"), ResultForm::kCsv);
  EXPECT_EQ(*result_form("b.db"), ResultForm::kSqlite);
  EXPECT_FALSE(result_form("b.parquet"));
}

}  // namespace
}  // namespace bascule::runs
