// What both engines can load they answer alike, tensor by tensor.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engines.h"
#include "tuning/agreement.h"

namespace bascule::conformance {
namespace {

namespace fs = std::filesystem;
using tensor::NamedTensor;
using tensor::Shape;

const fs::path kData = fs::path(BASCULE_SOURCE_DIR) / "tests" / "data";

// What both can load answers alike: names, datatypes, shapes, values; of detectors those are mostly pixels.
struct BothCase {
  const char* file;
  Shape input;
  double difference = 1e-4;
};

// The engines' sums are further apart where the processor has no AVX-512: 2.1e-4 at most of these.
double allowed(double difference) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") == 0) return std::max(difference, 5e-4);
#endif
  return difference;
}

class BothEngines : public testing::TestWithParam<BothCase> {};

TEST_P(BothEngines, AnswerAlike) {
  const fs::path file = kData / GetParam().file;
  const auto reference = engine_of("onnxruntime").load(file, {});
  ASSERT_TRUE(reference) << reference.error().message;
  const auto model = engine_of("openvino").load(file, {});
  ASSERT_TRUE(model) << model.error().message;
  const backend::ModelSpec& spec = (*model)->spec();
  ASSERT_EQ(spec.inputs.size(), (*reference)->spec().inputs.size());
  EXPECT_EQ(spec.inputs[0].name, (*reference)->spec().inputs[0].name);
  EXPECT_EQ(spec.inputs[0].type, (*reference)->spec().inputs[0].type);
  EXPECT_EQ(spec.inputs[0].shape, (*reference)->spec().inputs[0].shape);
  EXPECT_EQ(spec.metadata, (*reference)->spec().metadata);
  auto input = tensor::make_tensor(spec.inputs[0].type, GetParam().input).value();
  std::uint32_t state = 7;
  for (float& value : input.elements<float>()) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8U) / static_cast<float>(1U << 24U);
  }
  const std::vector<NamedTensor> inputs = {{spec.inputs[0].name, input.tensor}};
  const auto wanted = (*reference)->run(inputs, {});
  const auto got = (*model)->run(inputs, {});
  ASSERT_TRUE(wanted && got) << got.error().message;
  ASSERT_EQ(got->size(), wanted->size());
  for (std::size_t i = 0; i < got->size(); ++i) {
    const auto& [name, tensor] = (*got)[i];
    EXPECT_EQ(name, (*wanted)[i].name);
    EXPECT_EQ(tensor.type, (*wanted)[i].tensor.type);
    ASSERT_EQ(tensor.shape, (*wanted)[i].tensor.shape);
    // Untrained weights make single pixels of a box jump; as a whole the answers are one.
    EXPECT_LT(tuning::relative_distance((*wanted)[i].tensor, tensor), allowed(GetParam().difference)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, BothEngines,
                         testing::Values(BothCase{"yolo/yolo26n.onnx", {1, 3, 320, 224}},
                                         BothCase{"yolo/yolo26n.onnx", {2, 3, 64, 64}},
                                         BothCase{"yolo/yolov8n.onnx", {1, 3, 320, 320}},
                                         BothCase{"yolo/yolo26n-cls.onnx", {1, 3, 224, 224}},
                                         // Its boxes may turn from one side to the other.
                                         BothCase{"yolo/yolo26n-obb.onnx", {1, 3, 320, 320}, 0.02},
                                         // Class numbers: of noise, some pixels lie between two classes.
                                         BothCase{"yolo/yolo26n-sem.onnx", {1, 3, 320, 320}, 0.01},
                                         BothCase{"engine/external_beside.onnx", {1, 4}}));

}  // namespace
}  // namespace bascule::conformance
