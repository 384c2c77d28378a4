#include "backend/onnxruntime/onnxruntime_backend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/onnxruntime/test_models.h"

namespace bascule::backend {
namespace {

using tensor::DataType;
using tensor::kDynamic;
using tensor::NamedTensor;
using tensor::Shape;
using tensor::Tensor;
using test::floats;
using test::kData;
using test::load;
using test::run;
using test::strings_of;
using test::values_of;

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

TEST(OnnxRuntimeBackend, StacksASequenceOfEqualShapes) {
  const auto model = load(kData / "general" / "sequence_out.onnx");
  ASSERT_TRUE(model);
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
  const auto out = run(*model, {{"x", floats({3, 2}, rows)}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].name, "parts");
  EXPECT_EQ(out[0].tensor.shape, (Shape{3, 1, 2}));
  EXPECT_EQ(values_of(out[0].tensor), rows);
}

TEST(OnnxRuntimeBackend, RefusesASequenceOfUnequalShapes) {
  const auto model = load(kData / "engine" / "sequence_pairs.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().outputs[0].type, DataType::kFp32);
  const auto even = run(*model, {{"x", floats({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}});
  ASSERT_EQ(even.size(), 1U);
  EXPECT_EQ(even[0].tensor.shape, (Shape{2, 2, 2}));
  const auto odd = model->run({{{"x", floats({3, 2}, {1, 2, 3, 4, 5, 6})}}}, {});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kInvalidArgument);
  EXPECT_EQ(
      odd.error().message,
      "Output 'parts' is a sequence whose tensors 0 and 1 have the shapes [2,2] and [1,2]; only a sequence "
      "of equal shapes can be given as one tensor.");
}

TEST(OnnxRuntimeBackend, StacksASequenceOfStrings) {
  const auto model = load(kData / "engine" / "sequence_strings.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().outputs[0].type, DataType::kString);
  const std::vector<std::string_view> words = {"a", "", "ccc"};
  const auto out = run(*model, {{"x", tensor::make_string_tensor({3}, words).value()}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.shape, (Shape{2, 3}));
  EXPECT_EQ(strings_of(out[0].tensor), (std::vector<std::string>{"a", "", "ccc", "a", "", "ccc"}));
}

TEST(OnnxRuntimeBackend, GivesMapsAsSortedColumnsUnderFreeNames) {
  const auto model = load(kData / "engine" / "zipmap_int64.onnx");
  ASSERT_TRUE(model);
  const auto& specs = model->spec().outputs;
  ASSERT_EQ(specs.size(), 3U);
  EXPECT_EQ(specs[0].name, "p");
  EXPECT_EQ(specs[0].type, DataType::kFp32);
  EXPECT_EQ(specs[0].shape, (Shape{kDynamic, kDynamic}));
  EXPECT_EQ(specs[1].name, "p_labels_");  // "p_labels" is an output of the file
  EXPECT_EQ(specs[1].type, DataType::kInt64);
  EXPECT_EQ(specs[1].shape, (Shape{kDynamic, kDynamic}));
  EXPECT_EQ(specs[2].name, "p_labels");
  const std::vector<NamedTensor> in = {{"x", floats({2, 3}, {1, 2, 3, 4, 5, 6})}};
  const auto out = run(*model, in);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].tensor.shape, (Shape{2, 3}));
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{2, 3, 1, 5, 6, 4}));
  EXPECT_EQ(out[1].tensor.shape, (Shape{2, 3}));
  EXPECT_EQ(values_of<std::int64_t>(out[1].tensor), (std::vector<std::int64_t>{10, 20, 30, 10, 20, 30}));
  EXPECT_EQ(values_of(out[2].tensor), (std::vector<float>{1, 2, 3, 4, 5, 6}));

  const auto labels_only = run(*model, in, {"p_labels_"});
  ASSERT_EQ(labels_only.size(), 1U);
  EXPECT_EQ(labels_only[0].tensor.type, DataType::kInt64);
}

TEST(OnnxRuntimeBackend, GivesMapsOfNoRows) {
  const auto model = load(kData / "engine" / "zipmap_int64.onnx");
  ASSERT_TRUE(model);
  const auto out = run(*model, {{"x", floats({0, 3}, {})}}, {"p", "p_labels_"});
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].tensor.shape, (Shape{0, 0}));
  EXPECT_EQ(out[1].tensor.type, DataType::kInt64);
  EXPECT_EQ(out[1].tensor.shape, (Shape{0, 0}));
}

TEST(OnnxRuntimeBackend, AnswersOutliveInputsAndModel) {
  std::vector<NamedTensor> out;
  {
    auto model = load(kData / "engine" / "passthrough.onnx");
    ASSERT_TRUE(model);
    EXPECT_EQ(model->spec().metadata, (std::map<std::string, std::string>{{"task", "none"}, {"empty", ""}}));
    // The caller's bytes end with this block, and so does the session: the sanitizer would see either.
    std::vector<float> memory = {1, 2, 3};
    const Tensor x{.type = DataType::kFp32, .shape = {3}, .bytes = std::as_bytes(std::span(memory))};
    out = run(*model, {{"x", x}});
  }
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(values_of(out[1].tensor), (std::vector<float>{5, 6}));
  EXPECT_EQ(values_of(out[2].tensor), (std::vector<float>{-1, -2, -3}));
}

