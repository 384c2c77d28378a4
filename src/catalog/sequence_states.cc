#include "catalog/sequence_states.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"

namespace bascule::catalog {
namespace {

using content::SequenceState;
using tensor::Shape;

// Open dimensions are those of `initial_dims`, or 1.
Result<Shape> initial_shape(const SequenceState& state, const tensor::TensorSpec& spec, bool batch,
                            bool fixed_batch) {
  Shape shape = spec.shape;
  if (state.initial_dims) {
    shape = *state.initial_dims;
    if (batch) shape.insert(shape.begin(), 1);
    if (!spec.shape.empty() && !tensor::matches(spec.shape, shape)) {
      return invalid_argument(
          fmt::format("initial_state of '{}' has dims {}, but the input has shape {}{}.",
                      text::shortened(state.input), tensor::to_string(*state.initial_dims),
                      tensor::to_string(spec.shape), batch ? ", its batch dimension first" : ""));
    }
    return shape;
  }
  if (state.dims) {
    // What the file leaves open and the declaration does not.
    const std::size_t first = batch ? 1 : 0;
    for (std::size_t i = first; i < shape.size() && i - first < state.dims->size(); ++i) {
      if (shape[i] == tensor::kDynamic) shape[i] = (*state.dims)[i - first];
    }
  }
  std::ranges::replace(shape, tensor::kDynamic, std::int64_t{1});
  if ((batch || fixed_batch) && !shape.empty()) shape[0] = 1;
  return shape;
}

Result<tensor::Tensor> initial_of(const SequenceState& state, const tensor::TensorSpec& spec, Shape shape,
                                  const std::filesystem::path& folder, std::uint64_t limit) {
  if (spec.type == tensor::DataType::kString) {
    if (!state.initial_file.empty()) {
      return invalid_argument(
          fmt::format("initial_state of '{}' is BYTES, which no file is read for; leave it out.",
                      text::shortened(state.input)));
    }
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
    const std::vector<std::string_view> none(count);
    return tensor::make_string_tensor(std::move(shape), none);
  }
  BASCULE_ASSIGN(const std::size_t size, tensor::byte_count(shape, tensor::element_size(spec.type)));
  if (size > limit) {
    return Error{.code = Code::kPayloadTooLarge,
                 .message = fmt::format(
                     "The state '{}' has {} at its first step, more than max_state_mb allows all "
                     "sequences together, {}.",
                     text::shortened(state.input), text::human_bytes(size), text::human_bytes(limit))};
  }
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(spec.type, std::move(shape)));
  std::ranges::fill(out.bytes, std::byte{0});
  if (state.initial_file.empty()) return std::move(out.tensor);
  BASCULE_ASSIGN(const std::filesystem::path file, safe_join(folder, state.initial_file));
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, limit));
  if (bytes.size() != out.bytes.size()) {
    return invalid_argument(fmt::format("'{}' has {} bytes; the state '{}', {} of shape {}, needs {}.",
                                        state.initial_file, bytes.size(), text::shortened(state.input),
                                        tensor::to_string(spec.type), tensor::to_string(out.tensor.shape),
                                        out.bytes.size()));
  }
  std::ranges::copy(bytes, out.bytes.begin());
  return std::move(out.tensor);
}

}  // namespace

Result<void> make_initial_states(const backend::ModelSpec& spec, bool batch,
                                 const std::filesystem::path& folder, content::SequenceBatching& sequences) {
  for (SequenceState& state : sequences.states) {
    const auto input = std::ranges::find(spec.inputs, state.input, &tensor::TensorSpec::name);
    BASCULE_CHECK(input != spec.inputs.end());
    BASCULE_ASSIGN(Shape shape, initial_shape(state, *input, batch, backend::static_batch(spec) > 0));
    BASCULE_ASSIGN(state.initial,
                   initial_of(state, *input, std::move(shape), folder, sequences.max_state_bytes));
  }
  return {};
}

}  // namespace bascule::catalog
