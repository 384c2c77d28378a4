#include "backend/identity/identity_backend.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::backend {
namespace {

using tensor::DataType;
using ::testing::HasSubstr;

ModelSpec pair_of(DataType in, DataType out) {
  return {.inputs = {{.name = "a", .type = in, .shape = {-1}}},
          .outputs = {{.name = "b", .type = out, .shape = {-1}}}};
}

Result<std::unique_ptr<Executable>> load(const ModelSpec* declared) {
  return make_identity_backend()->load("config.pbtxt", {.declared = declared});
}

TEST(IdentityBackend, GivesInputsBackInMemoryOfItsOwn) {
  const ModelSpec spec = pair_of(DataType::kFp32, DataType::kFp32);
  const auto model = load(&spec);
  ASSERT_TRUE(model) << model.error().message;
  auto slot = *tensor::make_tensor(DataType::kFp32, {2});
  slot.elements<float>()[0] = 1.5F;
  slot.elements<float>()[1] = -2;
  std::vector<tensor::NamedTensor> inputs;
  inputs.push_back({.name = "a", .tensor = slot.tensor});
  for (const std::vector<std::string>& wanted : {std::vector<std::string>{}, std::vector<std::string>{"b"}}) {
    const auto outputs = (*model)->run(inputs, wanted);
    ASSERT_TRUE(outputs) << outputs.error().message;
    ASSERT_EQ(outputs->size(), 1U);
    EXPECT_EQ(outputs->at(0).name, "b");
    EXPECT_TRUE(std::ranges::equal(outputs->at(0).tensor.bytes, slot.tensor.bytes));
    EXPECT_NE(outputs->at(0).tensor.bytes.data(), slot.tensor.bytes.data());
  }
  EXPECT_FALSE((*model)->run(inputs, std::vector<std::string>{"c"}));
  EXPECT_THAT((*model)->run({}, {}).error().message, HasSubstr("input 'a' has none"));
}

TEST(IdentityBackend, RefusesWhatIsNoIdentity) {
  EXPECT_FALSE(load(nullptr));
  const ModelSpec empty;
  EXPECT_FALSE(load(&empty));
  const ModelSpec other = pair_of(DataType::kFp32, DataType::kInt8);
  EXPECT_THAT(load(&other).error().message, HasSubstr("'a' is FP32 [-1] and output 'b' is INT8 [-1]"));
}

}  // namespace
}  // namespace bascule::backend
