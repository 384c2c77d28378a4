#include "backend/openvino/openvino_backend.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;
using tensor::DataType;
using tensor::kDynamic;
using tensor::NamedTensor;
using tensor::Shape;
using testing::HasSubstr;

const fs::path kData = fs::path(BASCULE_SOURCE_DIR) / "tests" / "data";

// One for all tests, to the process's end: the library's own objects may go before others of static life.
const Backend& openvino() {
  static const auto* const backend = make_openvino_backend().release();
  return *backend;
}

std::unique_ptr<Executable> load(const fs::path& file, const LoadOptions& options = {}) {
  auto loaded = openvino().load(file, options);
  if (!loaded) log::error("{}", loaded.error().message);
  return loaded ? std::move(*loaded) : nullptr;
}

std::string refusal(const fs::path& file, const LoadOptions& options = {}) {
  const auto loaded = openvino().load(file, options);
  return loaded ? "it was loaded" : loaded.error().message;
}

NamedTensor floats(const std::string& name, Shape shape, const std::vector<float>& values) {
  return {name,
          tensor::copy_tensor(DataType::kFp32, std::move(shape), std::span<const float>(values)).value()};
}

std::vector<float> values_of(const tensor::Tensor& tensor) {
  const auto all = tensor.elements<float>();
  return {all.begin(), all.end()};
}

// Length of the difference by the length of what it should be.
double relative_difference(const std::vector<float>& got, const std::vector<float>& wanted) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    difference += std::pow(got[i] - wanted[i], 2);
    size += std::pow(wanted[i], 2);
  }
  return std::sqrt(difference / size);
}

TEST(OpenVinoBackend, NamesItselfAndItsFiles) {
  EXPECT_EQ(openvino().name(), "openvino");
  EXPECT_TRUE(openvino().accepts("folder/model.ONNX"));
  EXPECT_TRUE(openvino().accepts("model.tflite"));
  EXPECT_TRUE(openvino().accepts("forest/saved_model.pb"));
  EXPECT_TRUE(openvino().accepts(kData / "openvino_ir" / "yolo26n.xml"));
  EXPECT_FALSE(openvino().accepts(kData / "openvino_ir" / "alone.xml"));
  EXPECT_FALSE(openvino().accepts("model.pt"));
}

TEST(OpenVinoBackend, AddsOneToFloatsOfAnyBatch) {
  const auto model = load(kData / "general" / "add_one.onnx");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().format, "onnx");
  EXPECT_EQ(model->spec().engine, "openvino");
  EXPECT_THAT(model->spec().engine_version, testing::StartsWith("20"));
  ASSERT_EQ(model->spec().inputs.size(), 1U);
  EXPECT_EQ(model->spec().inputs[0].name, "x");
  EXPECT_EQ(model->spec().inputs[0].shape, (Shape{kDynamic, 16}));
  for (const std::int64_t batch : {0, 1, 3}) {
    std::vector<float> in(static_cast<std::size_t>(batch) * 16);
    std::iota(in.begin(), in.end(), 0.0F);
    const auto out = model->run({{floats("x", {batch, 16}, in)}}, {});
    ASSERT_TRUE(out) << out.error().message;
    ASSERT_EQ(out->size(), 1U);
    EXPECT_EQ(out->front().name, "y");
    EXPECT_EQ(out->front().tensor.shape, (Shape{batch, 16}));
    for (float& value : in) value += 1;
    EXPECT_EQ(values_of(out->front().tensor), in);
  }
}

TEST(OpenVinoBackend, GivesBackWhatItTookInEveryDatatype) {
  const fs::path folder = kData / "general";
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (!stem.starts_with("identity_") || stem == "identity_string") continue;
    const auto model = load(entry.path());
    ASSERT_TRUE(model) << stem;
    const tensor::TensorSpec& spec = model->spec().inputs[0];
    auto input = tensor::make_tensor(spec.type, {2, 8}).value();
    for (std::size_t i = 0; i < input.bytes.size(); ++i) {  // small values of every type
      const bool first = i % tensor::element_size(spec.type) == 0;
      input.bytes[i] = std::byte{static_cast<unsigned char>(first ? i % 2 : 0)};
    }
    const auto out = model->run({{{spec.name, input.tensor}}}, {});
    ASSERT_TRUE(out) << stem << ": " << out.error().message;
    EXPECT_EQ(out->front().tensor.type, spec.type) << stem;
    EXPECT_TRUE(std::ranges::equal(out->front().tensor.bytes, input.tensor.bytes)) << stem;
    const bool wide = tensor::element_size(spec.type) == 8 || spec.type == DataType::kUint32;
    EXPECT_EQ(model->spec().notes.size(), wide ? 1U : 0U) << stem;
  }
}

