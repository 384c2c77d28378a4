#include "catalog/configured.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "backend/fake/fake_backend.h"

namespace bascule::catalog {
namespace {

using backend::ModelSpec;
using content::ModelConfig;
using tensor::DataType;
using tensor::NamedTensor;
using tensor::Shape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A file with the inputs x (FP32) and START (INT32), and the outputs y and z.
class Configured : public ::testing::Test {
 protected:
  static ModelSpec file(Shape x = {-1, -1}, bool start = false) {
    ModelSpec spec{.format = "fake"};
    spec.inputs.push_back({.name = "x", .type = DataType::kFp32, .shape = x});
    if (start) spec.inputs.push_back({.name = "START", .type = DataType::kInt32, .shape = {-1, 1}});
    spec.outputs.push_back({.name = "y", .type = DataType::kFp32, .shape = x});
    spec.outputs.push_back({.name = "z", .type = DataType::kFp32, .shape = x});
    return spec;
  }

  Result<std::unique_ptr<backend::Executable>> with(const ModelSpec& spec, const ModelConfig& config) {
    backend::FakeBackend engine;
    engine.add("m", {.spec = spec, .run = [this](std::span<const NamedTensor> inputs) {
                       seen_.assign(inputs.begin(), inputs.end());
                       std::vector<NamedTensor> out = {{.name = "y", .tensor = inputs[0].tensor},
                                                       {.name = "z", .tensor = inputs[0].tensor}};
                       return Result<std::vector<NamedTensor>>(std::move(out));
                     }});
    auto loaded = engine.load("m.fake", {});
    inner_ = loaded->get();
    return configure(*std::move(loaded), config);
  }

  std::string refusal(const ModelSpec& spec, const ModelConfig& config) {
    const auto made = with(spec, config);
    return made ? "it was accepted" : made.error().message;
  }

  static NamedTensor input(const Shape& shape) {
    return {.name = "x", .tensor = tensor::make_tensor(DataType::kFp32, shape)->tensor};
  }

  static ModelConfig batched(const Shape& dims) {
    ModelConfig config{.origin = "config.pbtxt", .max_batch_size = 8};
    config.inputs.push_back({.name = "x", .type = DataType::kFp32, .dims = dims});
    return config;
  }

