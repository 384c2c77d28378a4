#include "backend/identity/identity_backend.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace bascule::backend {
namespace {

using tensor::NamedTensor;
using tensor::TensorSpec;

class IdentityExecutable final : public Executable {
 public:
  explicit IdentityExecutable(ModelSpec spec) : spec_(std::move(spec)) {}

  [[nodiscard]] const ModelSpec& spec() const override { return spec_; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> inputs,
                                       std::span<const std::string> outputs) const override {
    std::vector<NamedTensor> answer;
    answer.reserve(outputs.empty() ? spec_.outputs.size() : outputs.size());
    for (std::size_t i = 0; i < spec_.outputs.size(); ++i) {
      if (outputs.empty()) BASCULE_TRY(add(inputs, i, answer));
    }
    for (const std::string& name : outputs) {
      const auto at = std::ranges::find(spec_.outputs, name, &TensorSpec::name);
      if (at == spec_.outputs.end()) return internal_error(fmt::format("There is no output '{}'.", name));
      BASCULE_TRY(add(inputs, static_cast<std::size_t>(at - spec_.outputs.begin()), answer));
    }
    return answer;
  }

 private:
  // Copies: an answer may outlive the memory of its request.
  Result<void> add(std::span<const NamedTensor> inputs, std::size_t index,
                   std::vector<NamedTensor>& answer) const {
    const auto from = std::ranges::find(inputs, spec_.inputs[index].name, &NamedTensor::name);
    if (from == inputs.end()) {
      return invalid_argument(fmt::format("Output '{}' has no value, since input '{}' has none.",
                                          spec_.outputs[index].name, spec_.inputs[index].name));
    }
    const std::span<const std::byte> bytes = from->tensor.bytes;
    const auto memory = std::make_shared<std::vector<std::max_align_t>>(
        (bytes.size() + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
    auto* const data = reinterpret_cast<std::byte*>(memory->data());
    std::ranges::copy(bytes, data);
    tensor::Tensor copy = from->tensor;
    copy.bytes = {data, bytes.size()};
    copy.owner = memory;
    answer.push_back({.name = spec_.outputs[index].name, .tensor = std::move(copy)});
    return {};
  }

  const ModelSpec spec_;
};

class IdentityBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "identity"; }
  [[nodiscard]] bool accepts(const std::filesystem::path& /*file*/) const override { return false; }

  Result<std::unique_ptr<Executable>> load(const std::filesystem::path& /*file*/,
                                           const LoadOptions& options) const override {
    if (options.declared == nullptr || options.declared->inputs.empty() ||
        options.declared->inputs.size() != options.declared->outputs.size()) {
      return invalid_argument("An identity model needs as many outputs as inputs, and at least one.");
    }
    for (std::size_t i = 0; i < options.declared->inputs.size(); ++i) {
      const TensorSpec& in = options.declared->inputs[i];
      const TensorSpec& out = options.declared->outputs[i];
      if (in.type != out.type || in.shape != out.shape) {
        return invalid_argument(
            fmt::format("An identity model gives its inputs back, but input '{}' is {} {} and output '{}' is "
                        "{} {}.",
                        in.name, tensor::to_string(in.type), tensor::to_string(in.shape), out.name,
                        tensor::to_string(out.type), tensor::to_string(out.shape)));
      }
    }
    return std::make_unique<IdentityExecutable>(*options.declared);
  }
};

}  // namespace

std::unique_ptr<Backend> make_identity_backend() { return std::make_unique<IdentityBackend>(); }

}  // namespace bascule::backend