TEST(OpenVinoBackend, TakesBytesThatAreNotAligned) {
  const auto model = load(kData / "general" / "add_one.onnx");
  ASSERT_TRUE(model);
  std::vector<std::byte> memory(65);
  const tensor::Tensor tensor{
      .type = DataType::kFp32, .shape = {1, 16}, .bytes = std::span(memory).subspan(1)};
  const auto out = model->run({{{"x", tensor}}}, {});
  ASSERT_TRUE(out);
  EXPECT_EQ(values_of(out->front().tensor), std::vector<float>(16, 1));
}

// Four threads, each with numbers of its own and one or more rows, have add_one answer: how many of a
// thread's answers were not its own.
std::array<int, 4> wrong_answers(Executable& model, std::size_t most_rows) {
  std::array<int, 4> wrong{};
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const std::size_t rows = 1 + t % most_rows;
      const Shape shape = {static_cast<std::int64_t>(rows), 16};
      for (int i = 0; i < 200; ++i) {
        const auto value = static_cast<float>(static_cast<int>(t) * 1000 + i);
        const auto out = model.run({{floats("x", shape, std::vector<float>(rows * 16, value))}}, {});
        if (!out || values_of(out->front().tensor) != std::vector<float>(rows * 16, value + 1)) ++wrong[t];
      }
    });
  }
  threads.clear();  // joins
  return wrong;
}

TEST(OpenVinoBackend, OverlappingRunsEachHaveTheirOwnAnswer) {
  for (const int instances : {1, 2}) {
    const auto model = load(kData / "general" / "add_one.onnx", {.instances = instances});
    ASSERT_TRUE(model);
    EXPECT_THAT(wrong_answers(*model, 1), testing::Each(0)) << instances << " instances";
  }
}

// Processor time that each thread of this process has had, in ticks.
std::map<std::string, long> thread_ticks() {
  std::map<std::string, long> out;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream in(task.path() / "stat");
    std::string stat{std::istreambuf_iterator<char>(in), {}};
    std::istringstream rest(stat.substr(stat.rfind(')') + 2));
    std::string word;
    long ticks = 0;
    for (int field = 3; field <= 15 && rest >> word; ++field) {
      if (field >= 14) ticks += std::atol(word.c_str());
    }
    out[task.path().filename().string()] = ticks;
  }
  return out;
}

TEST(OpenVinoBackend, ComputesOnNoMoreThreadsThanItWasGiven) {
  const auto model = load(kData / "yolo" / "yolo26n.onnx", {.threads = 1, .instances = 1});
  ASSERT_TRUE(model);
  const auto input = tensor::make_tensor(DataType::kFp32, {1, 3, 320, 320}).value();
  std::ranges::fill(input.bytes, std::byte{});
  const std::vector<NamedTensor> inputs = {{model->spec().inputs[0].name, input.tensor}};
  ASSERT_TRUE(model->run(inputs, {}));
  const auto before = thread_ticks();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(model->run(inputs, {}));
  int busy = 0;
  for (const auto& [id, ticks] : thread_ticks()) {
    const auto was = before.find(id);
    // A tick is 10 ms; one alone may be the end of what was before.
    if (ticks - (was == before.end() ? 0 : was->second) > 1) ++busy;
  }
  EXPECT_EQ(busy, 1);
}

TEST(OpenVinoBackend, ComputesInLessWhereItIsAsked) {
  const fs::path file = kData / "yolo" / "yolo26n.onnx";
  const auto f32 = load(file);
  const auto bf16 = openvino().load(file, {.precision = DataType::kBf16});
  if (!bf16) {
    EXPECT_THAT(bf16.error().message, HasSubstr("does not compute in bf16"));
    GTEST_SKIP() << "this processor has no bf16";
  }
  EXPECT_THAT((*bf16)->spec().notes, testing::Contains("it computes in bf16"));
  auto input = tensor::make_tensor(DataType::kFp32, {1, 3, 320, 320}).value();
  for (float& value : input.elements<float>()) value = 0.3F;
  const std::vector<NamedTensor> inputs = {{f32->spec().inputs[0].name, input.tensor}};
  const std::vector<float> exact = values_of(f32->run(inputs, {}).value().front().tensor);
  const std::vector<float> rough = values_of((*bf16)->run(inputs, {}).value().front().tensor);
  const double difference = relative_difference(rough, exact);
  EXPECT_GT(difference, 0) << "it computes in f32 all the same";
  EXPECT_LT(difference, 0.02);
}

