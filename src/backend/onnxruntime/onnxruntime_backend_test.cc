#include "backend/onnxruntime/onnxruntime_backend.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;
using tensor::DataType;
using tensor::kDynamic;
using tensor::NamedTensor;
using tensor::Shape;
using tensor::Tensor;

const fs::path kData = fs::path(BASCULE_SOURCE_DIR) / "tests" / "data";

std::unique_ptr<Executable> load(const fs::path& file, int threads = 1) {
  auto loaded = make_onnxruntime_backend()->load(file, {.threads = threads});
  EXPECT_TRUE(loaded) << file << ": " << (loaded ? "" : loaded.error().message);
  return loaded ? *std::move(loaded) : nullptr;
}

template <class T>
Tensor make(DataType type, Shape shape, const std::vector<T>& values) {
  return tensor::copy_tensor(type, std::move(shape), std::span<const T>(values)).value();
}

Tensor floats(Shape shape, const std::vector<float>& values) {
  return make(DataType::kFp32, std::move(shape), values);
}

std::vector<float> values_of(const Tensor& tensor) {
  const auto all = tensor.elements<float>();
  return {all.begin(), all.end()};
}

std::vector<NamedTensor> run(const Executable& model, const std::vector<NamedTensor>& inputs,
                             const std::vector<std::string>& outputs = {}) {
  auto answer = model.run(inputs, outputs);
  EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
  return answer ? *std::move(answer) : std::vector<NamedTensor>();
}

TEST(OnnxRuntimeBackend, NamesItselfAndItsFiles) {
  const auto backend = make_onnxruntime_backend();
  EXPECT_EQ(backend->name(), "onnxruntime");
  EXPECT_TRUE(backend->accepts("folder/model.onnx"));
  EXPECT_TRUE(backend->accepts("MODEL.ONNX"));
  EXPECT_FALSE(backend->accepts("model.pt"));
  EXPECT_FALSE(backend->accepts("onnx"));
  EXPECT_THAT(onnxruntime_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
}

TEST(OnnxRuntimeBackend, AddsOneToFloatsOfAnyBatch) {
  const auto model = load(kData / "general" / "add_one.onnx");
  ASSERT_TRUE(model);
  ASSERT_EQ(model->spec().inputs.size(), 1U);
  EXPECT_EQ(model->spec().format, "onnx");
  EXPECT_EQ(model->spec().inputs[0].name, "x");
  EXPECT_EQ(model->spec().inputs[0].shape, (Shape{kDynamic, 16}));
  EXPECT_EQ(model->spec().outputs[0].shape, (Shape{kDynamic, 16}));
  for (const std::int64_t batch : {1, 3}) {
    std::vector<float> in(static_cast<std::size_t>(batch) * 16);
    std::iota(in.begin(), in.end(), 0.0F);
    const auto out = run(*model, {{"x", floats({batch, 16}, in)}});
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].name, "y");
    EXPECT_EQ(out[0].tensor.shape, (Shape{batch, 16}));
    for (float& value : in) value += 1;
    EXPECT_EQ(values_of(out[0].tensor), in);
  }
}

