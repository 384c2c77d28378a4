#include "backend/onnxruntime/ort_value.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::backend::ort {
namespace {

using tensor::DataType;
using tensor::NamedTensor;
using tensor::Shape;
using tensor::Tensor;

// An engine's value with what it lives in.
struct Held {
  std::shared_ptr<const void> keep;
  Ort::Value value;
};

bool aligned(std::span<const std::byte> bytes, std::size_t to) {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % to == 0;
}

Result<Ort::Value> string_value(const Tensor& tensor) {
  BASCULE_ASSIGN(const auto elements, tensor::string_elements(tensor));
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Value out = Ort::Value::CreateTensor(allocator, tensor.shape.data(), tensor.shape.size(),
                                            ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    // By length, not by terminator: elements may hold NUL bytes.
    char* buffer = out.GetResizedStringTensorElementBuffer(i, elements[i].size());
    if (!elements[i].empty()) std::memcpy(buffer, elements[i].data(), elements[i].size());
  }
  return out;
}

Result<Tensor> string_tensor(const Ort::Value& value, Shape shape) {
  BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
  const std::size_t length = count == 0 ? 0 : value.GetStringTensorDataLength();
  std::string text(length, '\0');
  std::vector<std::size_t> offsets(count);
  if (count > 0) value.GetStringTensorContent(text.data(), length, offsets.data(), count);
  std::vector<std::string_view> elements(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = i + 1 < count ? offsets[i + 1] : length;
    elements[i] = std::string_view(text).substr(offsets[i], end - offsets[i]);
  }
  return tensor::make_string_tensor(std::move(shape), elements);
}

bool inside(std::span<const std::byte> bytes, std::span<const NamedTensor> inputs) {
  const std::less<const std::byte*> before;  // a total order, even across objects
  return std::ranges::any_of(inputs, [&](const NamedTensor& input) {
    const auto outer = input.tensor.bytes;
    return !outer.empty() && !before(bytes.data(), outer.data()) &&
           before(bytes.data(), outer.data() + outer.size());
  });
}

Result<Tensor> plain_tensor(Ort::Value value, std::span<const NamedTensor> inputs,
                            std::shared_ptr<const void> keep) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  Shape shape = info.GetShape();
  BASCULE_ASSIGN(const DataType type, from_onnx(info.GetElementType()));
  if (type == DataType::kString) return string_tensor(value, std::move(shape));
  BASCULE_ASSIGN(const std::size_t size, tensor::byte_count(shape, tensor::element_size(type)));
  const auto* data = static_cast<const std::byte*>(value.GetTensorRawData());
  const std::span<const std::byte> bytes{data, data == nullptr ? 0 : size};
  if (bytes.empty() || inside(bytes, inputs)) {
    BASCULE_ASSIGN(auto copy, tensor::make_tensor(type, std::move(shape)));
    std::ranges::copy(bytes, copy.bytes.begin());
    return std::move(copy.tensor);
  }
  auto held = std::make_shared<Held>(Held{.keep = std::move(keep), .value = std::move(value)});
  return Tensor{.type = type, .shape = std::move(shape), .bytes = bytes, .owner = std::move(held)};
}

// The bytes of tensors of one type and shape, one after the other. Works for strings as well: their
// serialisation has no header of its own.
Result<Tensor> joined(std::span<const Tensor> parts, DataType type, Shape shape) {
  std::size_t size = 0;
  for (const Tensor& part : parts) size += part.bytes.size();
  auto memory = tensor::make_tensor(DataType::kUint8, {static_cast<std::int64_t>(size)});
  if (!memory) return std::move(memory).error();
  std::byte* out = memory->bytes.data();
  for (const Tensor& part : parts) out = std::ranges::copy(part.bytes, out).out;
  Tensor tensor = std::move(memory->tensor);
  tensor.type = type;
  tensor.shape = std::move(shape);
  return tensor;
}