NamedTensor ramp(const ModelSpec& spec, Shape shape) {
  auto input = tensor::make_tensor(DataType::kFp32, std::move(shape)).value();
  float next = 0;
  for (float& value : input.elements<float>()) value = std::fmod(next += 0.37F, 1.0F);
  return {spec.inputs.front().name, input.tensor};
}

TEST(OpenVinoBackend, AnswersAlikeWhereItIsCompiledForAShape) {
  const fs::path file = kData / "yolo" / "yolo26n.onnx";
  const auto plain = load(file);
  const auto shaped = load(file, {.shapes = {{1, 3, 64, 96}, {1, 3, 64, 96}}});
  ASSERT_TRUE(plain && shaped);
  EXPECT_EQ(shaped->spec().inputs.front().shape, plain->spec().inputs.front().shape);
  EXPECT_THAT(shaped->spec().notes, testing::ElementsAre("it is compiled for inputs of [1,3,64,96], too"));
  // The others have no form of their own.
  for (const Shape& shape : {Shape{1, 3, 64, 96}, Shape{1, 3, 96, 64}, Shape{2, 3, 64, 96}}) {
    const std::vector<NamedTensor> inputs = {ramp(plain->spec(), shape)};
    const auto wanted = plain->run(inputs, {});
    for (int again = 0; again < 2; ++again) {
      const auto got = shaped->run(inputs, {});
      ASSERT_TRUE(wanted && got);
      ASSERT_EQ(got->front().tensor.shape, wanted->front().tensor.shape);
      EXPECT_LT(relative_difference(values_of(got->front().tensor), values_of(wanted->front().tensor)), 1e-4);
    }
  }
}

TEST(OpenVinoBackend, OverlappingRunsOfOneShapeEachHaveTheirOwnAnswer) {
  const auto model = load(kData / "general" / "add_one.onnx", {.instances = 2, .shapes = {{1, 16}}});
  ASSERT_TRUE(model);
  // Runs of two rows have no form of their own.
  EXPECT_THAT(wrong_answers(*model, 2), testing::Each(0));
}

