#include "catalog/batch_trial.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace bascule::catalog {
namespace {

using tensor::DataType;
using tensor::NamedTensor;

constexpr int kTimedRuns = 5;
constexpr Duration kTimedBudget = std::chrono::milliseconds(20);
// Engines may sum in another order for another batch size.
constexpr double kTolerance = 1e-3;

// Numbers that suit weights and indices alike: floats in [0, 1), integers 0 or 1.
Result<void> fill(DataType type, std::mt19937& random, tensor::MutableTensor& out) {
  const auto real = [&] { return static_cast<float>(random() % 65536U) / 65536.0F; };
  switch (type) {
    case DataType::kFp32:
      for (float& v : out.elements<float>()) v = real();
      return {};
    case DataType::kFp64:
      for (double& v : out.elements<double>()) v = static_cast<double>(real());
      return {};
    case DataType::kFp16:
      for (std::uint16_t& v : out.elements<std::uint16_t>()) v = tensor::float_to_fp16(real());
      return {};
    case DataType::kBf16:
      for (std::uint16_t& v : out.elements<std::uint16_t>()) v = tensor::float_to_bf16(real());
      return {};
    case DataType::kString: return invalid_argument("Texts cannot be made up.");
    default: break;
  }
  // Little-endian integers and booleans: the lowest byte of each is 0 or 1.
  std::ranges::fill(out.bytes, std::byte{0});
  const std::size_t size = tensor::element_size(type);
  for (std::size_t at = 0; at < out.bytes.size(); at += size) {
    out.bytes[at] = static_cast<std::byte>(random() & 1U);
  }
  return {};
}

std::optional<double> number(DataType type, std::span<const std::byte> bytes) {
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  };
  switch (type) {
    case DataType::kFp32: return as(float{});
    case DataType::kFp64: return as(double{});
    case DataType::kFp16: return tensor::fp16_to_float(as(std::uint16_t{}));
    case DataType::kBf16: return tensor::bf16_to_float(as(std::uint16_t{}));
    default: return std::nullopt;
  }
}

bool equal(DataType type, std::span<const std::byte> a, std::span<const std::byte> b) {
  if (a.size() != b.size()) return false;
  if (std::ranges::equal(a, b)) return true;
  const std::size_t size = tensor::element_size(type);
  for (std::size_t at = 0; at < a.size(); at += size) {
    const auto x = number(type, a.subspan(at, size));
    const auto y = number(type, b.subspan(at, size));
    if (!x || !y) return false;
    if (std::isnan(*x) && std::isnan(*y)) continue;
    if (!(std::abs(*x - *y) <= kTolerance * (1 + std::max(std::abs(*x), std::abs(*y))))) return false;
  }
  return true;
}

std::span<const std::byte> row_of(std::span<const std::byte> bytes, std::size_t row, std::size_t rows) {
  const std::size_t size = bytes.size() / rows;
  return bytes.subspan(row * size, size);
}

std::vector<NamedTensor> row_of(std::span<const NamedTensor> inputs, std::size_t row, std::size_t rows) {
  std::vector<NamedTensor> out(inputs.begin(), inputs.end());
  for (NamedTensor& input : out) {
    input.tensor.shape[0] = 1;
    input.tensor.bytes = row_of(input.tensor.bytes, row, rows);
  }
  return out;
}

// Why the rows are not each other's strangers, or nothing.
std::string difference(std::span<const NamedTensor> together, std::span<const NamedTensor> alone,
                       std::size_t row, std::size_t rows) {
  for (std::size_t i = 0; i < together.size(); ++i) {
    const tensor::Tensor& all = together[i].tensor;
    const tensor::Tensor& one = alone[i].tensor;
    if (all.type == DataType::kString) return fmt::format("output '{}' is text", together[i].name);
    if (all.shape.empty() || all.shape[0] != static_cast<std::int64_t>(rows) || one.shape.empty() ||
        one.shape[0] != 1 ||
        !std::ranges::equal(all.shape.begin() + 1, all.shape.end(), one.shape.begin() + 1, one.shape.end())) {
      return fmt::format("output '{}' is {} for {} rows and {} for one", together[i].name,
                         tensor::to_string(all.shape), rows, tensor::to_string(one.shape));
    }
    if (!equal(all.type, row_of(all.bytes, row, rows), one.bytes)) {
      return fmt::format("row {} of output '{}' changes with the rows beside it", row, together[i].name);
    }
  }
  return {};
}

