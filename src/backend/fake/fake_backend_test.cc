#include "backend/fake/fake_backend.h"

#include <array>
#include <utility>

#include <gtest/gtest.h>

namespace bascule::backend {
namespace {

using tensor::NamedTensor;

NamedTensor one(std::string name) {
  const std::array<float, 1> value{1.5F};
  return {.name = std::move(name),
          .tensor = tensor::copy_tensor<float>(tensor::DataType::kFp32, {1}, value).value()};
}

TEST(FakeBackend, LoadsWhatWasAdded) {
  FakeBackend backend;
  backend.add("cat", {.spec = {.format = "fake", .inputs = {{.name = "x"}}}});
  EXPECT_TRUE(backend.accepts("models/cat.fake"));
  EXPECT_FALSE(backend.accepts("models/cat.onnx"));
  const auto model = backend.load("models/cat.fake", {}).value();
  EXPECT_EQ(model->spec().inputs[0].name, "x");
  EXPECT_EQ(backend.load("models/dog.fake", {}).error().code, Code::kNotFound);
}

TEST(FakeBackend, FailsToLoadAsScripted) {
  FakeBackend backend;
  backend.add("bad", {.load_result = invalid_argument("Model file 'bad.fake' is bad.")});
  EXPECT_EQ(backend.load("bad.fake", {}).error().message, "Model file 'bad.fake' is bad.");
}

TEST(FakeBackend, GivesItsInputsBackWithoutAScript) {
  FakeBackend backend;
  backend.add("echo", {});
  const auto model = backend.load("echo.fake", {}).value();
  const auto out = model->run(std::array{one("x")}, {}).value();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].name, "x");
  EXPECT_EQ(out[0].tensor.elements<float>()[0], 1.5F);
}

TEST(FakeBackend, RunsItsScriptAndGivesTheOutputsAskedFor) {
  FakeBackend backend;
  int runs = 0;
  backend.add("scripted",
              {.run = [&](std::span<const NamedTensor> inputs) -> Result<std::vector<NamedTensor>> {
                if (++runs > 1) return internal_error("The second run fails.");
                return std::vector{inputs[0], NamedTensor{.name = "y", .tensor = inputs[0].tensor}};
              }});
  const auto model = backend.load("scripted.fake", {}).value();
  const std::array<std::string, 1> names{"y"};
  const auto out = model->run(std::array{one("x")}, names).value();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].name, "y");
  EXPECT_EQ(model->run(std::array{one("x")}, names).error().message, "The second run fails.");
}

}  // namespace
}  // namespace bascule::backend
