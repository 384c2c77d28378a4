#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json.h"
#include "protocol/v2/json_tensor.h"

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Tensor;

// Calls `write` with each element; the bytes need not be aligned.
template <class T, class Write>
void append_elements(std::string& out, const Tensor& tensor, std::size_t reserve, const Write& write) {
  const std::size_t count = tensor.bytes.size() / sizeof(T);
  out.reserve(out.size() + count * reserve + 2);
  out += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) out += ',';
    T value{};
    std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
    write(value);
  }
  out += ']';
}

template <class T>
void append_integers(std::string& out, const Tensor& tensor) {
  append_elements<T>(out, tensor, sizeof(T) * 2 + 1, [&](T value) {
    if constexpr (std::is_signed_v<T>) {
      append_number(out, std::int64_t{value});
    } else {
      append_number(out, std::uint64_t{value});
    }
  });
}

template <class T>
void append_reals(std::string& out, const Tensor& tensor) {
  append_elements<T>(out, tensor, sizeof(T) * 2 + 4,
                     [&](T value) { append_number(out, value, NonFinite::kName); });
}

Result<void> append_strings(std::string& out, const Tensor& tensor) {
  BASCULE_ASSIGN(const std::vector<std::string_view> values, tensor::string_elements(tensor));
  out.reserve(out.size() + tensor.bytes.size() + 2);
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out += ',';
    text::append_json_quoted(out, values[i]);
  }
  out += ']';
  return {};
}

Error not_in_json(DataType type, std::string_view name) {
  Error error = invalid_argument(
      fmt::format(
          "Output '{}': {} data cannot be written as JSON; ask for it as binary data (\"parameters\": "
          "{{\"binary_data\": true}} with the output, or \"binary_data_output\": true with the "
          "request).",
          text::shortened(name), to_string(type)),
      Reason::kNotInJson);
  error.fields.name = name;
  error.fields.got = to_string(type);
  return error;
}

}  // namespace

Result<void> append_json_tensor(std::string& out, const Tensor& tensor, std::string_view name) {
  switch (tensor.type) {
    case DataType::kBool:
      append_elements<std::uint8_t>(out, tensor, 6,
                                    [&](std::uint8_t value) { out += value != 0 ? "true" : "false"; });
      break;
    case DataType::kUint8: append_integers<std::uint8_t>(out, tensor); break;
    case DataType::kUint16: append_integers<std::uint16_t>(out, tensor); break;
    case DataType::kUint32: append_integers<std::uint32_t>(out, tensor); break;
    case DataType::kUint64: append_integers<std::uint64_t>(out, tensor); break;
    case DataType::kInt8: append_integers<std::int8_t>(out, tensor); break;
    case DataType::kInt16: append_integers<std::int16_t>(out, tensor); break;
    case DataType::kInt32: append_integers<std::int32_t>(out, tensor); break;
    case DataType::kInt64: append_integers<std::int64_t>(out, tensor); break;
    case DataType::kFp32: append_reals<float>(out, tensor); break;
    case DataType::kFp64: append_reals<double>(out, tensor); break;
    case DataType::kString: BASCULE_TRY(append_strings(out, tensor)); break;
    case DataType::kFp16:
    case DataType::kBf16: return not_in_json(tensor.type, name);
  }
  return {};
}

}  // namespace bascule::protocol::v2
