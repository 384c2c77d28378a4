#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"

namespace bascule::backend {

// A scripted engine for tests: files named "NAME.fake".
struct FakeModel {
  ModelSpec spec;
  Result<void> load_result = {};
  // Called for every run, on the caller's thread; may block, fail, or compute.
  std::function<Result<std::vector<tensor::NamedTensor>>(std::span<const tensor::NamedTensor> inputs)> run;
};

// Hands out what was scripted. Thread-safety: thread-safe once every `add` is done.
class FakeBackend final : public Backend {
 public:
  // What `load` gives for a file whose stem is `name`.
  void add(const std::string& name, FakeModel model);

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] bool accepts(const std::filesystem::path& file) const override;
  Result<std::unique_ptr<Executable>> load(const std::filesystem::path& file,
                                           const LoadOptions& options) const override;

 private:
  std::map<std::string, FakeModel> models_;
};

}  // namespace bascule::backend
