// Warm-up with the requests that a configuration declares.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "catalog/warm_up.h"

namespace bascule::catalog {
namespace {

using Inputs = std::vector<tensor::NamedTensor>;
using tensor::DataType;

constexpr std::size_t kMaxBytes = 256ULL << 20U;  // of one input

// Numbers from 0 to 1, small whole ones, truth: what a model may meet. Other floats stay zeros: their bits at
// random would be infinities among them.
void fill_at_random(tensor::MutableTensor& slot) {
  std::mt19937 random(1);
  const auto fill = [&](auto elements) {
    for (auto& element : elements) element = static_cast<std::decay_t<decltype(element)>>(random() % 2);
  };
  const auto fill_real = [&](auto elements) {
    for (auto& element : elements) {
      element = static_cast<std::decay_t<decltype(element)>>(static_cast<double>(random()) / 4294967296.0);
    }
  };
  std::ranges::fill(slot.bytes, std::byte{0});
  switch (slot.tensor.type) {
    case DataType::kFp32: return fill_real(slot.elements<float>());
    case DataType::kFp64: return fill_real(slot.elements<double>());
    case DataType::kBool: return fill(slot.elements<bool>());
    case DataType::kUint8: return fill(slot.elements<std::uint8_t>());
    case DataType::kInt8: return fill(slot.elements<std::int8_t>());
    case DataType::kInt16: return fill(slot.elements<std::int16_t>());
    case DataType::kUint16: return fill(slot.elements<std::uint16_t>());
    case DataType::kInt32: return fill(slot.elements<std::int32_t>());
    case DataType::kUint32: return fill(slot.elements<std::uint32_t>());
    case DataType::kInt64: return fill(slot.elements<std::int64_t>());
    case DataType::kUint64: return fill(slot.elements<std::uint64_t>());
    default: return;
  }
}

// Every row has the same bytes, those of the file.
Result<tensor::Tensor> from_file(const content::WarmUpInput& input, tensor::Shape shape,
                                 const std::filesystem::path& folder) {
  BASCULE_ASSIGN(const std::filesystem::path file, safe_join(folder, input.file));
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMaxBytes));
  if (input.type == DataType::kString) {
    return invalid_argument(
        fmt::format("'{}' cannot be read as BYTES here; use zero_data, or the setting warm_up.", input.file));
  }
  BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(input.type, std::move(shape)));
  if (bytes.empty() || slot.bytes.size() % bytes.size() != 0) {
    return invalid_argument(fmt::format("'{}' has {} bytes; {} are needed for shape {} of {}.", input.file,
                                        bytes.size(), slot.bytes.size(), tensor::to_string(slot.tensor.shape),
                                        tensor::to_string(input.type)));
  }
  for (std::size_t at = 0; at < slot.bytes.size(); at += bytes.size()) {
    std::ranges::copy(bytes, slot.bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return std::move(slot.tensor);
}

Result<tensor::Tensor> made(const content::WarmUpInput& input, std::size_t rows,
                            const std::filesystem::path& folder) {
  tensor::Shape shape = input.dims;
  if (rows > 0) shape.insert(shape.begin(), static_cast<std::int64_t>(rows));
  BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
  if (count > kMaxBytes / std::max<std::size_t>(tensor::element_size(input.type), 8)) {
    return invalid_argument(fmt::format("input '{}' of shape {} is larger than a warm-up may be.", input.name,
                                        tensor::to_string(shape)));
  }
  if (input.data == content::WarmUpInput::Data::kFile) return from_file(input, std::move(shape), folder);
  if (input.type == DataType::kString) {
    const std::vector<std::string_view> empty(count);
    return tensor::make_string_tensor(std::move(shape), empty);
  }
  BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(input.type, std::move(shape)));
  std::ranges::fill(slot.bytes, std::byte{0});
  if (input.data == content::WarmUpInput::Data::kRandom) fill_at_random(slot);
  return std::move(slot.tensor);
}

Result<Inputs> inputs_of(const content::WarmUpRequest& request, const std::filesystem::path& folder) {
  Inputs inputs;
  for (const content::WarmUpInput& input : request.inputs) {
    BASCULE_ASSIGN(tensor::Tensor tensor, made(input, request.rows, folder));
    inputs.push_back({.name = input.name, .tensor = std::move(tensor)});
  }
  return inputs;
}

Result<Inputs> run_one(const ColdModel& model, const content::WarmUpRequest& request,
                       const std::filesystem::path& folder) {
  BASCULE_ASSIGN(Inputs inputs, inputs_of(request, folder));
  BASCULE_TRY(backend::check_inputs(model.executable.spec(), inputs));
  for (std::size_t i = 0; i < request.count; ++i) BASCULE_TRY(model.executable.run(inputs, {}));
  return inputs;
}

}  // namespace

Result<Measured> run_on_requests(const ColdModel& model, const std::vector<content::WarmUpRequest>& requests,
                                 const std::filesystem::path& folder, const Clock& clock) {
  std::optional<Inputs> first;
  for (const content::WarmUpRequest& request : requests) {
    Result<Inputs> inputs = run_one(model, request, folder);
    if (!inputs) {
      return invalid_argument(fmt::format("The warm-up request '{}' failed: {}",
                                          text::escape_controls(text::shortened(request.name)),
                                          inputs.error().message));
    }
    if (!first) first = *std::move(inputs);
  }
  return measure(model.executable, *first, clock);
}

}  // namespace bascule::catalog
