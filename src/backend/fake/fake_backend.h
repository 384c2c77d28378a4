#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace bascule::backend {

// A scripted model: what it says of itself, whether it loads, and what a run does.
// Thread-safety: as its `run`.
struct FakeModel {
  ModelSpec spec;
  Result<void> load_result = {};
  // Called for every run, on the caller's thread; may block (latency), fail, or compute. It gives all
  // outputs; those not asked for are dropped. Without a script every run gives its inputs back.
  std::function<Result<std::vector<tensor::NamedTensor>>(std::span<const tensor::NamedTensor> inputs)> run;
};

// A scripted engine for tests: files named "NAME.fake", of which only the name is looked at.
// Thread-safety: `add` first; then thread-safe.
class FakeBackend final : public Backend {
 public:
  // What `load` gives for a file whose stem is `name`; a second model of that name replaces the first.
  void add(const std::string& name, FakeModel model);

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] bool accepts(const std::filesystem::path& file) const override;
  Result<std::unique_ptr<Executable>> load(const std::filesystem::path& file,
                                           const LoadOptions& options) const override;

 private:
  std::map<std::string, FakeModel> models_;
};

}  // namespace bascule::backend