Result<Duration> fastest(const backend::Executable& executable, std::span<const NamedTensor> inputs,
                         const Clock& clock) {
  Duration best = Duration::max();
  const TimePoint begin = clock.now();
  for (int i = 0; i < kTimedRuns; ++i) {
    const TimePoint start = clock.now();
    BASCULE_TRY(executable.run(inputs, {}));
    best = std::min<Duration>(best, clock.now() - start);
    if (clock.now() - begin > kTimedBudget) break;
  }
  return best;
}

// Made-up rows for every input that a run needs, the same ones every time.
Result<std::vector<NamedTensor>> made_up(const backend::Executable& executable, const RowShape& row_shape,
                                         std::size_t rows) {
  std::mt19937 random(1);
  std::vector<NamedTensor> inputs;
  for (const tensor::TensorSpec& spec : executable.spec().inputs) {
    if (spec.optional) continue;
    tensor::Shape shape = row_shape(spec);
    if (shape.empty()) return invalid_argument("An input has no shape.");
    shape[0] = static_cast<std::int64_t>(rows);
    BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(spec.type, std::move(shape)));
    BASCULE_TRY(fill(spec.type, random, slot));
    inputs.push_back({.name = spec.name, .tensor = std::move(slot.tensor)});
  }
  return inputs;
}

// A row at the front of a run that is filled with zeros.
Result<std::vector<NamedTensor>> padded(std::span<const NamedTensor> inputs, std::size_t row,
                                        std::size_t rows) {
  std::vector<NamedTensor> out;
  for (const NamedTensor& input : inputs) {
    BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(input.tensor.type, input.tensor.shape));
    const auto rest = std::ranges::copy(row_of(input.tensor.bytes, row, rows), slot.bytes.begin()).out;
    std::fill(rest, slot.bytes.end(), std::byte{0});
    out.push_back({.name = input.name, .tensor = std::move(slot.tensor)});
  }
  return out;
}

}  // namespace

Result<BatchTrial> try_static_batch(const backend::Executable& executable, const RowShape& row_shape,
                                    const Clock& clock) {
  const std::size_t rows = backend::static_batch(executable.spec());
  BASCULE_ASSIGN(const std::vector<NamedTensor> inputs, made_up(executable, row_shape, rows));
  BatchTrial trial{.independent = true, .rows = rows};
  const TimePoint start = clock.now();
  BASCULE_ASSIGN(const std::vector<NamedTensor> together, executable.run(inputs, {}));
  trial.alone = clock.now() - start;
  trial.each = trial.alone / static_cast<Duration::rep>(rows);
  for (const std::size_t row : {std::size_t{0}, rows - 1}) {
    BASCULE_ASSIGN(const std::vector<NamedTensor> with_zeros, padded(inputs, row, rows));
    BASCULE_ASSIGN(const std::vector<NamedTensor> all, executable.run(with_zeros, {}));
    for (const NamedTensor& output : all) {
      if (output.tensor.shape.empty() || output.tensor.shape[0] != static_cast<std::int64_t>(rows)) {
        trial.why_not = fmt::format("output '{}' is {} for {} rows", output.name,
                                    tensor::to_string(output.tensor.shape), rows);
        trial.independent = false;
        return trial;
      }
    }
    trial.why_not = difference(together, row_of(all, 0, rows), row, rows);
    if (trial.why_not.empty()) continue;
    trial.independent = false;
    return trial;
  }
  return trial;
}

Result<BatchTrial> try_batch(const backend::Executable& executable, const RowShape& row_shape,
                             std::size_t rows, const Clock& clock) {
  BASCULE_ASSIGN(const std::vector<NamedTensor> inputs, made_up(executable, row_shape, rows));
  BatchTrial trial{.independent = true, .rows = rows};
  BASCULE_ASSIGN(const std::vector<NamedTensor> together, executable.run(inputs, {}));
  for (const std::size_t row : {std::size_t{0}, rows - 1}) {
    BASCULE_ASSIGN(const std::vector<NamedTensor> alone, executable.run(row_of(inputs, row, rows), {}));
    trial.why_not = difference(together, alone, row, rows);
    if (trial.why_not.empty()) continue;
    trial.independent = false;
    return trial;
  }
  BASCULE_ASSIGN(trial.alone, fastest(executable, row_of(inputs, 0, rows), clock));
  BASCULE_ASSIGN(const Duration all, fastest(executable, inputs, clock));
  trial.each = all / static_cast<Duration::rep>(rows);
  return trial;
}

}  // namespace bascule::catalog
