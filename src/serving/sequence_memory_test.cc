#include "serving/sequence_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::serving {
namespace {

using tensor::DataType;
using tensor::NamedTensor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

tensor::Tensor floats(tensor::Shape shape, std::vector<float> values) {
  return tensor::copy_tensor<float>(DataType::kFp32, std::move(shape), values).value();
}

std::vector<float> values_of(const tensor::Tensor& tensor) {
  const auto elements = tensor.elements<float>();
  return {elements.begin(), elements.end()};
}

class SequenceMemoryTest : public testing::Test {
 protected:
  SequenceMemoryTest() {
    spec_.inputs = {{.name = "x", .type = DataType::kFp32, .shape = {-1, 1}},
                    {.name = "s", .type = DataType::kFp32, .shape = {-1, -1}, .optional = true}};
    spec_.outputs = {{.name = "y", .type = DataType::kFp32, .shape = {-1, 1}}};
    settings_.states = {{.input = "s", .output = "t", .initial = floats({1, 1}, {7})}};
  }
  std::shared_ptr<SequenceMemory> begun() { return std::make_shared<SequenceMemory>(kept_, true); }
  Result<void> take(std::vector<NamedTensor> outputs, SequenceMemory& memory, bool shared = false) {
    outputs_ = std::move(outputs);
    return take_states(spec_, settings_, {"t"}, shared, "m", memory, outputs_);
  }

  backend::ModelSpec spec_;
  content::SequenceBatching settings_;
  std::shared_ptr<KeptBytes> kept_ = std::make_shared<KeptBytes>(0);
  std::vector<NamedTensor> outputs_;
};

TEST_F(SequenceMemoryTest, GivesTheInitialStateAndThenWhatWasKept) {
  const auto memory = begun();
  content::InferRequest first;
  EXPECT_THAT(*add_states(spec_, settings_, *memory, "m", first), ElementsAre("t"));
  EXPECT_THAT(first.outputs, ElementsAre("y", "t"));
  ASSERT_EQ(first.inputs.size(), 1U);
  EXPECT_THAT(values_of(first.inputs[0].tensor), ElementsAre(7));
  ASSERT_TRUE(take({{"y", floats({1, 1}, {1})}, {"t", floats({1, 2}, {8, 9})}}, *memory));
  ASSERT_EQ(outputs_.size(), 1U) << "the state is not for the caller";
  EXPECT_EQ(outputs_[0].name, "y");
  EXPECT_EQ(*kept_, 8U);
  content::InferRequest second;
  ASSERT_TRUE(add_states(spec_, settings_, *memory, "m", second));
  EXPECT_EQ(second.inputs[0].name, "s");
  EXPECT_EQ(second.inputs[0].tensor.shape, (tensor::Shape{1, 2}))
      << "a state may grow where the input is open";
  EXPECT_THAT(values_of(second.inputs[0].tensor), ElementsAre(8, 9));
}

TEST_F(SequenceMemoryTest, LeavesAStateThatWasAskedFor) {
  const auto memory = begun();
  content::InferRequest request{.outputs = {"t"}};
  EXPECT_THAT(*add_states(spec_, settings_, *memory, "m", request), IsEmpty());
  EXPECT_THAT(request.outputs, ElementsAre("t"));
  std::vector<NamedTensor> outputs = {{"t", floats({1, 1}, {8})}};
  ASSERT_TRUE(take_states(spec_, settings_, {}, false, "m", *memory, outputs));
  EXPECT_EQ(outputs.size(), 1U);
  EXPECT_EQ(*kept_, 4U);
}

TEST_F(SequenceMemoryTest, CopiesAPartOfASharedRun) {
  const tensor::Tensor whole = floats({2, 1}, {1, 2});
  tensor::Tensor part = whole;
  part.shape[0] = 1;
  part.bytes = part.bytes.first(4);
  const auto memory = begun();
  ASSERT_TRUE(take({{"t", part}}, *memory, true));
  EXPECT_NE(memory->states()[0].tensor.owner, whole.owner);
  EXPECT_THAT(values_of(memory->states()[0].tensor), ElementsAre(1));
}

TEST_F(SequenceMemoryTest, AllSequencesTogetherKeepNoMoreThanTheLimit) {
  settings_.max_state_bytes = 12;
  auto one = begun();
  const auto two = begun();
  ASSERT_TRUE(take({{"t", floats({1, 2}, {1, 2})}}, *one));
  const auto refused = take({{"t", floats({1, 2}, {3, 4})}}, *two);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("max_state_mb"));
  EXPECT_EQ(*kept_, 8U) << "nothing has changed";
  EXPECT_TRUE(take({{"t", floats({1, 3}, {5, 6, 7})}}, *one)) << "its own bytes are replaced";
  EXPECT_EQ(*kept_, 12U);
  one.reset();
  EXPECT_EQ(*kept_, 0U);
  EXPECT_TRUE(take({{"t", floats({1, 2}, {3, 4})}}, *two));
}

TEST_F(SequenceMemoryTest, SaysSoWhereAReloadHasChangedTheState) {
  const auto memory = begun();
  ASSERT_TRUE(take({{"t", floats({1, 2}, {1, 2})}}, *memory));
  spec_.inputs[1].shape = {-1, 3};
  content::InferRequest request;
  const auto refused = add_states(spec_, settings_, *memory, "m", request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("Begin the sequence anew"));
  // The model had no states when the sequence began.
  const SequenceMemory late(kept_, false);
  EXPECT_FALSE(add_states(spec_, settings_, late, "m", request));
}

TEST_F(SequenceMemoryTest, RefusesAStateThatTheModelDoesNotTakeBack) {
  const auto memory = begun();
  const auto refused = take({{"t", floats({1}, {1})}}, *memory);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("gave its state 't' as FP32 of shape [1]"));
}

}  // namespace
}  // namespace bascule::serving
