#include "protocol/v2/raw_tensor.h"

#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::protocol::v2 {

using tensor::Tensor;

Error input_error(std::string_view name, std::string_view problem, Reason reason) {
  Error error = invalid_argument(fmt::format("Input '{}' {}", text::shortened(name), problem), reason);
  error.fields.name = name;
  return error;
}

namespace {

// BYTES data holds one length and that many bytes for each element, and nothing else.
Result<void> check_strings(const Tensor& tensor, std::size_t count, std::string_view name) {
  std::span<const std::byte> rest = tensor.bytes;
  std::size_t found = 0;
  while (!rest.empty() && found < count) {
    std::uint32_t length = 0;
    if (rest.size() >= 4) std::memcpy(&length, rest.data(), 4);
    if (rest.size() < 4 || length > rest.size() - 4) {
      return input_error(name,
                         fmt::format("has BYTES data whose element {} ends {} bytes behind the data's end.",
                                     found, (rest.size() < 4 ? 4 : std::size_t{length} + 4) - rest.size()),
                         Reason::kDataSizeMismatch);
    }
    rest = rest.subspan(4 + std::size_t{length});
    ++found;
  }
  if (found == count && rest.empty()) return {};
  return input_error(
      name,
      fmt::format("has {} bytes of BYTES data with {} elements and {} bytes behind them; shape "
                  "{} needs {} elements.",
                  tensor.bytes.size(), found, rest.size(), tensor::to_string(tensor.shape), count),
      Reason::kDataSizeMismatch);
}

}  // namespace

Result<void> attach_raw(Tensor& tensor, std::span<const std::byte> bytes, const RequestBody& body,
                        std::string_view name) {
  const auto count = tensor::element_count(tensor.shape);
  if (!count) return input_error(name, "is wrong: " + count.error().message, Reason::kShapeMismatch);
  const std::size_t size = tensor::element_size(tensor.type);
  if (size == 0) {
    tensor.bytes = bytes;
    tensor.owner = body.owner;
    return check_strings(tensor, *count, name);
  }
  if (*count * size != bytes.size()) {
    Error error =
        input_error(name,
                    fmt::format("has {} bytes of binary data; {} of shape {} needs {}.", bytes.size(),
                                to_string(tensor.type), tensor::to_string(tensor.shape), *count * size),
                    Reason::kDataSizeMismatch);
    error.fields.expected = std::to_string(*count * size);
    error.fields.got = std::to_string(bytes.size());
    return error;
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % size == 0) {
    tensor.bytes = bytes;
    tensor.owner = body.owner;
    return {};
  }
  BASCULE_ASSIGN(tensor::MutableTensor copy, tensor::make_tensor(tensor.type, std::move(tensor.shape)));
  if (!bytes.empty()) std::memcpy(copy.bytes.data(), bytes.data(), bytes.size());
  tensor = std::move(copy.tensor);
  return {};
}

}  // namespace bascule::protocol::v2
