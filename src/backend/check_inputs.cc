#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/backend.h"
#include "base/text.h"

namespace bascule::backend {
namespace {

using tensor::NamedTensor;
using tensor::TensorSpec;

// Which of two lists a sentence is about.
struct Side {
  std::string_view noun;  // "input"
  std::string_view Noun;  // NOLINT(readability-identifier-naming): at the start of a sentence
  Reason unknown;
  Reason duplicate;
};
constexpr Side kInputs{"input", "Input", Reason::kUnknownInput, Reason::kDuplicateInput};
constexpr Side kOutputs{"output", "Output", Reason::kUnknownOutput, Reason::kDuplicateOutput};

// Names in a message: at most this many, so that it stays a sentence.
constexpr std::size_t kMaxNames = 8;

std::string in_quotes(std::string_view name) {
  return fmt::format("'{}'", text::shortened(text::escape_controls(name)));
}

std::string quoted_names(std::span<const TensorSpec> specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs.first(std::min(specs.size(), kMaxNames)))
    names.push_back(in_quotes(spec.name));
  const std::size_t rest = specs.size() - names.size();
  return rest == 0 ? fmt::format("{}", fmt::join(names, ", "))
                   : fmt::format("{} and {} more", fmt::join(names, ", "), rest);
}

Error with_fields(std::string message, Reason reason, ErrorFields fields) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .reason = reason,
          .fields = std::move(fields)};
}

Error unknown(const Side& side, std::string_view name, std::span<const TensorSpec> specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  // Comparing a name of a megabyte with each candidate would be work given away.
  const auto near = name.size() <= 256 ? text::nearest(name, names) : std::nullopt;
  std::string message = fmt::format("The model has no {} {}", side.noun, in_quotes(name));
  if (near) {
    message += fmt::format("; did you mean {}?", in_quotes(*near));
  } else if (specs.empty()) {
    message += fmt::format("; it has no {}s at all.", side.noun);
  } else {
    message += fmt::format("; its {}s are {}.", side.noun, quoted_names(specs));
  }
  return with_fields(std::move(message), side.unknown,
                     {.name = std::string(name), .expected = near.value_or(std::string())});
}

Error duplicate(const Side& side, std::string_view name) {
  return with_fields(fmt::format("{} {} was given more than once.", side.Noun, in_quotes(name)),
                     side.duplicate, {.name = std::string(name)});
}

Result<void> check_data_size(const NamedTensor& input) {
  const tensor::Tensor& t = input.tensor;
  const std::size_t element = tensor::element_size(t.type);
  if (element == 0) {
    if (auto strings = tensor::string_elements(t); !strings) {
      Error error = std::move(strings).error();
      error.message = fmt::format("Input {}: {}", in_quotes(input.name), error.message);
      error.fields.name = input.name;
      return error;
    }
    return {};
  }
  BASCULE_ASSIGN(const std::size_t wanted, tensor::byte_count(t.shape, element));
  if (wanted == t.bytes.size()) return {};
  return with_fields(
      fmt::format("Input {} of shape {} and datatype {} needs {} bytes, but {} were given.",
                  in_quotes(input.name), tensor::to_string(t.shape), tensor::to_string(t.type), wanted,
                  t.bytes.size()),
      Reason::kDataSizeMismatch,
      {.name = input.name, .expected = std::to_string(wanted), .got = std::to_string(t.bytes.size())});
}

bool fits(const tensor::Shape& spec, const tensor::Shape& shape, bool fewer_rows) {
  if (!fewer_rows || spec.empty() || shape.empty()) return tensor::matches(spec, shape);
  const auto rest = [](const tensor::Shape& all) { return std::span(all).subspan(1); };
  return shape[0] >= 1 && shape[0] <= spec[0] && tensor::matches(rest(spec), rest(shape));
}

