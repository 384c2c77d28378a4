#include "serving/sequence_controls.h"

#include <cstdint>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::serving {
namespace {

using content::ControlKind;
using content::SequenceId;
using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;
using Inputs = std::vector<tensor::NamedTensor>;

class Controls : public testing::Test {
 protected:
  Controls() {
    spec_.inputs = {input("x", DataType::kFp32), input("S", DataType::kInt32), input("E", DataType::kFp32),
                    input("R", DataType::kBool), input("C", DataType::kUint64)};
    spec_.outputs = {input("y", DataType::kFp32)};
    settings_.controls = {
        {.name = "S", .kind = ControlKind::kStart, .type = DataType::kInt32},
        {.name = "E", .kind = ControlKind::kEnd, .type = DataType::kFp32, .false_true = {-1, 2.5}},
        {.name = "R", .kind = ControlKind::kReady, .type = DataType::kBool},
        {.name = "C", .kind = ControlKind::kCorrelationId, .type = DataType::kUint64}};
  }
  static tensor::TensorSpec input(std::string name, DataType type) {
    return {.name = std::move(name), .type = type, .shape = {-1, 1}};
  }
  static Inputs rows(std::int64_t count) {
    const std::vector<float> values(static_cast<std::size_t>(count));
    return {{.name = "x", .tensor = *tensor::copy_tensor<float>(DataType::kFp32, {count, 1}, values)}};
  }
  void take_id_as(DataType type) {
    spec_.inputs[4].type = type;
    settings_.controls[3].type = type;
  }
  Result<void> add(const content::SequenceStep& step, Inputs& inputs) {
    return add_controls(spec_, settings_, step, "m", inputs);
  }
  Error refusal(const SequenceId& id) {
    Inputs inputs = rows(1);
    const auto added = add({.id = id}, inputs);
    return added ? Error{.message = "none"} : added.error();
  }

  backend::ModelSpec spec_;
  content::SequenceBatching settings_;
};

TEST_F(Controls, SayWhereTheSequenceIs) {
  Inputs inputs = rows(1);
  ASSERT_TRUE(add({.id = std::uint64_t{7}, .start = true}, inputs));
  ASSERT_EQ(inputs.size(), 5U);
  EXPECT_EQ(inputs[1].name, "S");
  EXPECT_THAT(inputs[1].tensor.shape, ElementsAre(1, 1));
  EXPECT_THAT(inputs[1].tensor.elements<std::int32_t>(), ElementsAre(1));
  EXPECT_THAT(inputs[2].tensor.elements<float>(), ElementsAre(-1));
  EXPECT_THAT(inputs[3].tensor.elements<bool>(), ElementsAre(true));
  EXPECT_THAT(inputs[4].tensor.elements<std::uint64_t>(), ElementsAre(7));
  EXPECT_TRUE(backend::check_inputs(spec_, inputs));

  inputs = rows(1);
  ASSERT_TRUE(add({.id = std::uint64_t{7}, .end = true}, inputs));
  EXPECT_THAT(inputs[1].tensor.elements<std::int32_t>(), ElementsAre(0));
  EXPECT_THAT(inputs[2].tensor.elements<float>(), ElementsAre(2.5F));
}

TEST_F(Controls, TakeTheIdInTheDatatypeThatIsConfigured) {
  take_id_as(DataType::kString);
  Inputs inputs = rows(1);
  ASSERT_TRUE(add({.id = "ab"}, inputs));
  EXPECT_THAT(*tensor::string_elements(inputs[4].tensor), ElementsAre("ab"));
  EXPECT_THAT(refusal(std::uint64_t{7}).message, HasSubstr("is a number, but model 'm' takes it as BYTES"));

  take_id_as(DataType::kInt32);
  EXPECT_EQ(refusal(std::uint64_t{std::numeric_limits<std::int32_t>::max()}).message, "none");
  const Error error = refusal(std::uint64_t{1} << 31U);
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_THAT(error.message,
              HasSubstr("is the number 2147483648, but model 'm' takes it as INT32 (input 'C')"));
  EXPECT_THAT(refusal("7").message, HasSubstr("is a text"));
}

TEST_F(Controls, FillAnInputWithoutRows) {
  for (auto& one : spec_.inputs) one.shape = {2, 1};
  spec_.outputs[0].shape = {1};
  Inputs inputs = rows(2);
  ASSERT_TRUE(add({.id = std::uint64_t{7}, .start = true}, inputs));
  EXPECT_THAT(inputs[1].tensor.shape, ElementsAre(2, 1));
  EXPECT_THAT(inputs[1].tensor.elements<std::int32_t>(), ElementsAre(1, 1));
}

TEST_F(Controls, AreNotForClients) {
  Inputs inputs = rows(1);
  inputs.push_back({.name = "E", .tensor = inputs[0].tensor});
  const auto added = add({.id = std::uint64_t{7}}, inputs);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().reason, Reason::kUnknownInput);
  EXPECT_THAT(added.error().message, HasSubstr("Input 'E' of model 'm' is filled by the server"));
}

TEST_F(Controls, AreForRequestsOfOneRow) {
  Inputs inputs = rows(2);
  const auto added = add({.id = std::uint64_t{7}}, inputs);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().reason, Reason::kShapeMismatch);
  EXPECT_THAT(added.error().message, HasSubstr("must specify batch-size 1"));
}

TEST_F(Controls, OfAModelThatHasNoneAreTheConfigurationsFault) {
  spec_.inputs.pop_back();
  EXPECT_EQ(refusal(std::uint64_t{7}).code, Code::kFailedPrecondition);
  settings_.controls[0].type = DataType::kFp64;
  EXPECT_THAT(refusal(std::uint64_t{7}).message, HasSubstr("'S' is configured as FP64"));
}

}  // namespace
}  // namespace bascule::serving
