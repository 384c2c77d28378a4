// The models of tests/data/general against what their own libraries answered: scikit-learn models on real
// data, with every number within 1e-5 relative.

#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/onnxruntime/test_models.h"

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tensor::DataType;
using tensor::NamedTensor;
using tensor::Shape;
using tensor::Tensor;

constexpr double kRelative = 1e-5;

json read_json(const fs::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

// A nested list as a tensor of the type that the model wants.
Tensor to_tensor(const json& list, DataType type) {
  Shape shape;
  for (const json* level = &list; level->is_array(); level = &level->at(0)) {
    shape.push_back(static_cast<std::int64_t>(level->size()));
  }
  std::vector<std::string> texts;
  std::vector<float> numbers;
  const auto gather = [&](const auto& self, const json& value) -> void {
    if (value.is_array()) {
      for (const json& part : value) self(self, part);
    } else if (value.is_string()) {
      texts.push_back(value.get<std::string>());
    } else {
      numbers.push_back(value.get<float>());
    }
  };
  gather(gather, list);
  if (type != DataType::kString) return test::floats(shape, numbers);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return tensor::make_string_tensor(shape, views).value();
}

void expect_near(double got, double wanted, const std::string& where) {
  EXPECT_LE(std::abs(got - wanted), kRelative * std::abs(wanted))
      << where << ": " << got << " for " << wanted;
}

// One row of an expected output: a label, a list of numbers, or a map from label to number.
void expect_row(const json& wanted, const Tensor& got, const Tensor* labels, std::size_t row) {
  const std::string where = "row " + std::to_string(row);
  const std::size_t width = got.shape.size() < 2 ? 1 : static_cast<std::size_t>(got.shape[1]);
  if (wanted.is_string()) {
    EXPECT_EQ(test::strings_of(got).at(row), wanted.get<std::string>()) << where;
  } else if (wanted.is_number_integer()) {
    EXPECT_EQ(got.elements<std::int64_t>()[row], wanted.get<std::int64_t>()) << where;
  } else if (wanted.is_number()) {
    ASSERT_EQ(width, 1U);
    expect_near(got.elements<float>()[row], wanted.get<double>(), where);
  } else if (wanted.is_array()) {
    ASSERT_EQ(width, wanted.size()) << where;
    for (std::size_t i = 0; i < width; ++i) {
      expect_near(got.elements<float>()[row * width + i], wanted[i].get<double>(), where);
    }
  } else {
    ASSERT_TRUE(wanted.is_object() && labels != nullptr) << where;
    ASSERT_EQ(width, wanted.size()) << where;
    const auto names = test::strings_of(*labels);
    for (std::size_t i = 0; i < width; ++i) {
      const std::string& name = names.at(row * width + i);
      ASSERT_TRUE(wanted.contains(name)) << name;
      expect_near(got.elements<float>()[row * width + i], wanted[name].get<double>(), where + " " + name);
    }
  }
}

struct Conformance : testing::TestWithParam<const char*> {};

TEST_P(Conformance, AnswersWhatItsLibraryAnswered) {
  const std::string name = GetParam();
  fs::path models = test::kData / "general";
  fs::path expected = test::kData / "expected" / "general" / (name + ".json");
  if (!fs::exists(expected)) {
    models = test::kShared / "models" / "general";
    expected = test::kShared / "expected" / "general" / (name + ".json");
    if (!fs::exists(expected)) GTEST_SKIP() << "needs ../shared";
  }
  const json golden = read_json(expected);
  const auto model = test::load(models / golden["model"].get<std::string>());
  ASSERT_TRUE(model);
  std::vector<NamedTensor> inputs;
  for (const auto& spec : model->spec().inputs) {
    EXPECT_EQ(spec.shape.at(0), tensor::kDynamic) << "the batch is open";
    ASSERT_TRUE(golden["inputs"].contains(spec.name)) << spec.name;
    inputs.push_back({spec.name, to_tensor(golden["inputs"][spec.name], spec.type)});
  }
  ASSERT_TRUE(check_inputs(model->spec(), inputs));
  const auto out = test::run(*model, inputs);
  std::size_t compared = 0;
  for (const auto& [wanted_name, wanted] : golden["outputs"].items()) {
    // The library calls them "label" and "probabilities", the file may say "output_label", "variable", ….
    const bool wants_labels = wanted_name == "label";
    for (std::size_t i = 0; i < out.size(); ++i) {
      const bool is_label = out[i].tensor.shape.size() == 1;
      if (out[i].name.ends_with("_labels") || is_label != wants_labels) continue;
      const bool has_labels = i + 1 < out.size() && out[i + 1].name == out[i].name + "_labels";
      ASSERT_EQ(out[i].tensor.shape.at(0), static_cast<std::int64_t>(wanted.size()));
      for (std::size_t row = 0; row < wanted.size(); ++row) {
        expect_row(wanted[row], out[i].tensor, has_labels ? &out[i + 1].tensor : nullptr, row);
      }
      ++compared;
    }
  }
  EXPECT_EQ(compared, golden["outputs"].size());
}

INSTANTIATE_TEST_SUITE_P(General, Conformance,
                         testing::Values("iris_zipmap", "sms_spam", "wine_classifier", "diabetes_regressor"),
                         [](const auto& one) { return std::string(one.param); });

TEST(ConformanceZipMap, NamesItsColumnsInTheSpec) {
  const auto model = test::load(test::kData / "general" / "iris_zipmap.onnx");
  ASSERT_TRUE(model);
  const auto& outputs = model->spec().outputs;
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[0].name, "output_label");
  EXPECT_EQ(outputs[0].type, DataType::kString);
  EXPECT_EQ(outputs[0].shape, Shape{tensor::kDynamic});
  EXPECT_EQ(outputs[1].name, "output_probability");
  EXPECT_EQ(outputs[1].type, DataType::kFp32);
  EXPECT_EQ(outputs[1].shape, (Shape{tensor::kDynamic, tensor::kDynamic}));
  EXPECT_EQ(outputs[2].name, "output_probability_labels");
  EXPECT_EQ(outputs[2].type, DataType::kString);
  const auto out = test::run(*model, {{"x", test::floats({1, 4}, {5.1F, 3.5F, 1.4F, 0.2F})}});
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[1].tensor.shape, (Shape{1, 3}));
  EXPECT_EQ(test::strings_of(out[2].tensor), (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
}

}  // namespace
}  // namespace bascule::backend
