#include "tasks/table/rows.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "content/csv.h"

namespace bascule::tasks::table {
namespace {

using content::Cell;
using content::RowOutput;
using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

const tensor::TensorSpec kMatrix = {.name = "x", .type = DataType::kFp32, .shape = {-1, 3}};
const tensor::TensorSpec kLabel = {.name = "output_label", .type = DataType::kInt64, .shape = {-1}};
const tensor::TensorSpec kScores = {.name = "scores", .type = DataType::kFp32, .shape = {-1, 2}};

content::RowFormat format_of(const backend::ModelSpec& spec, const content::ModelDescription& said = {}) {
  auto format = row_format(spec, said);
  EXPECT_TRUE(format) << format.error().message;
  return format ? *std::move(format) : content::RowFormat{};
}

content::Table json_table(std::vector<std::string> columns, std::size_t width,
                          const std::vector<std::pair<Cell::Kind, std::string>>& cells) {
  content::Table table{.columns = std::move(columns), .width = width, .cells = {}, .text = {}};
  for (const auto& [kind, text] : cells) {
    table.cells.push_back({.at = static_cast<std::uint32_t>(table.text.size()),
                           .length = static_cast<std::uint32_t>(text.size()),
                           .kind = kind});
    table.text += text;
  }
  return table;
}

TEST(RowFormat, NamesAnswersByWhatTheyAre) {
  backend::ModelSpec spec{.inputs = {kMatrix}, .outputs = {kLabel, kScores}, .class_labels = {"no", "yes"}};
  const content::RowFormat format = format_of(spec);
  EXPECT_FALSE(format.named);
  EXPECT_EQ(format.columns.size(), 3U);
  ASSERT_EQ(format.outputs.size(), 2U);
  EXPECT_EQ(format.outputs[0].key, "label");
  EXPECT_TRUE(format.outputs[0].names.empty()) << "the file's label is told as it is";
  EXPECT_EQ(format.outputs[1].key, "probabilities");
  EXPECT_EQ(format.outputs[1].form, RowOutput::Form::kByClass);
  EXPECT_THAT(format.outputs[1].names, ElementsAre("no", "yes"));
}

TEST(RowFormat, AMapNamesItsOwnClasses) {
  backend::ModelSpec spec{.inputs = {kMatrix},
                          .outputs = {{.name = "p", .type = DataType::kFp32, .shape = {-1, -1}},
                                      {.name = "p_labels", .type = DataType::kString, .shape = {-1, -1}}}};
  const content::RowFormat format = format_of(spec);
  ASSERT_EQ(format.outputs.size(), 1U);
  EXPECT_EQ(format.outputs[0].names_tensor, "p_labels");
}

TEST(RowFormat, OneNumberIsTheValueAndOthersKeepTheirNames) {
  backend::ModelSpec spec{.inputs = {kMatrix}, .outputs = {{.name = "variable", .shape = {-1, 1}}}};
  EXPECT_EQ(format_of(spec).outputs[0].key, "value");
  spec.outputs = {{.name = "variable", .shape = {-1, 1}}, {.name = "embedding", .shape = {-1, 8}}};
  const content::RowFormat format = format_of(spec);
  EXPECT_EQ(format.outputs[0].key, "variable");
  EXPECT_EQ(format.outputs[1].key, "embedding");
  EXPECT_EQ(format.outputs[1].form, RowOutput::Form::kList);
}

TEST(RowFormat, SaysWhyThereAreNone) {
  const auto why = [](const backend::ModelSpec& spec, const content::ModelDescription& said = {}) {
    const auto format = row_format(spec, said);
    return format ? std::string("served") : format.error().message;
  };
  EXPECT_THAT(why({.inputs = {{.name = "x", .shape = {-1, 3, 4}}}, .outputs = {kLabel}}),
              HasSubstr("was expected"));
  EXPECT_THAT(why({.inputs = {{.name = "x", .shape = {-1, -1}}}, .outputs = {kLabel}}),
              HasSubstr("how many columns"));
  EXPECT_THAT(why({.inputs = {{.name = "x", .shape = {7, 3}}}, .outputs = {kLabel}}),
              HasSubstr("fixed number of rows"));
  EXPECT_THAT(why({.inputs = {kMatrix}, .outputs = {{.name = "s", .shape = {}}}}), HasSubstr("has no rows"));
  EXPECT_THAT(why({.inputs = {kMatrix}, .outputs = {kLabel}}, {.columns = {"a", "b"}}),
              HasSubstr("names 2, the model takes 3"));
  EXPECT_THAT(why({.inputs = {kMatrix}, .outputs = {kLabel}}, {.columns = {"a", "b", "a"}}),
              HasSubstr("'a' twice"));
}

TEST(EncodeRows, MatchesColumnsByName) {
  const backend::ModelSpec spec{.inputs = {kMatrix}, .outputs = {kLabel}};
  const content::RowFormat format = format_of(spec, {.columns = {"a", "b", "c"}});
  const auto table = content::read_csv("c,a,b\n3,1,2\n 6 ,4e0,+5\n");
  const auto inputs = encode_rows(format, spec, *table);
  ASSERT_TRUE(inputs) << inputs.error().message;
  EXPECT_EQ((*inputs)[0].tensor.shape, (tensor::Shape{2, 3}));
  EXPECT_THAT((*inputs)[0].tensor.elements<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(EncodeRows, OneInputForEachColumn) {
  const backend::ModelSpec spec{.inputs = {{.name = "age", .type = DataType::kInt64, .shape = {-1, 1}},
                                           {.name = "city", .type = DataType::kString, .shape = {-1}},
                                           {.name = "member", .type = DataType::kBool, .shape = {-1, 1}}},
                                .outputs = {kLabel}};
  const content::RowFormat format = format_of(spec);
  const auto inputs = encode_rows(format, spec,
                                  json_table({"member", "age", "city"}, 3,
                                             {{Cell::Kind::kFlag, "true"},
                                              {Cell::Kind::kNumber, "9007199254740993"},
                                              {Cell::Kind::kText, "Köln"}}));
  ASSERT_TRUE(inputs) << inputs.error().message;
  EXPECT_THAT((*inputs)[0].tensor.elements<std::int64_t>(), ElementsAre(9007199254740993))
      << "beyond a double's";
  EXPECT_THAT(*tensor::string_elements((*inputs)[1].tensor), ElementsAre("Köln"));
  EXPECT_EQ((*inputs)[1].tensor.shape, (tensor::Shape{1}));
  EXPECT_THAT((*inputs)[2].tensor.elements<std::uint8_t>(), ElementsAre(1));
}

TEST(EncodeRows, RefusalsNameRowAndColumn) {
  const backend::ModelSpec spec{.inputs = {kMatrix}, .outputs = {kLabel}};
  const content::RowFormat named = format_of(spec, {.columns = {"a", "b", "c"}});
  const auto why = [&](const content::RowFormat& format, const content::Table& table) {
    const auto inputs = encode_rows(format, spec, table);
    return inputs ? std::string("taken") : inputs.error().message;
  };
  EXPECT_EQ(why(named, *content::read_csv("a,b\n1,2\n")),
            "Row 1: column 'c' is missing; the model takes a, b, c.");
  EXPECT_EQ(why(named, *content::read_csv("a,b,c,d\n1,2,3,4\n")),
            "Row 1: column 'd' is none of the model's; it takes a, b, c.");
  EXPECT_EQ(why(named, *content::read_csv("a,b,c\n1,2,3\n1,two,3\n")),
            "Row 2, column 'b' is 'two'; a number was expected.");
  EXPECT_EQ(why(named, *content::read_csv("a,b,c\n1,,3\n")),
            "Row 1, column 'b' is empty; a number was expected.");
  EXPECT_EQ(why(named, *content::read_csv("a,b,c\n1,1e39,3\n")),
            "Row 1, column 'b' is '1e39'; a number that FP32 can hold was expected.");
  EXPECT_EQ(
      why(named,
          json_table({}, 3, {{Cell::Kind::kNumber, "1"}, {Cell::Kind::kText, "2"}, {Cell::Kind::kNull, ""}})),
      "Row 1, column 'b' is '2'; a number was expected.")
      << "JSON's texts are no numbers";
  const content::RowFormat unnamed = format_of(spec);
  EXPECT_THAT(why(unnamed, json_table({"a", "b", "c"}, 3, {{}, {}, {}})),
              HasSubstr("the model does not: name its 3"));
  EXPECT_THAT(why(unnamed, json_table({}, 1, {{Cell::Kind::kNumber, "1"}})),
              HasSubstr("has 1 value; the model takes 3"));
}

TEST(EncodeRows, WholeNumbersKeepTheirRange) {
  const backend::ModelSpec spec{.inputs = {{.name = "n", .type = DataType::kInt8, .shape = {-1}}},
                                .outputs = {kLabel}};
  const content::RowFormat format = format_of(spec);
  const auto fill = [&](const std::string& value) {
    return encode_rows(format, spec, json_table({"n"}, 1, {{Cell::Kind::kNumber, value}}));
  };
  EXPECT_THAT((*fill("-128"))[0].tensor.elements<std::int8_t>(), ElementsAre(-128));
  EXPECT_THAT((*fill("1e2"))[0].tensor.elements<std::int8_t>(), ElementsAre(100));
  for (const char* const bad : {"128", "1.5", "1e9", "-129"}) {
    EXPECT_EQ(fill(bad).error().message,
              std::string("Row 1, column 'n' is ") + bad + "; a whole number from -128 to 127 was expected.");
  }
}

TEST(DecodeRows, HoldsOutputsAgainstTheRows) {
  const backend::ModelSpec spec{
      .inputs = {kMatrix}, .outputs = {kLabel, kScores}, .class_labels = {"no", "yes"}};
  const content::RowFormat format = format_of(spec);
  const std::vector<std::int64_t> labels = {1, 0};
  const std::vector<float> scores = {0.25F, 0.75F, 0.5F, 0.5F};
  std::vector<tensor::NamedTensor> outputs;
  outputs.push_back(
      {.name = "output_label", .tensor = *tensor::copy_tensor<std::int64_t>(DataType::kInt64, {2}, labels)});
  outputs.push_back(
      {.name = "scores", .tensor = *tensor::copy_tensor<float>(DataType::kFp32, {2, 2}, scores)});
  const auto answers = decode_rows(format, outputs, 2);
  ASSERT_TRUE(answers) << answers.error().message;
  EXPECT_EQ(answers->columns[1].width, 2U);
  EXPECT_THAT(decode_rows(format, outputs, 3).error().message, HasSubstr("3 rows were sent"));
  outputs.pop_back();
  EXPECT_THAT(decode_rows(format, outputs, 2).error().message, HasSubstr("no output 'scores'"));
}

}  // namespace
}  // namespace bascule::tasks::table
