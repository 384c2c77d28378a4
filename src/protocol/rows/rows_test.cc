#include "protocol/rows/rows.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::protocol::rows {
namespace {

using content::Cell;
using testing::ElementsAre;
using testing::HasSubstr;

Result<RowsCall> parse(std::string_view body, std::string_view type = "application/json",
                       std::string_view accept = {}) {
  return parse_rows({.bytes = std::as_bytes(std::span(body)), .owner = nullptr}, type, accept);
}

std::string refusal(std::string_view body, std::string_view type = "application/json") {
  const auto call = parse(body, type);
  return call ? std::string("taken") : call.error().message;
}

TEST(ParseRows, ObjectsInAnyOrderOfTheirMembers) {
  const auto call = parse(R"({"rows":[{"a":1,"b":"x\n"},{"b":null,"a":1.50}]})");
  ASSERT_TRUE(call) << call.error().message;
  const content::Table& table = *call->request.rows;
  EXPECT_THAT(table.columns, ElementsAre("a", "b"));
  ASSERT_EQ(table.rows(), 2U);
  EXPECT_EQ(table.text_of(table.cells[1]), "x\n");
  EXPECT_EQ(table.text_of(table.cells[2]), "1.50");
  EXPECT_EQ(table.cells[3].kind, Cell::Kind::kNull);
  EXPECT_EQ(call->style, Style::kRows);
}

TEST(ParseRows, ListsSingleValuesAndTexts) {
  EXPECT_EQ(parse(R"({"rows":[[1,2],[3,4]]})")->request.rows->width, 2U);
  EXPECT_EQ(parse(R"({"rows":[1,2,3]})")->request.rows->rows(), 3U);
  EXPECT_EQ(parse(R"({"text":"hello"})")->request.rows->rows(), 1U);
  EXPECT_EQ(parse(R"({"text":["a","b"]})")->request.rows->rows(), 2U);
  EXPECT_EQ(parse(R"({"signature_name":"serving_default","instances":[[1],[2]]})")->style,
            Style::kPredictions);
  EXPECT_EQ(parse("how are you?", "text/plain; charset=utf-8")->request.rows->text, "how are you?");
  EXPECT_EQ(parse("a\n1\n", "text/csv")->style, Style::kCsv);
  EXPECT_EQ(parse("a\n1\n", "text/csv", "application/json")->style, Style::kRows);
  EXPECT_EQ(parse(R"({"rows":[[1]]})", "application/json", "text/csv")->style, Style::kCsv);
}

TEST(ParseRows, RefusesWithTheRow) {
  EXPECT_EQ(refusal(R"({"rows":[{"a":1},{"b":1}]})"), "Row 2 has a column 'b', which the first row has not.");
  EXPECT_EQ(refusal(R"({"rows":[{"a":1,"b":2},{"a":1}]})"),
            "Row 2: column 'b' is missing, which the first row has.");
  EXPECT_EQ(refusal(R"({"rows":[{"a":1,"a":2}]})"), "Row 1 has column 'a' twice.");
  EXPECT_EQ(refusal(R"({"rows":[{"a":1},{"a":1,"a":2}]})"), "Row 2 has column 'a' twice.");
  EXPECT_EQ(refusal(R"({"rows":[[1,2],[3]]})"), "Row 2 has 1 values, and the first has 2.");
  EXPECT_EQ(refusal(R"({"rows":[[1],{"a":1}]})"),
            "Row 2 is an object, and the first is a list; send all rows in one form.");
  EXPECT_THAT(refusal(R"({"rows":[{"a":[1]}]})"), HasSubstr("Row 1, column 'a' is a list"));
  EXPECT_THAT(refusal(R"({"rows":[[1,{}]]})"), HasSubstr("Row 1, column 2 is an object"));
  EXPECT_THAT(refusal(R"({"rows":[]})"), HasSubstr("'rows' is empty"));
  EXPECT_THAT(refusal(R"({"rows":[{}]})"), HasSubstr("Row 1 is empty"));
  EXPECT_THAT(refusal(R"({"rows":{"a":[1]}})"), HasSubstr("'rows' is an object; a list was expected"));
  EXPECT_THAT(refusal(R"({"row":[]})"), HasSubstr("Unknown member 'row'"));
  EXPECT_THAT(refusal(R"({"rows":[[1]],"text":"x"})"), HasSubstr("There are 'rows' and 'text'"));
  EXPECT_THAT(refusal("{}"), HasSubstr("has no rows"));
  EXPECT_THAT(refusal("\xFF", "text/plain"), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal("x", "application/pdf"), HasSubstr("'application/pdf' holds no rows"));
}

TEST(BringsRows, TellsRowsFromPictures) {
  EXPECT_TRUE(brings_rows("application/json", R"({"rows":[]})"));
  EXPECT_TRUE(brings_rows("application/x-www-form-urlencoded", R"( {"text":"x"})"));
  EXPECT_FALSE(brings_rows("application/x-www-form-urlencoded", "source=x"));
  EXPECT_FALSE(brings_rows("application/json", R"({"conf":0.5,"source":"https://x/y.jpg"})"));
  EXPECT_FALSE(brings_rows("image/jpeg", "\xFF\xD8"));
  EXPECT_FALSE(brings_rows("multipart/form-data; boundary=x", "--x"));
}

TEST(ParseRows, Mutations) {
  const std::string body = R"({"rows":[{"a":1.5,"b":"x\u00e9","c":true},{"c":false,"b":"","a":-2e3}]})";
  std::mt19937 random(11);  // NOLINT: a fixed seed, so that a failure comes again
  for (int i = 0; i < 1000; ++i) {
    std::string changed = body;
    for (int k = 0; k < 1 + i % 3; ++k) changed[random() % changed.size()] = static_cast<char>(random());
    const auto call = parse(changed);
    if (!call) continue;
    EXPECT_EQ(call->request.rows->cells.size() % call->request.rows->width, 0U);
  }
}

content::InferResponse answer() {
  auto info = std::make_shared<content::ModelInfo>();
  auto format = std::make_shared<content::RowFormat>();
  format->outputs = {{.key = "label", .tensor = "y", .names = {"no", "yes"}},
                     {.key = "probabilities",
                      .tensor = "p",
                      .form = content::RowOutput::Form::kByClass,
                      .names = {"no", "yes, \"sure\""}}};
  info->rows = format;
  content::RowAnswers rows{.rows = 2, .columns = {}};
  const std::vector<std::int64_t> labels = {1, 7};
  const std::vector<float> scores = {0.25F, 0.75F, std::numeric_limits<float>::quiet_NaN(), 1};
  rows.columns.push_back(
      {.values = *tensor::copy_tensor<std::int64_t>(tensor::DataType::kInt64, {2}, labels)});
  rows.columns.push_back(
      {.values = *tensor::copy_tensor<float>(tensor::DataType::kFp32, {2, 2}, scores), .width = 2});
  content::InferResponse out{.model = info, .rows = std::move(rows)};
  return out;
}

TEST(WriteRows, EachStyle) {
  EXPECT_EQ(write_rows(answer(), Style::kRows)->head,
            R"({"rows":[{"label":"yes","probabilities":{"no":0.25,"yes, \"sure\"":0.75}},)"
            R"({"label":7,"probabilities":{"no":null,"yes, \"sure\"":1}}]})");
  EXPECT_EQ(write_rows(answer(), Style::kPredictions)->head,
            R"({"predictions":[{"y":1,"p":[0.25,0.75]},{"y":7,"p":[null,1]}]})");
  EXPECT_EQ(write_rows(answer(), Style::kCsv)->head,
            "label,probabilities.no,\"probabilities.yes, \"\"sure\"\"\"\nyes,0.25,0.75\n7,,1\n");
}

TEST(ExampleBody, IsWhatTheModelTakes) {
  content::RowFormat format{.columns = {{.name = "a"}, {.name = "b", .type = tensor::DataType::kString}},
                            .named = true};
  EXPECT_EQ(example_body(format), R"({"rows":[{"a":0,"b":"text"}]})");
  format.named = false;
  EXPECT_EQ(example_body(format), R"({"rows":[[0,"text"]]})");
  format.columns.erase(format.columns.begin());
  EXPECT_EQ(example_body(format), R"({"text":"Hello"})");
}

}  // namespace
}  // namespace bascule::protocol::rows
