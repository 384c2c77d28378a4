#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/backend.h"

namespace bascule::backend {
namespace {

using tensor::DataType;
using tensor::kDynamic;
using tensor::NamedTensor;
using tensor::Shape;

ModelSpec detector() {
  ModelSpec spec;
  spec.inputs = {{.name = "images", .type = DataType::kFp32, .shape = {kDynamic, 3, kDynamic, kDynamic}},
                 {.name = "names", .type = DataType::kString, .shape = {kDynamic}, .optional = true},
                 {.name = "limit", .type = DataType::kInt64, .shape = {}}};
  spec.outputs = {{.name = "boxes"}, {.name = "scores"}};
  return spec;
}

// A tensor whose bytes are as many as given, all zero.
NamedTensor input(std::string name, DataType type, Shape shape, std::size_t bytes) {
  auto memory = tensor::make_tensor(DataType::kUint8, {static_cast<std::int64_t>(bytes)}).value();
  std::ranges::fill(memory.bytes, std::byte{0});
  memory.tensor.type = type;
  memory.tensor.shape = std::move(shape);
  return {.name = std::move(name), .tensor = std::move(memory.tensor)};
}

NamedTensor images() { return input("images", DataType::kFp32, {1, 3, 2, 2}, 48); }
NamedTensor limit() { return input("limit", DataType::kInt64, {}, 8); }

struct Case {
  const char* name;
  std::vector<NamedTensor> inputs;
  std::string message;
  Reason reason;
  ErrorFields fields;
};

std::vector<Case> refused() {
  return {
      {"Unknown",
       {images(), limit(), input("pictures_of_my_cat", DataType::kFp32, {1}, 4)},
       "The model has no input 'pictures_of_my_cat'; its inputs are 'images', 'names', 'limit'.",
       Reason::kUnknownInput,
       {.name = "pictures_of_my_cat"}},
      {"Misspelt",
       {input("image", DataType::kFp32, {1, 3, 2, 2}, 48)},
       "The model has no input 'image'; did you mean 'images'?",
       Reason::kUnknownInput,
       {.name = "image", .expected = "images"}},
      {"Duplicated",
       {images(), limit(), images()},
       "Input 'images' was given more than once.",
       Reason::kDuplicateInput,
       {.name = "images"}},
      {"Missing",
       {limit()},
       "Input 'images' is missing; the model needs it as FP32 of shape [-1,3,-1,-1].",
       Reason::kMissingInput,
       {.name = "images", .expected = "FP32"}},
      {"AllMissing",
       {},
       "Inputs 'images', 'limit' are missing.",
       Reason::kMissingInput,
       {.name = "images", .expected = "FP32"}},
      {"Datatype",
       {input("images", DataType::kUint8, {1, 3, 2, 2}, 12), limit()},
       "Input 'images' has datatype UINT8, but the model wants FP32.",
       Reason::kDatatypeMismatch,
       {.name = "images", .expected = "FP32", .got = "UINT8"}},
      {"Rank",
       {input("images", DataType::kFp32, {1, 3, 640}, 7680), limit()},
       "Input 'images' has shape [1,3,640], but the model wants [-1,3,-1,-1].",
       Reason::kShapeMismatch,
       {.name = "images", .expected = "[-1,3,-1,-1]", .got = "[1,3,640]"}},
      {"Dimension",
       {input("images", DataType::kFp32, {1, 4, 2, 2}, 64), limit()},
       "Input 'images' has shape [1,4,2,2], but the model wants [-1,3,-1,-1].",
       Reason::kShapeMismatch,
       {.name = "images", .expected = "[-1,3,-1,-1]", .got = "[1,4,2,2]"}},
      {"NegativeDimension",
       {input("images", DataType::kFp32, {-1, 3, 2, 2}, 48), limit()},
       "Input 'images': Shape [-1,3,2,2] has the negative dimension -1.",
       Reason::kShapeMismatch,
       {.name = "images", .expected = "[-1,3,-1,-1]"}},
      {"Overflow",
       {input("images", DataType::kFp32, {1LL << 40, 3, 1LL << 40, 1}, 4), limit()},
       "Input 'images': Shape [1099511627776,3,1099511627776,1] has more than 2^48 elements.",
       Reason::kShapeMismatch,
       {.name = "images", .expected = "[-1,3,-1,-1]"}},
      {"TooFewBytes",
       {input("images", DataType::kFp32, {1, 3, 2, 2}, 47), limit()},
       "Input 'images' of shape [1,3,2,2] and datatype FP32 needs 48 bytes, but 47 were given.",
       Reason::kDataSizeMismatch,
       {.name = "images", .expected = "48", .got = "47"}},
      {"TooManyBytes",
       {input("images", DataType::kFp32, {0, 3, 2, 2}, 1), limit()},
       "Input 'images' of shape [0,3,2,2] and datatype FP32 needs 0 bytes, but 1 were given.",
       Reason::kDataSizeMismatch,
       {.name = "images", .expected = "0", .got = "1"}},
      {"StringLengths",
       {images(), limit(), input("names", DataType::kString, {3}, 8)},
       "Input 'names': 8 bytes of BYTES data hold 2 whole elements; shape [3] needs 3.",
       Reason::kDataSizeMismatch,
       {.name = "names"}},
      {"StringRest",
       {images(), limit(), input("names", DataType::kString, {1}, 8)},
       "Input 'names': 8 bytes of BYTES data hold 1 whole elements; shape [1] needs 1.",
       Reason::kDataSizeMismatch,
       {.name = "names"}},
  };
}

TEST(CheckInputs, SaysExactlyWhatDoesNotFit) {
  const ModelSpec spec = detector();
  for (const Case& c : refused()) {
    SCOPED_TRACE(c.name);
    const auto checked = check_inputs(spec, c.inputs);
    ASSERT_FALSE(checked);
    const Error& error = checked.error();
    EXPECT_EQ(error.code, Code::kInvalidArgument);
    EXPECT_EQ(error.message, c.message);
    EXPECT_EQ(to_string(error.reason), to_string(c.reason));
    EXPECT_EQ(error.fields.name, c.fields.name);
    EXPECT_EQ(error.fields.expected, c.fields.expected);
    EXPECT_EQ(error.fields.got, c.fields.got);
  }
}

ModelSpec pair_of_four() {
  ModelSpec spec;
  spec.inputs = {{.name = "a", .type = DataType::kFp32, .shape = {4, 2}},
                 {.name = "b", .type = DataType::kFp32, .shape = {4, kDynamic}}};
  spec.outputs = {{.name = "y", .type = DataType::kFp32, .shape = {4}}};
  return spec;
}

TEST(CheckInputs, KnowsAFixedBatch) {
  EXPECT_EQ(static_batch(pair_of_four()), 4U);
  EXPECT_EQ(static_batch(detector()), 0U);
  auto other = pair_of_four();
  other.outputs.push_back({.name = "sum", .type = DataType::kFp32, .shape = {1}});
  EXPECT_EQ(static_batch(other), 0U);
  auto one = pair_of_four();
  for (auto* specs : {&one.inputs, &one.outputs}) {
    for (auto& spec : *specs) spec.shape[0] = 1;
  }
  EXPECT_EQ(static_batch(one), 0U);
}

TEST(CheckInputs, AFixedBatchThatIsPaddedTakesFewerRows) {
  const ModelSpec spec = pair_of_four();
  const auto rows = [](const char* name, std::int64_t count) {
    return input(name, DataType::kFp32, {count, 2}, static_cast<std::size_t>(count) * 8);
  };
  for (const std::int64_t count : {1, 3, 4}) {
    const NamedTensor inputs[] = {rows("a", count), rows("b", count)};
    EXPECT_TRUE(check_inputs(spec, inputs, true)) << count;
    EXPECT_EQ(check_inputs(spec, inputs).has_value(), count == 4) << count;
  }
  const NamedTensor many[] = {rows("a", 5), rows("b", 5)};
  EXPECT_EQ(check_inputs(spec, many, true).error().message,
            "Input 'a' has shape [5,2], but the model wants [4,2], or fewer rows.");
  const NamedTensor none[] = {rows("a", 0), rows("b", 0)};
  EXPECT_FALSE(check_inputs(spec, none, true));
  const NamedTensor unequal[] = {rows("a", 2), rows("b", 3)};
  EXPECT_EQ(check_inputs(spec, unequal, true).error().message,
            "Input 'a' has 2 rows and input 'b' has 3; all inputs of a request have as many.");
  const NamedTensor scalar[] = {input("a", DataType::kFp32, {}, 4), rows("b", 3)};
  EXPECT_FALSE(check_inputs(spec, scalar, true));
}

TEST(CheckInputs, TakesWhatFitsInAnyOrderWithOrWithoutOptionalInputs) {
  const ModelSpec spec = detector();
  EXPECT_TRUE(check_inputs(spec, std::array{images(), limit()}));
  EXPECT_TRUE(check_inputs(spec, std::array{limit(), input("images", DataType::kFp32, {0, 3, 9, 9}, 0)}));
  EXPECT_TRUE(check_inputs(spec, std::array{input("names", DataType::kString, {2}, 8), limit(), images()}));
  EXPECT_TRUE(check_inputs(spec, std::array{input("names", DataType::kString, {0}, 0), limit(), images()}));
}

TEST(CheckInputs, LeavesTheShapeToTheEngineWhereTheModelNamesNone) {
  const ModelSpec spec = detector();
  EXPECT_TRUE(check_inputs(spec, std::array{images(), input("limit", DataType::kInt64, {2, 2}, 32)}));
  EXPECT_FALSE(check_inputs(spec, std::array{images(), input("limit", DataType::kInt64, {2, 2}, 31)}));
}

TEST(CheckInputs, KeepsAHostileNameShortAndOnOneLine) {
  const auto checked =
      check_inputs(detector(), std::array{input("a\n" + std::string(1 << 20, 'x'), DataType::kFp32, {1}, 4)});
  ASSERT_FALSE(checked);
  EXPECT_LT(checked.error().message.size(), 250U);
  EXPECT_THAT(checked.error().message, testing::Not(testing::HasSubstr("\n")));
}

TEST(CheckInputs, ListsOnlySomeOfManyNames) {
  ModelSpec spec;
  for (int i = 0; i < 100; ++i) spec.inputs.push_back({.name = "x" + std::to_string(i)});
  const auto checked = check_inputs(spec, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message,
            "Inputs 'x0', 'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7' and 92 more are missing.");
}

TEST(CheckOutputs, KnowsTheModelsOutputs) {
  const ModelSpec spec = detector();
  EXPECT_TRUE(check_outputs(spec, {}));
  EXPECT_TRUE(check_outputs(spec, std::array<std::string, 2>{"scores", "boxes"}));

  const auto unknown = check_outputs(spec, std::array<std::string, 1>{"classes_of_everything"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message,
            "The model has no output 'classes_of_everything'; its outputs are 'boxes', 'scores'.");
  EXPECT_EQ(unknown.error().reason, Reason::kUnknownOutput);
  EXPECT_EQ(unknown.error().fields.name, "classes_of_everything");

  const auto misspelt = check_outputs(spec, std::array<std::string, 1>{"score"});
  ASSERT_FALSE(misspelt);
  EXPECT_EQ(misspelt.error().message, "The model has no output 'score'; did you mean 'scores'?");

  const auto twice = check_outputs(spec, std::array<std::string, 2>{"boxes", "boxes"});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message, "Output 'boxes' was given more than once.");
  EXPECT_EQ(twice.error().reason, Reason::kDuplicateOutput);
}

}  // namespace
}  // namespace bascule::backend