Result<Tensor> stacked(const Ort::Value& sequence, const OutputPlan& plan) {
  Ort::AllocatorWithDefaultOptions allocator;
  const std::size_t count = sequence.GetCount();
  std::vector<Tensor> parts;
  parts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    BASCULE_ASSIGN(Tensor part, plain_tensor(sequence.GetValue(static_cast<int>(i), allocator), {}, nullptr));
    if (i > 0 && part.shape != parts.front().shape) {
      return invalid_argument(
          fmt::format("Output '{}' is a sequence whose tensors 0 and {} have the shapes {} and {}; only a "
                      "sequence of equal "
                      "shapes can be given as one tensor.",
                      text::shortened(plan.name), i, tensor::to_string(parts.front().shape),
                      tensor::to_string(part.shape)));
    }
    parts.push_back(std::move(part));
  }
  Shape shape = parts.empty() ? Shape{} : parts.front().shape;
  shape.insert(shape.begin(), static_cast<std::int64_t>(count));
  return joined(parts, plan.type, std::move(shape));
}

Result<Converted> from_map(const Ort::Value& map) {
  Ort::AllocatorWithDefaultOptions allocator;
  Converted out;
  BASCULE_ASSIGN(out.labels, plain_tensor(map.GetValue(0, allocator), {}, nullptr));
  BASCULE_ASSIGN(out.values, plain_tensor(map.GetValue(1, allocator), {}, nullptr));
  return out;
}

Result<Converted> from_map_sequence(const Ort::Value& sequence, const OutputPlan& plan) {
  Ort::AllocatorWithDefaultOptions allocator;
  const std::size_t count = sequence.GetCount();
  std::vector<Tensor> values;
  std::vector<Tensor> labels;
  for (std::size_t i = 0; i < count; ++i) {
    BASCULE_ASSIGN(Converted row, from_map(sequence.GetValue(static_cast<int>(i), allocator)));
    if (i > 0 && row.values.shape != values.front().shape) {
      return invalid_argument(fmt::format(
          "Output '{}' gives {} labels for row 0, but {} for row {}; only rows of equal size can be given as "
          "columns.",
          text::shortened(plan.name), values.front().shape[0], row.values.shape[0], i));
    }
    values.push_back(std::move(row.values));
    labels.push_back(std::move(row.labels));
  }
  const Shape shape{static_cast<std::int64_t>(count), values.empty() ? 0 : values.front().shape[0]};
  Converted out;
  BASCULE_ASSIGN(out.values, joined(values, plan.type, shape));
  BASCULE_ASSIGN(out.labels, joined(labels, plan.label_type, shape));
  return out;
}

}  // namespace

Result<Ort::Value> to_value(const Tensor& tensor, const Ort::MemoryInfo& memory) {
  if (tensor.type == DataType::kString) return string_value(tensor);
  const std::size_t element = tensor::element_size(tensor.type);
  BASCULE_ASSIGN(const std::size_t size, tensor::byte_count(tensor.shape, element));
  if (size != tensor.bytes.size()) {
    return invalid_argument(
        fmt::format("Shape {} of {} needs {} bytes, but {} were given.", tensor::to_string(tensor.shape),
                    tensor::to_string(tensor.type), size, tensor.bytes.size()),
        Reason::kDataSizeMismatch);
  }
  if (aligned(tensor.bytes, element) && size > 0) {
    // The API takes a mutable pointer, but a run never writes to what it was fed.
    auto* data = const_cast<std::byte*>(tensor.bytes.data());
    return Ort::Value::CreateTensor(memory, data, size, tensor.shape.data(), tensor.shape.size(),
                                    to_onnx(tensor.type));
  }
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Value copy =
      Ort::Value::CreateTensor(allocator, tensor.shape.data(), tensor.shape.size(), to_onnx(tensor.type));
  if (size > 0) std::memcpy(copy.GetTensorMutableRawData(), tensor.bytes.data(), size);
  return copy;
}

Result<Converted> from_value(Ort::Value value, const OutputPlan& plan, std::span<const NamedTensor> inputs,
                             std::shared_ptr<const void> keep) {
  Converted out;
  switch (plan.kind) {
    case OutputKind::kTensor: {
      BASCULE_ASSIGN(out.values, plain_tensor(std::move(value), inputs, std::move(keep)));
      return out;
    }
    case OutputKind::kTensorSequence: {
      BASCULE_ASSIGN(out.values, stacked(value, plan));
      return out;
    }
    case OutputKind::kMap: return from_map(value);
    case OutputKind::kMapSequence: return from_map_sequence(value, plan);
  }
  return internal_error("An output of unknown kind was met.");
}

}  // namespace bascule::backend::ort