TEST(OnnxRuntimeBackend, ARunThatMayBeTheLastAnswersAlikeAndSoDoesTheNext) {
  const auto model = load(kData / "general" / "add_one.onnx");
  ASSERT_TRUE(model);
  const std::vector<float> in(4096 * 16, 2.0F);
  const std::vector<float> expected(in.size(), 3.0F);
  const auto before = run(*model, {{"x", floats({4096, 16}, in)}});
  model->rest();
  const auto last = run(*model, {{"x", floats({4096, 16}, in)}});
  const auto after = run(*model, {{"x", floats({4096, 16}, in)}});
  for (const auto* out : {&before, &last, &after}) {
    ASSERT_EQ(out->size(), 1U);
    EXPECT_EQ(values_of((*out)[0].tensor), expected);
  }
}

TEST(OnnxRuntimeBackend, TakesUnalignedBytes) {
  const auto model = load(kData / "general" / "scalar_in.onnx");
  ASSERT_TRUE(model);
  std::vector<std::byte> memory(13);
  const std::array<float, 3> b = {1, 2, 3};
  std::memcpy(memory.data() + 1, b.data(), 12);
  const Tensor odd{.type = DataType::kFp32, .shape = {3}, .bytes = std::span(memory).subspan(1)};
  const auto out = run(*model, {{"b", odd}, {"a", floats({}, {2})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{2, 4, 6}));
}

TEST(OnnxRuntimeBackend, LeavesShapesOpenThatTheFileLeavesOpen) {
  const auto model = load(kData / "engine" / "no_shape.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().inputs[0].shape, Shape{});
  EXPECT_EQ(model->spec().outputs[0].shape, (Shape{kDynamic, 4}));  // the file says 0
  const NamedTensor x{"x", floats({3, 4}, std::vector<float>(12, 7))};
  EXPECT_TRUE(check_inputs(model->spec(), std::array{x}));
  const auto out = run(*model, {x});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].tensor.shape, (Shape{3, 4}));
}

TEST(OnnxRuntimeBackend, ReadsWeightsBesideTheModel) {
  const auto model = load(kData / "engine" / "external_beside.onnx");
  ASSERT_TRUE(model);
  const auto out = run(*model, {{"x", floats({1, 4}, {10, 10, 10, 10})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{11, 12, 13, 14}));
}

TEST(OnnxRuntimeBackend, OutlivesWeightsThatAreCutShortInPlace) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "weights_cut_short";
  std::filesystem::create_directories(folder);
  for (const char* name : {"external_beside.onnx", "external_beside.bin"}) {
    std::filesystem::copy_file(kData / "engine" / name, folder / name,
                               std::filesystem::copy_options::overwrite_existing);
  }
  const auto model = load(folder / "external_beside.onnx");
  ASSERT_TRUE(model);
  std::filesystem::resize_file(folder / "external_beside.bin", 0);
  const auto out = run(*model, {{"x", floats({1, 4}, {10, 10, 10, 10})}});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(values_of(out[0].tensor), (std::vector<float>{11, 12, 13, 14}));
}

TEST(OnnxRuntimeBackend, ReadsTheMetadataOfADetector) {
  const auto model = load(kData / "yolo" / "yolo26n.onnx");
  ASSERT_TRUE(model);
  const auto& metadata = model->spec().metadata;
  ASSERT_TRUE(metadata.contains("task"));
  EXPECT_EQ(metadata.at("task"), "detect");
  EXPECT_TRUE(metadata.contains("names"));
  EXPECT_TRUE(metadata.contains("stride"));
}

TEST(OnnxRuntimeBackend, RunsOverlapOnOneModelAndAcrossThreadCounts) {
  for (const int threads : {1, 3}) {
    const auto model = load(kData / "general" / "add_one.onnx", threads);
    ASSERT_TRUE(model);
    std::vector<int> right(4);
    {
      std::vector<std::jthread> callers;
      for (std::size_t caller = 0; caller < right.size(); ++caller) {
        callers.emplace_back([&, caller] {
          for (int i = 0; i < 50; ++i) {
            const auto value = static_cast<float>(caller * 1000) + static_cast<float>(i);
            const std::vector<NamedTensor> in = {{"x", floats({2, 16}, std::vector<float>(32, value))}};
            const auto out = model->run(in, {});
            right[caller] += out && values_of(out->at(0).tensor) == std::vector<float>(32, value + 1) ? 1 : 0;
          }
        });
      }
    }
    EXPECT_EQ(right, std::vector<int>(4, 50)) << threads << " threads";
  }
}

}  // namespace
}  // namespace bascule::backend