TEST(OnnxRuntimeBackend, TakesAndGivesTensorsWithoutElements) {
  const auto model = load(kData / "general" / "add_one.onnx");
  ASSERT_TRUE(model);
  const auto out = run(*model, {{"x", floats({0, 16}, {})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.shape, (Shape{0, 16}));
  EXPECT_TRUE(out[0].tensor.bytes.empty());
}

struct IdentityCase {
  const char* name;
  DataType type;
};

class Identity : public testing::TestWithParam<IdentityCase> {};

TEST_P(Identity, GivesBackEveryBitPattern) {
  const auto [name, type] = GetParam();
  const auto model = load(kData / "general" / (std::string("identity_") + name + ".onnx"));
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().inputs[0].type, type);
  EXPECT_EQ(model->spec().outputs[0].type, type);
  EXPECT_EQ(model->spec().inputs[0].shape, (Shape{kDynamic, kDynamic}));
  auto in = tensor::make_tensor(type, {3, 85}).value();
  for (std::size_t i = 0; i < in.bytes.size(); ++i) {
    in.bytes[i] = static_cast<std::byte>(type == DataType::kBool ? i % 2 : i % 256);
  }
  const auto out = run(*model, {{"INPUT0", in.tensor}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.type, type);
  EXPECT_EQ(out[0].tensor.shape, (Shape{3, 85}));
  EXPECT_TRUE(std::ranges::equal(out[0].tensor.bytes, in.bytes));

  const auto empty = run(*model, {{"INPUT0", tensor::make_tensor(type, {2, 0}).value().tensor}});
  ASSERT_EQ(empty.size(), 1U);
  EXPECT_EQ(empty[0].tensor.shape, (Shape{2, 0}));
}

INSTANTIATE_TEST_SUITE_P(
    OnnxRuntimeBackend, Identity,
    testing::Values(IdentityCase{"bool", DataType::kBool}, IdentityCase{"uint8", DataType::kUint8},
                    IdentityCase{"uint16", DataType::kUint16}, IdentityCase{"uint32", DataType::kUint32},
                    IdentityCase{"uint64", DataType::kUint64}, IdentityCase{"int8", DataType::kInt8},
                    IdentityCase{"int16", DataType::kInt16}, IdentityCase{"int32", DataType::kInt32},
                    IdentityCase{"int64", DataType::kInt64}, IdentityCase{"fp16", DataType::kFp16},
                    IdentityCase{"bf16", DataType::kBf16}, IdentityCase{"fp32", DataType::kFp32},
                    IdentityCase{"fp64", DataType::kFp64}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(OnnxRuntimeBackend, CarriesStringsWithNulBytesAndWithoutCharacters) {
  using std::string_view_literals::operator""sv;
  const auto model = load(kData / "general" / "identity_string.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().inputs[0].type, DataType::kString);
  const std::vector<std::string_view> texts = {"one", "", "zwölf", "a\0b"sv, "\xff\xfe", "last"};
  const auto in = tensor::make_string_tensor({2, 3}, texts).value();
  const auto out = run(*model, {{"INPUT0", in}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.type, DataType::kString);
  EXPECT_EQ(out[0].tensor.shape, (Shape{2, 3}));
  EXPECT_EQ(tensor::string_elements(out[0].tensor).value(), texts);

  const auto none = run(*model, {{"INPUT0", tensor::make_string_tensor({0, 3}, {}).value()}});
  ASSERT_EQ(none.size(), 1U);
  EXPECT_EQ(none[0].tensor.shape, (Shape{0, 3}));
  EXPECT_TRUE(none[0].tensor.bytes.empty());
}

TEST(OnnxRuntimeBackend, RefusesStringsWhoseLengthsDoNotAddUp) {
  const auto model = load(kData / "general" / "identity_string.onnx");
  ASSERT_TRUE(model);
  const std::array<std::byte, 6> bytes{std::byte{200}};
  const auto out =
      model->run({{{"INPUT0", {.type = DataType::kString, .shape = {1, 1}, .bytes = bytes}}}}, {});
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().reason, Reason::kDataSizeMismatch);
}

TEST(OnnxRuntimeBackend, TakesScalars) {
  const auto model = load(kData / "general" / "scalar_in.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().inputs[0].shape, Shape{});
  const auto out = run(*model, {{"a", floats({}, {2.5F})}, {"b", floats({3}, {1, 2, 4})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{2.5F, 5, 10}));
}

TEST(OnnxRuntimeBackend, GivesScalars) {
  const auto model = load(kData / "general" / "no_batch.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().inputs[0].shape, Shape{kDynamic});
  EXPECT_EQ(model->spec().outputs[0].shape, Shape{});
  const auto out = run(*model, {{"x", floats({4}, {1, 2, 3, 4})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.shape, Shape{});
  EXPECT_EQ(values_of(out[0].tensor), std::vector<float>{10});
}

TEST(OnnxRuntimeBackend, KeepsAFixedBatch) {
  const auto model = load(kData / "general" / "static_batch4.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().inputs[0].shape, (Shape{4, 8}));
  const auto out = run(*model, {{"x", floats({4, 8}, std::vector<float>(32, 0.5F))}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.shape, (Shape{4, 1}));
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{4, 4, 4, 4}));
}

TEST(OnnxRuntimeBackend, CarriesStateThroughItsCaller) {
  const auto model = load(kData / "general" / "running_sum.onnx");
  ASSERT_TRUE(model);
  Tensor state = floats({1, 1}, {0});
  for (int i = 1; i <= 4; ++i) {
    // The state is an output of the run before: memory of the engine goes back in as it is.
    const auto out = run(*model, {{"state_in", state}, {"x", floats({1, 1}, {static_cast<float>(i)})}},
                         {"state_out", "y"});
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0].name, "state_out");
    EXPECT_EQ(values_of(out[1].tensor), std::vector<float>{static_cast<float>(i * (i + 1)) / 2});
    state = out[0].tensor;
  }
}

TEST(OnnxRuntimeBackend, LetsAnInputWithADefaultBeLeftOut) {
  const auto model = load(kData / "general" / "optional_default.onnx");
  ASSERT_TRUE(model);
  ASSERT_EQ(model->spec().inputs.size(), 2U);
  EXPECT_FALSE(model->spec().inputs[0].optional);
  EXPECT_EQ(model->spec().inputs[1].name, "bias");
  EXPECT_TRUE(model->spec().inputs[1].optional);
  EXPECT_EQ(model->spec().inputs[1].shape, Shape{4});
  const NamedTensor x{"x", floats({1, 4}, {1, 2, 3, 4})};
  const auto left_out = run(*model, {x});
  const auto given = run(*model, {x, {"bias", floats({4}, {10, 20, 30, 40})}});
  ASSERT_EQ(left_out.size(), 1U);
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(values_of(given[0].tensor), (std::vector<float>{11, 22, 33, 44}));
  EXPECT_NE(values_of(left_out[0].tensor), values_of(given[0].tensor));
}

TEST(OnnxRuntimeBackend, StacksASequenceOfEqualShapesAndRefusesUnequalOnes) {
  const auto model = load(kData / "general" / "sequence_out.onnx");
  ASSERT_TRUE(model);
  for (auto& s : model->spec().outputs)
    std::printf("%s %s\n", s.name.c_str(), tensor::to_string(s.shape).c_str());
  const auto out = run(*model, {{"x", floats({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}});
  ASSERT_EQ(out.size(), 1U);
  std::printf("%s\n", tensor::to_string(out[0].tensor.shape).c_str());
  const auto odd = model->run({{{"x", floats({3, 2}, {1, 2, 3, 4, 5, 6})}}}, {});
  if (odd)
    std::printf("%s\n", tensor::to_string(odd->front().tensor.shape).c_str());
  else
    std::printf("%s\n", odd.error().message.c_str());
}

}  // namespace
}  // namespace bascule::backend
