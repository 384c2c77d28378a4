#include "backend/fake/fake_backend.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace bascule::backend {
namespace {

using tensor::NamedTensor;

class FakeExecutable final : public Executable {
 public:
  explicit FakeExecutable(FakeModel model) : model_(std::move(model)) {}

  [[nodiscard]] const ModelSpec& spec() const override { return model_.spec; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> inputs,
                                       std::span<const std::string> outputs) const override {
    std::vector<NamedTensor> all(inputs.begin(), inputs.end());
    if (model_.run) {
      BASCULE_ASSIGN(all, model_.run(inputs));
    }
    if (outputs.empty()) return all;
    std::vector<NamedTensor> wanted;
    for (const std::string& name : outputs) {
      const auto at = std::ranges::find(all, name, &NamedTensor::name);
      if (at == all.end()) return internal_error(fmt::format("The script gives no output '{}'.", name));
      wanted.push_back(*at);
    }
    return wanted;
  }

 private:
  const FakeModel model_;
};

}  // namespace

void FakeBackend::add(const std::string& name, FakeModel model) {
  models_.insert_or_assign(name, std::move(model));
}

bool FakeBackend::accepts(const std::filesystem::path& file) const { return file.extension() == ".fake"; }

Result<std::unique_ptr<Executable>> FakeBackend::load(const std::filesystem::path& file,
                                                      const LoadOptions& /*options*/) const {
  const auto at = models_.find(file.stem().string());
  if (at == models_.end()) {
    return not_found(fmt::format("Model file '{}' does not exist.", file.filename().string()));
  }
  BASCULE_TRY(at->second.load_result);
  return std::make_unique<FakeExecutable>(at->second);
}

}  // namespace bascule::backend
