#include "serving/joining.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::serving {
namespace {

using tensor::NamedTensor;

void append_number(std::string& out, std::int64_t value) {
  char text[24];
  const auto end = std::to_chars(std::begin(text), std::end(text), value);
  out.append(text, end.ptr);
  out += ',';
}

}  // namespace

Result<void> check_rows(const catalog::LoadedModel& model, std::span<const NamedTensor> inputs) {
  const std::size_t limit = model.settings.max_batch_size;
  // Where a trial at load showed that the first dimension is no batch, it has no limit.
  if (limit == 0 || !model.info->batchable || (limit > 1 && model.max_batch_size == 1)) return {};
  for (const auto& [name, tensor] : inputs) {
    if (tensor.shape.empty() || tensor.shape[0] <= static_cast<std::int64_t>(limit)) continue;
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format(
            "Input '{}' has {} rows; max_batch_size of model '{}' is {}. Send at most {} rows in a request.",
            text::shortened(text::escape_controls(name)), tensor.shape[0], model.info->name, limit, limit),
        .reason = Reason::kShapeMismatch,
        .fields = {.name = name,
                   .expected = fmt::format("at most {}", limit),
                   .got = fmt::format("{}", tensor.shape[0]),
                   .limit = fmt::format("{}", limit)}};
  }
  return {};
}

std::string join_key(std::span<const NamedTensor> inputs, std::span<const std::string> outputs) {
  std::string key;
  for (const auto& [name, tensor] : inputs) {
    if (tensor.type == tensor::DataType::kString || tensor.shape.empty() || tensor.shape[0] < 1 ||
        tensor.shape[0] != inputs[0].tensor.shape[0]) {
      return {};
    }
    // Lengths first, so that no name can pretend to be something else.
    append_number(key, static_cast<std::int64_t>(name.size()));
    key += name;
    append_number(key, static_cast<std::int64_t>(tensor.type));
    append_number(key, static_cast<std::int64_t>(tensor.shape.size()));
    for (std::size_t i = 1; i < tensor.shape.size(); ++i) append_number(key, tensor.shape[i]);
  }
  for (const std::string& name : outputs) {
    append_number(key, static_cast<std::int64_t>(name.size()));
    key += name;
  }
  return key;
}

Result<std::vector<NamedTensor>> join(std::span<const std::span<const NamedTensor>> requests,
                                      std::size_t least) {
  std::vector<NamedTensor> joined;
  joined.reserve(requests[0].size());
  for (std::size_t i = 0; i < requests[0].size(); ++i) {
    const NamedTensor& first = requests[0][i];
    tensor::Shape shape = first.tensor.shape;
    shape[0] = 0;
    for (const auto& request : requests) shape[0] += request[i].tensor.shape[0];
    shape[0] = std::max(shape[0], static_cast<std::int64_t>(least));
    BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(first.tensor.type, std::move(shape)));
    auto at = slot.bytes.begin();
    for (const auto& request : requests) {
      const auto& part = request[i].tensor;
      if (!std::ranges::equal(part.shape.begin() + 1, part.shape.end(), slot.tensor.shape.begin() + 1,
                              slot.tensor.shape.end())) {
        return internal_error("Requests of different shapes cannot share a run.");
      }
      at = std::ranges::copy(part.bytes, at).out;
    }
    std::fill(at, slot.bytes.end(), std::byte{0});
    joined.push_back({.name = first.name, .tensor = std::move(slot.tensor)});
  }
  return joined;
}

std::optional<std::vector<NamedTensor>> rows_of(std::span<const NamedTensor> outputs, std::size_t first,
                                                std::size_t count, std::size_t total) {
  std::vector<NamedTensor> rows;
  rows.reserve(outputs.size());
  for (const auto& [name, tensor] : outputs) {
    if (tensor.type == tensor::DataType::kString || tensor.shape.empty() ||
        tensor.shape[0] != static_cast<std::int64_t>(total)) {
      return std::nullopt;
    }
    const std::size_t size = tensor.bytes.size() / total;
    NamedTensor& part = rows.emplace_back(NamedTensor{.name = name, .tensor = tensor});
    part.tensor.shape[0] = static_cast<std::int64_t>(count);
    part.tensor.bytes = tensor.bytes.subspan(first * size, count * size);
  }
  return rows;
}

}  // namespace bascule::serving
