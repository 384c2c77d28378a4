#include "tensor/tensor.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

#include <fmt/format.h>

namespace bascule::tensor {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire format is the memory format");

// Up to this the allocator has blocks of each size at hand, but none of a stricter alignment than its own.
constexpr std::size_t kSmall = 1024 - kAlignment;

Result<std::shared_ptr<std::byte>> allocate(std::size_t bytes) {
  if (bytes <= kSmall) {
    void* const block = ::operator new(bytes + kAlignment, std::nothrow);
    if (block != nullptr) {
      const auto address = reinterpret_cast<std::uintptr_t>(block);
      const std::size_t skipped = (kAlignment - address % kAlignment) % kAlignment;
      return std::shared_ptr<std::byte>(static_cast<std::byte*>(block) + skipped,
                                        [block](std::byte*) { ::operator delete(block); });
    }
  }
  constexpr std::align_val_t kAlign{kAlignment};
  auto* memory = static_cast<std::byte*>(::operator new(bytes == 0 ? 1 : bytes, kAlign, std::nothrow));
  if (memory == nullptr) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("There is no memory for a tensor of {} bytes.", bytes)};
  }
  return std::shared_ptr<std::byte>(memory, [](std::byte* p) { ::operator delete(p, kAlign); });
}

}  // namespace

Result<MutableTensor> make_tensor(DataType type, Shape shape) {
  const std::size_t size = element_size(type);
  if (size == 0) return invalid_argument("BYTES elements have no fixed size.");
  BASCULE_ASSIGN(const std::size_t bytes, byte_count(shape, size));
  BASCULE_ASSIGN(std::shared_ptr<std::byte> memory, allocate(bytes));
  MutableTensor out;
  out.bytes = {memory.get(), bytes};
  out.tensor = {.type = type, .shape = std::move(shape), .bytes = out.bytes, .owner = std::move(memory)};
  return out;
}

Result<Tensor> make_string_tensor(Shape shape, std::span<const std::string_view> values) {
  BASCULE_ASSIGN(const std::size_t count, element_count(shape));
  if (count != values.size()) {
    return invalid_argument(
        fmt::format("Shape {} holds {} elements, but {} were given.", to_string(shape), count, values.size()),
        Reason::kDataSizeMismatch);
  }
  std::size_t bytes = 0;
  for (const std::string_view value : values) {
    if (value.size() > UINT32_MAX) return invalid_argument("A string element exceeds 4 GiB.");
    bytes += 4 + value.size();
  }
  BASCULE_ASSIGN(std::shared_ptr<std::byte> memory, allocate(bytes));
  std::byte* out = memory.get();
  for (const std::string_view value : values) {
    const auto length = static_cast<std::uint32_t>(value.size());
    std::memcpy(out, &length, 4);
    if (!value.empty()) std::memcpy(out + 4, value.data(), value.size());
    out += 4 + value.size();
  }
  const std::span<const std::byte> view{memory.get(), bytes};
  return Tensor{
      .type = DataType::kString, .shape = std::move(shape), .bytes = view, .owner = std::move(memory)};
}

Result<std::vector<std::string_view>> string_elements(const Tensor& tensor) {
  BASCULE_ASSIGN(const std::size_t count, element_count(tensor.shape));
  const auto mismatch = [&](std::size_t found) {
    return invalid_argument(fmt::format("{} bytes of BYTES data hold {} whole elements; shape {} needs {}.",
                                        tensor.bytes.size(), found, to_string(tensor.shape), count),
                            Reason::kDataSizeMismatch);
  };
  if (count > tensor.bytes.size() / 4) return mismatch(tensor.bytes.size() / 4);
  std::vector<std::string_view> out;
  out.reserve(count);
  std::span<const std::byte> rest = tensor.bytes;
  while (!rest.empty() && out.size() < count) {
    std::uint32_t length = 0;
    if (rest.size() < 4) return mismatch(out.size());
    std::memcpy(&length, rest.data(), 4);
    rest = rest.subspan(4);
    if (length > rest.size()) return mismatch(out.size());
    out.emplace_back(reinterpret_cast<const char*>(rest.data()), length);
    rest = rest.subspan(length);
  }
  if (out.size() != count || !rest.empty()) return mismatch(out.size());
  return out;
}

float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

float fp16_to_float(std::uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

std::uint16_t float_to_fp16(float value) {
  return std::bit_cast<std::uint16_t>(static_cast<_Float16>(value));
}

}  // namespace bascule::tensor
