#include "catalog/ensemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::catalog {
namespace {

using content::EnsembleStep;
using testing::HasSubstr;

content::ModelConfig config_of(std::vector<std::string> inputs, std::vector<std::string> outputs,
                               std::vector<EnsembleStep> steps) {
  content::ModelConfig config{.origin = "e.yaml"};
  for (std::string& name : inputs) {
    config.inputs.push_back({.name = std::move(name), .type = tensor::DataType::kFp32, .dims = {-1}});
  }
  for (std::string& name : outputs) {
    config.outputs.push_back({.name = std::move(name), .type = tensor::DataType::kFp32, .dims = {-1}});
  }
  config.ensemble = content::Ensemble{.steps = std::move(steps)};
  return config;
}

TEST(Ensemble, TensorsGetFromInputsToOutputs) {
  EXPECT_TRUE(check_ensemble(config_of({"x"}, {"z"},
                                       {{.model = "b", .inputs = {{"i", "y"}}, .outputs = {{"o", "z"}}},
                                        {.model = "a", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}}})));
  struct Case {
    content::ModelConfig config;
    const char* message;
  };
  const Case cases[] = {
      {config_of({}, {"y"}, {{.model = "a", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}}}),
       "declares its inputs and outputs"},
      {config_of({"x"}, {"y"}, {{.model = "a", .inputs = {{"i", "w"}}, .outputs = {{"o", "y"}}}}),
       "e.yaml: step 1 (model 'a') takes 'w', which no step makes"},
      {config_of({"x"}, {"y"}, {{.model = "a", .inputs = {{"i", "x"}}, .outputs = {{"o", "x"}}}}),
       "step 1 (model 'a') makes 'x', which is an input"},
      {config_of({"x"}, {"y"},
                 {{.model = "a", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}},
                  {.model = "b", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}}}),
       "step 2 (model 'b') makes 'y', which step 1 makes, too"},
      {config_of({"x"}, {"z"}, {{.model = "a", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}}}),
       "no step makes the output 'z'"},
      {config_of({"x", "v"}, {"y"}, {{.model = "a", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}}}),
       "no step takes the input 'v'"},
      {config_of({"x"}, {"y"},
                 {{.model = "a", .inputs = {{"i", "x"}, {"j", "z"}}, .outputs = {{"o", "y"}}},
                  {.model = "b", .inputs = {{"i", "y"}}, .outputs = {{"o", "z"}}}}),
       "steps may not go in a circle"},
  };
  for (const Case& c : cases) {
    const auto checked = check_ensemble(c.config);
    ASSERT_FALSE(checked) << c.message;
    EXPECT_THAT(checked.error().message, HasSubstr(c.message));
  }
}

TEST(Ensemble, IsAModelWithoutAFile) {
  auto config = config_of({"x"}, {"y"},
                          {{.model = "a", .version = "2", .inputs = {{"i", "x"}}, .outputs = {{"o", "y"}}}});
  config.max_batch_size = 4;
  const ModelSource source{.name = "e",
                           .version = "1",
                           .file = "e.yaml",
                           .home = "e.yaml",
                           .config = std::make_shared<const content::ModelConfig>(config),
                           .engine = "ensemble"};
  const auto model = load_ensemble(source, {});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->info->inputs[0].shape, (tensor::Shape{-1, -1}));
  EXPECT_EQ((*model)->ensemble->steps[0].model, "a");
  EXPECT_FALSE((*model)->executable->run({}, {}));
}

}  // namespace
}  // namespace bascule::catalog
