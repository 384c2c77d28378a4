#pragma once

// What this folder's tests share: files, loading, running, tensors from literals.

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/onnxruntime/onnxruntime_backend.h"
#include "base/log.h"

namespace bascule::backend::test {

inline const std::filesystem::path kData = std::filesystem::path(BASCULE_SOURCE_DIR) / "tests" / "data";
// Larger files that not every machine has.
inline const std::filesystem::path kShared = std::filesystem::path(BASCULE_SOURCE_DIR) / ".." / "shared";

// The value; else says why there is none and throws, which fails the test.
template <class T>
T value_or_fail(Result<T> result) {
  if (!result) log::error("{}", result.error().message);
  return std::move(result).value();
}

inline std::unique_ptr<Executable> load(const std::filesystem::path& file, int threads = 1) {
  return value_or_fail(make_onnxruntime_backend()->load(file, {.threads = threads}));
}

inline std::vector<tensor::NamedTensor> run(const Executable& model,
                                            const std::vector<tensor::NamedTensor>& inputs,
                                            const std::vector<std::string>& outputs = {}) {
  return value_or_fail(model.run(inputs, outputs));
}

inline tensor::Tensor floats(tensor::Shape shape, const std::vector<float>& values) {
  return tensor::copy_tensor(tensor::DataType::kFp32, std::move(shape), std::span<const float>(values))
      .value();
}

template <class T = float>
std::vector<T> values_of(const tensor::Tensor& tensor) {
  const auto all = tensor.elements<T>();
  return {all.begin(), all.end()};
}

inline std::vector<std::string> strings_of(const tensor::Tensor& tensor) {
  const auto all = tensor::string_elements(tensor).value();
  return {all.begin(), all.end()};
}

}  // namespace bascule::backend::test