TEST(OpenVinoBackend, RefusesShapesThatTheInputCannotHave) {
  const fs::path file = kData / "general" / "add_one.onnx";
  const auto said = [&](std::vector<Shape> shapes) { return refusal(file, {.shapes = std::move(shapes)}); };
  EXPECT_EQ(
      said({{1, 16}, {16}}),
      "Model file 'add_one.onnx' cannot be compiled for shape [16]: its input 'x' has [-1,16], where -1 is "
      "any size from 1.");
  EXPECT_THAT(said({{1, 17}}), HasSubstr("shape [1,17]"));
  EXPECT_THAT(said({{0, 16}}), HasSubstr("shape [0,16]"));
  EXPECT_THAT(said({{-1, 16}}), HasSubstr("shape [-1,16]"));
  EXPECT_THAT(said({{1'000'000'000, 16}}), HasSubstr("more than 268435456 elements"));
  EXPECT_THAT(said(std::vector<Shape>(9, {1, 16})), HasSubstr("is given 9 shapes; at most 8 are taken"));
  EXPECT_EQ(
      refusal(kData / "general" / "running_sum.onnx", {.shapes = {{1, 1}}}),
      "Model file 'running_sum.onnx' has 2 inputs; only a model with one is compiled for shapes. Leave out "
      "shapes.");
}

TEST(OpenVinoBackend, ServesWithoutAFormWhereAShapeCannotBeCompiled) {
  // Maps of two sizes that it joins do not fit each other then.
  const auto model = load(kData / "yolo" / "yolo26n.onnx", {.shapes = {{1, 3, 33, 47}}});
  ASSERT_TRUE(model);
  EXPECT_THAT(
      model->spec().notes,
      testing::ElementsAre(testing::StartsWith("it could not be compiled for inputs of [1,3,33,47]: ")));
  EXPECT_TRUE(model->run({{ramp(model->spec(), {1, 3, 64, 64})}}, {}));
}

TEST(OpenVinoBackend, ReadsItsOwnFormatWithWhatItSaysOfItself) {
  const auto model = load(kData / "openvino_ir" / "yolo26n.xml");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->spec().format, "ir");
  EXPECT_EQ(model->spec().inputs[0].name, "images");
  EXPECT_EQ(model->spec().metadata.at("task"), "detect");
  EXPECT_THAT(model->spec().metadata.at("names"), HasSubstr("0: 'bolt'"));
}

TEST(OpenVinoBackend, ReadsModelsOfOtherFrameworks) {
  for (const char* name :
       {"add_one_tensorflow/saved_model.pb", "add_one_lite.tflite", "add_one_paddle.pdmodel"}) {
    const fs::path file = kData / "frameworks" / name;
    const auto model = load(file);
    ASSERT_TRUE(model) << name;
    ASSERT_EQ(model->spec().inputs.size(), 1U) << name;
    const auto out =
        model->run({{floats(model->spec().inputs[0].name, {1, 16}, std::vector<float>(16, 2))}}, {});
    ASSERT_TRUE(out) << name << ": " << out.error().message;
    EXPECT_EQ(values_of(out->front().tensor), std::vector<float>(16, 3)) << name;
  }
}

TEST(OpenVinoBackend, RefusesWhatItCannotServe) {
  const fs::path hostile = kData / "hostile";
  EXPECT_EQ(refusal(kData / "absent.onnx"), "Model file 'absent.onnx' does not exist.");
  EXPECT_EQ(refusal(hostile / "external_parent.onnx"),
            "Model file 'external_parent.onnx' keeps weights outside its own folder; only files in that "
            "folder are read.");
  EXPECT_EQ(refusal(hostile / "external_constant.onnx"),
            "Model file 'external_constant.onnx' keeps weights outside its own folder; only files in that "
            "folder are read.");
  EXPECT_EQ(refusal(hostile / "external_absolute.onnx"),
            "Model file 'external_absolute.onnx' keeps weights under an absolute path; only files in the "
            "model's own folder are read.");
  EXPECT_EQ(refusal(hostile / "external_missing.onnx"),
            "Model file 'external_missing.onnx' needs its weights in 'weights.bin' beside it, and that file "
            "is missing.");
  EXPECT_THAT(refusal(hostile / "unknown_op.onnx"), HasSubstr("NoSuchOp"));
  EXPECT_THAT(refusal(kData / "general" / "identity_string.onnx"), HasSubstr("strings"));
  for (const auto& entry : fs::directory_iterator(hostile)) {
    if (entry.path().extension() != ".onnx") continue;
    const auto loaded = openvino().load(entry.path(), {});
    if (loaded) continue;
    EXPECT_THAT(loaded.error().message, HasSubstr(entry.path().filename().string()));
    EXPECT_THAT(loaded.error().message, testing::Not(HasSubstr("\n")));
    EXPECT_THAT(loaded.error().message, testing::Not(HasSubstr(".cpp")));
  }
}

TEST(OpenVinoBackend, RefusesInputsThatTheModelCannotTake) {
  const auto model = load(kData / "general" / "add_one.onnx");
  ASSERT_TRUE(model);
  const auto wrong = model->run({{floats("x", {1, 4}, {1, 2, 3, 4})}}, {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kInvalidArgument);
  EXPECT_EQ(wrong.error().reason, Reason::kShapeMismatch);
  EXPECT_THAT(wrong.error().message, testing::Not(HasSubstr(".cpp")));
  const std::array<std::string, 1> nothing{"nothing"};
  const auto output = model->run({{floats("x", {1, 16}, std::vector<float>(16))}}, nothing);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().reason, Reason::kUnknownOutput);
  // What was refused leaves nothing behind.
  EXPECT_TRUE(model->run({{floats("x", {1, 16}, std::vector<float>(16))}}, {}));
}

TEST(OpenVinoBackend, SaysWhatToDoWithoutItsLibrary) {
  const auto loaded =
      make_openvino_backend({.folder = "/nowhere"})->load(kData / "general" / "add_one.onnx", {});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kUnavailable);
  EXPECT_THAT(loaded.error().message, HasSubstr("--openvino"));
}

TEST(OpenVinoBackend, KeepsCompiledModelsWhereItIsTold) {
  const fs::path folder = fs::temp_directory_path() / ("bascule_openvino_" + std::to_string(::getpid()));
  const auto backend = make_openvino_backend({.cache = folder});
  for (int i = 0; i < 2; ++i) {
    const auto model = backend->load(kData / "yolo" / "yolo26n.onnx", {});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->spec().inputs[0].name, "images");
    EXPECT_TRUE((*model)->spec().metadata.contains("names"));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  }
  for (int i = 0; i < 2; ++i) {
    const auto model = backend->load(kData / "yolo" / "yolo26n.onnx", {.shapes = {{1, 3, 64, 64}}});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_TRUE((*model)->run({{ramp((*model)->spec(), {1, 3, 64, 64})}}, {}));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 2);
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace bascule::backend