  std::vector<NamedTensor> seen_;
  const backend::Executable* inner_ = nullptr;
};

TEST_F(Configured, IsTheSameWhereNothingDiffers) {
  EXPECT_EQ(with(file(), {.origin = "config.pbtxt"})->get(), inner_);
  EXPECT_EQ(with(file(), {.origin = "config.pbtxt", .max_batch_size = 4})->get(), inner_);
  EXPECT_EQ(with(file(), batched({-1}))->get(), inner_);
  EXPECT_NE(with(file(), batched({3}))->get(), inner_);
}

TEST_F(Configured, RestrictsAndHides) {
  ModelConfig config = batched({3});
  config.outputs.push_back({.name = "z", .dims = {3}});
  const auto model = with(file(), config);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT((*model)->spec().inputs[0].shape, ElementsAre(-1, 3));
  ASSERT_THAT((*model)->spec().outputs, SizeIs(1));
  EXPECT_THAT((*model)->spec().outputs[0].shape, ElementsAre(-1, 3));
  const std::vector<NamedTensor> inputs = {input({2, 3})};
  const auto outputs = (*model)->run(inputs, {});
  ASSERT_TRUE(outputs);
  ASSERT_THAT(*outputs, SizeIs(1));
  EXPECT_EQ(outputs->at(0).name, "z");
}

TEST_F(Configured, NamesBothWhereTheyContradict) {
  EXPECT_THAT(refusal(file({-1, 4}), batched({3})), HasSubstr("dims [3] behind the batch dimension, but the "
                                                              "model file has shape [-1,4]"));
  EXPECT_THAT(refusal(file({-1, 4}), batched({-1})), HasSubstr("shape [-1,4]"));
  EXPECT_THAT(refusal(file({-1, 4}), batched({4, 1})), HasSubstr("shape [-1,4]"));
  EXPECT_THAT(refusal(file({1, 4}), batched({4})), HasSubstr("max_batch_size is 8"));
  EXPECT_THAT(refusal(file({1, 4}), {.origin = "c", .max_batch_size = 2}), HasSubstr("no batch of so many"));
  ModelConfig config = batched({4});
  config.inputs[0].type = DataType::kInt8;
  EXPECT_THAT(refusal(file({-1, 4}), config), HasSubstr("declared as INT8, but the model file has FP32"));
  config = batched({4});
  config.inputs[0].name = "w";
  EXPECT_THAT(refusal(file({-1, 4}), config),
              HasSubstr("declares input 'w', but the inputs of the model file are 'x'"));
  config = batched({4});
  config.outputs.push_back({.name = "q"});
  EXPECT_THAT(refusal(file({-1, 4}), config), HasSubstr("declares output 'q'"));
  EXPECT_THAT(refusal(file({-1, 4}, true), batched({4})), HasSubstr("needs input 'START'"));
}

TEST_F(Configured, ReshapesBothWays) {
  ModelConfig config{.origin = "config.pbtxt", .max_batch_size = 0};
  config.inputs.push_back({.name = "x", .dims = {3, 2}, .reshape = Shape{1, 3, 2}});
  config.outputs.push_back({.name = "y", .dims = {6}, .reshape = Shape{1, 3, 2}});
  const auto model = with(file({1, 3, 2}), config);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT((*model)->spec().inputs[0].shape, ElementsAre(3, 2));
  const std::vector<NamedTensor> inputs = {input({3, 2})};
  const auto outputs = (*model)->run(inputs, {});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_THAT(seen_[0].tensor.shape, ElementsAre(1, 3, 2));
  EXPECT_EQ(seen_[0].tensor.bytes.data(), inputs[0].tensor.bytes.data());
  EXPECT_THAT(outputs->at(0).tensor.shape, ElementsAre(6));

  config.inputs[0].reshape = Shape{1, 3, 3};
  EXPECT_THAT(refusal(file({1, 3, 3}), config), HasSubstr("[3,2], which cannot be reshaped to [1,3,3]"));
}

TEST_F(Configured, ReshapesOpenDimensionsBehindTheBatch) {
  ModelConfig config = batched({-1});
  config.inputs[0].reshape = Shape{1, -1};
  const auto model = with(file({-1, 1, -1}), config);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT((*model)->spec().inputs[0].shape, ElementsAre(-1, -1));
  const std::vector<NamedTensor> inputs = {input({2, 5})};
  ASSERT_TRUE((*model)->run(inputs, {}));
  EXPECT_THAT(seen_[0].tensor.shape, ElementsAre(2, 1, 5));
}

TEST_F(Configured, FillsControlsThatNobodyGives) {
  ModelConfig config = batched({4});
  config.sequences.emplace();
  config.sequences->controls.push_back({.name = "START", .type = DataType::kInt32, .false_true = {-3, 1}});
  const auto model = with(file({-1, 4}, true), config);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE((*model)->spec().inputs.back().optional);
  const std::vector<NamedTensor> inputs = {input({2, 4})};
  ASSERT_TRUE((*model)->run(inputs, {}));
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_THAT(seen_[1].tensor.shape, ElementsAre(2, 1));
  EXPECT_EQ(*reinterpret_cast<const std::int32_t*>(seen_[1].tensor.bytes.data()), -3);

  config.sequences->controls[0].type = DataType::kFp32;
  EXPECT_THAT(refusal(file({-1, 4}, true), config),
              HasSubstr("declared as FP32, but the model file has INT32"));
  config.sequences->controls[0].name = "READY";
  EXPECT_THAT(refusal(file({-1, 4}), config), HasSubstr("declares control input 'READY', but the inputs"));
}

TEST(Labels, AreReadFromTheModelsFolder) {
  const auto root = std::filesystem::temp_directory_path() / fmt::format("bascule-labels-{}", ::getpid());
  std::filesystem::create_directories(root / "m");
  std::ofstream(root / "m/labels.txt") << "cat\r\ndog\n\nbird\n\n";
  std::ofstream(root / "secret.txt") << "no";
  ModelConfig config{.origin = "config.pbtxt"};
  config.outputs.push_back({.name = "y", .labels = "labels.txt"});
  const auto read = [&] {
    return read_labels({.name = "m",
                        .version = "1",
                        .home = root / "m",
                        .config = std::make_shared<const ModelConfig>(config)});
  };
  EXPECT_THAT(read()->at("y"), ElementsAre("cat", "dog", "", "bird"));
  for (const char* name : {"../secret.txt", "/etc/passwd", "nothing.txt", "a//b"}) {
    config.outputs[0].labels = name;
    const auto labels = read();
    ASSERT_FALSE(labels) << name;
    EXPECT_THAT(labels.error().message, HasSubstr("the labels of output 'y'"));
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace bascule::catalog