Result<void> check_input(const TensorSpec& spec, const NamedTensor& input, bool fewer_rows) {
  const tensor::Tensor& t = input.tensor;
  if (t.type != spec.type) {
    return with_fields(fmt::format("Input {} has datatype {}, but the model wants {}.", in_quotes(input.name),
                                   tensor::to_string(t.type), tensor::to_string(spec.type)),
                       Reason::kDatatypeMismatch,
                       {.name = input.name,
                        .expected = std::string(tensor::to_string(spec.type)),
                        .got = std::string(tensor::to_string(t.type))});
  }
  // Refuses negative dimensions, too many of them and products that overflow, before anything is compared.
  if (auto count = tensor::element_count(t.shape); !count) {
    Error error = std::move(count).error();
    error.message = fmt::format("Input {}: {}", in_quotes(input.name), error.message);
    error.fields = {.name = input.name, .expected = tensor::to_string(spec.shape)};
    return error;
  }
  // A spec without dimensions may mean "any": see ModelSpec::inputs.
  if (!spec.shape.empty() && !fits(spec.shape, t.shape, fewer_rows)) {
    const std::string got = tensor::to_string(t.shape);
    const std::string expected = tensor::to_string(spec.shape);
    return with_fields(fmt::format("Input {} has shape {}, but the model wants {}{}.", in_quotes(input.name),
                                   got, expected, fewer_rows ? ", or fewer rows" : ""),
                       Reason::kShapeMismatch, {.name = input.name, .expected = expected, .got = got});
  }
  return check_data_size(input);
}

// Finds each name in the specs, at most once each: marks `seen`.
Result<const TensorSpec*> claim(const Side& side, std::span<const TensorSpec> specs, std::string_view name,
                                std::vector<bool>& seen) {
  const auto at = std::ranges::find(specs, name, &TensorSpec::name);
  if (at == specs.end()) return unknown(side, name, specs);
  const auto index = static_cast<std::size_t>(at - specs.begin());
  if (seen[index]) return duplicate(side, name);
  seen[index] = true;
  return &*at;
}

Error missing(std::span<const TensorSpec> specs, const std::vector<bool>& seen) {
  std::vector<TensorSpec> left;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!seen[i] && !specs[i].optional) left.push_back(specs[i]);
  }
  return with_fields(
      left.size() == 1
          ? fmt::format("Input {} is missing; the model needs it as {} of shape {}.", in_quotes(left[0].name),
                        tensor::to_string(left[0].type), tensor::to_string(left[0].shape))
          : fmt::format("Inputs {} are missing.", quoted_names(left)),
      Reason::kMissingInput,
      {.name = left[0].name, .expected = std::string(tensor::to_string(left[0].type))});
}

}  // namespace

std::size_t static_batch(const ModelSpec& spec) {
  if (spec.inputs.empty() || spec.outputs.empty() || spec.inputs[0].shape.empty()) return 0;
  const std::int64_t rows = spec.inputs[0].shape[0];
  const auto same = [&](const TensorSpec& one) { return !one.shape.empty() && one.shape[0] == rows; };
  const bool all = std::ranges::all_of(spec.inputs, same) && std::ranges::all_of(spec.outputs, same);
  return all && rows > 1 && rows <= kMaxStaticBatch ? static_cast<std::size_t>(rows) : 0;
}

Result<void> check_inputs(const ModelSpec& spec, std::span<const NamedTensor> inputs, bool fewer_rows) {
  std::vector<bool> seen(spec.inputs.size());
  for (const NamedTensor& input : inputs) {
    BASCULE_ASSIGN(const TensorSpec* wanted, claim(kInputs, spec.inputs, input.name, seen));
    BASCULE_TRY(check_input(*wanted, input, fewer_rows));
    if (!fewer_rows || input.tensor.shape[0] == inputs[0].tensor.shape[0]) continue;
    return with_fields(
        fmt::format("Input {} has {} rows and input {} has {}; all inputs of a request have as many.",
                    in_quotes(inputs[0].name), inputs[0].tensor.shape[0], in_quotes(input.name),
                    input.tensor.shape[0]),
        Reason::kShapeMismatch,
        {.name = input.name,
         .expected = fmt::format("{}", inputs[0].tensor.shape[0]),
         .got = fmt::format("{}", input.tensor.shape[0])});
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (!seen[i] && !spec.inputs[i].optional) return missing(spec.inputs, seen);
  }
  return {};
}

Result<void> check_outputs(const ModelSpec& spec, std::span<const std::string> outputs) {
  std::vector<bool> seen(spec.outputs.size());
  for (const std::string& name : outputs) BASCULE_TRY(claim(kOutputs, spec.outputs, name, seen));
  return {};
}

}  // namespace bascule::backend
