#include "config/ensemble_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(EnsembleYaml, ReadsSteps) {
  const auto got = read_ensemble_yaml(R"(
ensemble:
  max_inflight_requests: 4
  inputs: [{name: x, datatype: FP32, shape: [-1, 16]}]
  outputs: [{name: z, datatype: FP32, shape: [-1, 16]}]
  steps:
    - {model: a, inputs: {in: x}, outputs: {out: y}}
    - {model: b, version: 2, inputs: {in: y}, outputs: {out: z}}
)",
                                      "e.yaml");
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_TRUE(*got);
  const EnsembleYaml& yaml = **got;
  EXPECT_EQ(yaml.max_inflight_requests, 4);
  EXPECT_EQ(yaml.inputs[0].datatype, "FP32");
  EXPECT_THAT(yaml.inputs[0].shape, ElementsAre(-1, 16));
  EXPECT_EQ(yaml.outputs[0].place, "e.yaml:5");
  ASSERT_EQ(yaml.steps.size(), 2U);
  EXPECT_THAT(yaml.steps[0].outputs, ElementsAre(Pair("out", "y")));
  EXPECT_EQ(yaml.steps[0].version, "");
  EXPECT_EQ(yaml.steps[1].version, "2");
}

TEST(EnsembleYaml, ReadsCropThenClassify) {
  const auto got = read_ensemble_yaml(
      "ensemble: {crop_then_classify: {detector: a, classifier: b, margin: 0.1, max_crops: 7}}\n", "e.yaml");
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_TRUE((*got)->crops);
  EXPECT_EQ((*got)->crops->detector, "a");
  EXPECT_EQ((*got)->crops->classifier, "b");
  EXPECT_EQ((*got)->crops->margin, 0.1);
  EXPECT_EQ((*got)->crops->max_crops, 7);
}

TEST(EnsembleYaml, LeavesOtherFilesAlone) {
  EXPECT_FALSE(*read_ensemble_yaml("threads: 2\n", "e.yaml"));
  EXPECT_FALSE(*read_ensemble_yaml("", "e.yaml"));
  EXPECT_FALSE(*read_ensemble_yaml("- ensemble\n", "e.yaml"));
}

TEST(EnsembleYaml, SaysWhatIsWrongAndWhere) {
  struct Case {
    const char* yaml;
    const char* message;
  };
  constexpr const char* kTensors =
      "ensemble:\n  inputs: [{name: x, datatype: FP32, shape: [1]}]\n  outputs: [{name: x, datatype: FP32, "
      "shape: [1]}]\n";
  const std::string no_steps = std::string(kTensors) + "  steps: []\n";
  const std::string no_model = std::string(kTensors) + "  steps: [{inputs: {a: b}, outputs: {c: d}}]\n";
  const std::string no_map = std::string(kTensors) + "  steps: [{model: m, inputs: {a: b}}]\n";
  const Case cases[] = {
      {"ensemble: 3\n", "e.yaml:1: 'ensemble' is a map"},
      {"ensemble: {}\nthreads: 3\n", "e.yaml:2: unknown key 'threads'"},
      {"ensemble: {step: 3}\n", "e.yaml:1: unknown key 'step'; did you mean 'steps'?"},
      {"ensemble: {max_inflight_requests: -1}\n",
       "e.yaml:1: 'max_inflight_requests' is '-1'; it must be a whole"},
      {"ensemble: {}\n", "e.yaml:1: 'inputs' must be a list"},
      {"ensemble:\n  inputs: [{name: x}]\n", "e.yaml:2: 'datatype' is missing"},
      {"ensemble:\n  inputs: [{name: x, datatype: FP32, shape: [-2]}]\n", "e.yaml:2: 'shape' is '-2'"},
      {no_steps.c_str(), "e.yaml:4: 'steps' must be a list"},
      {no_model.c_str(), "e.yaml:4: 'model' is missing"},
      {no_map.c_str(), "e.yaml:4: 'outputs' of a step is a map"},
      {"ensemble: {crop_then_classify: {detector: a}}\n", "e.yaml:1: 'classifier' is missing"},
      {"ensemble: {crop_then_classify: {detector: a, classifier: b, margin: 2}}\n", "'margin' is '2'"},
      {"ensemble: {steps: [], crop_then_classify: {detector: a, classifier: b}}\n",
       "'steps' has no place beside"},
      {"ensemble: [\n", "this is not YAML"},
  };
  for (const Case& c : cases) {
    const auto got = read_ensemble_yaml(c.yaml, "e.yaml");
    ASSERT_FALSE(got) << c.yaml;
    EXPECT_THAT(got.error().message, HasSubstr(c.message)) << c.yaml;
  }
}

}  // namespace
}  // namespace bascule::config
