#include "backend/engine_choice.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/model_file.h"
#include "base/text.h"

namespace bascule::backend {
namespace {

// A model with more notes than its engine gave it.
class Noted final : public Executable {
 public:
  Noted(std::unique_ptr<Executable> inner, std::vector<std::string> notes)
      : inner_(std::move(inner)), spec_(inner_->spec()) {
    std::ranges::move(notes, std::back_inserter(spec_.notes));
  }
  [[nodiscard]] const ModelSpec& spec() const override { return spec_; }
  void rest() const override { inner_->rest(); }
  Result<std::vector<tensor::NamedTensor>> run(std::span<const tensor::NamedTensor> inputs,
                                               std::span<const std::string> outputs) const override {
    return inner_->run(inputs, outputs);
  }

 private:
  const std::unique_ptr<Executable> inner_;
  ModelSpec spec_;
};

class EngineChoice final : public Backend {
 public:
  explicit EngineChoice(std::vector<std::unique_ptr<Backend>> engines) : engines_(std::move(engines)) {}

  [[nodiscard]] std::string_view name() const override { return engines_.front()->name(); }

  [[nodiscard]] bool accepts(const std::filesystem::path& file) const override {
    return std::ranges::any_of(engines_, [&](const auto& engine) { return engine->accepts(file); });
  }

  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> out;
    for (const auto& engine : engines_) std::ranges::copy(engine->names(), std::back_inserter(out));
    return out;
  }

  Result<std::unique_ptr<Executable>> load(const std::filesystem::path& file,
                                           const LoadOptions& options) const override {
    std::optional<Error> first;
    std::vector<std::string> notes;
    for (const auto& engine : engines_) {
      const bool named = options.engine.empty() || engine->name() == options.engine;
      if (!named || !engine->accepts(file)) continue;
      auto loaded = engine->load(file, options);
      if (loaded && notes.empty()) return loaded;
      if (loaded) return std::make_unique<Noted>(std::move(*loaded), std::move(notes));
      // What is no file at all is none for the others.
      if (loaded.error().code == Code::kNotFound) return loaded;
      notes.push_back(fmt::format("{} cannot load it: {}", engine->name(), loaded.error().message));
      if (!first) first = std::move(loaded).error();
    }
    if (first) return *std::move(first);
    return invalid_argument(
        fmt::format("Model file '{}' is not of a kind that the engine '{}' takes; engines are {}.",
                    shown_name(file), text::shortened(options.engine), fmt::join(names(), ", ")));
  }

 private:
  const std::vector<std::unique_ptr<Backend>> engines_;
};

}  // namespace

std::unique_ptr<Backend> choose_among(std::vector<std::unique_ptr<Backend>> engines) {
  return std::make_unique<EngineChoice>(std::move(engines));
}

}  // namespace bascule::backend
