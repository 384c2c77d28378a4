#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace bascule::tensor {

inline constexpr std::size_t kAlignment = 64;

// A tensor: row-major bytes that are shared, never changed once other code can see them.
// The bytes of a kString tensor are the v2 protocol's serialisation: for each element its length as four
// little-endian bytes, then the bytes. All others are the machine's little-endian elements, kBool one byte
// each. `bytes` may lie in a request body or in an engine's memory; `owner` keeps that alive. Thread-safety:
// immutable once shared.
struct Tensor {
  DataType type = DataType::kFp32;
  Shape shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  // The elements as T. Precondition: T is the C++ type of `type` and `bytes` is aligned for it.
  template <class T>
  [[nodiscard]] std::span<const T> elements() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// A tensor under construction: memory aligned to kAlignment, not initialised.
struct MutableTensor {
  Tensor tensor;
  std::span<std::byte> bytes;

  template <class T>
  [[nodiscard]] std::span<T> elements() {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

// Memory for a tensor of fixed-size elements. Errors: as byte_count; kInvalidArgument for kString;
// kResourceExhausted where there is no such memory.
Result<MutableTensor> make_tensor(DataType type, Shape shape);
// A tensor that owns a copy of `values`. Errors: kInvalidArgument where their number disagrees with the
// shape.
template <class T>
Result<Tensor> copy_tensor(DataType type, Shape shape, std::span<const T> values);
// A kString tensor from its elements.
Result<Tensor> make_string_tensor(Shape shape, std::span<const std::string_view> values);
// The elements of a kString tensor; views into its bytes. Errors: kInvalidArgument where the lengths do not
// add up or their number is not the shape's.
Result<std::vector<std::string_view>> string_elements(const Tensor& tensor);

// What a model says of one of its inputs or outputs.
struct TensorSpec {
  std::string name;
  DataType type = DataType::kFp32;
  Shape shape;            // kDynamic where any size will do
  bool optional = false;  // an input with a default of its own
};

// Float16 and bfloat16 bits to float and back (round to nearest even).
[[nodiscard]] float fp16_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_fp16(float value);
[[nodiscard]] float bf16_to_float(std::uint16_t bits);
[[nodiscard]] std::uint16_t float_to_bf16(float value);

template <class T>
Result<Tensor> copy_tensor(DataType type, Shape shape, std::span<const T> values) {
  BASCULE_ASSIGN(MutableTensor out, make_tensor(type, std::move(shape)));
  const auto bytes = std::as_bytes(values);
  if (bytes.size() != out.bytes.size()) {
    return invalid_argument("The number of values disagrees with the shape.", Reason::kDataSizeMismatch);
  }
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return std::move(out.tensor);
}

}  // namespace bascule::tensor
