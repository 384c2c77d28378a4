#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bascule::tensor {

// The element types that ONNX and the v2 protocol share.
enum class DataType : std::uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kBf16,
  kFp32,
  kFp64,
  kString,  // the protocol's BYTES
};

// The v2 protocol's name: "BOOL", "UINT8", …, "FP32", "BYTES" (Open Inference Protocol, "Tensor Data Types").
[[nodiscard]] std::string_view to_string(DataType type);
// Reads such a name; nothing for an unknown one.
[[nodiscard]] std::optional<DataType> parse_data_type(std::string_view name);
// Bytes per element; 0 for kString, whose elements differ in length.
[[nodiscard]] std::size_t element_size(DataType type);

}  // namespace bascule::tensor
