#include "app/model_config.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/model_settings.h"
#include "backend/engine_choice.h"
#include "backend/identity/identity_backend.h"
#include "backend/onnxruntime/onnxruntime_backend.h"
#include "backend/openvino/openvino_backend.h"
#include "base/file.h"
#include "base/text.h"
#include "config/ensemble_yaml.h"
#include "config/flat_yaml.h"
#include "protocol/v2/model_config.h"

namespace bascule::app {
namespace {

constexpr std::string_view kFile = "config.pbtxt";
constexpr std::string_view kEnsembleKey = "ensemble";

Result<std::vector<content::ConfiguredTensor>> tensors_of(
    const std::vector<config::EnsembleYaml::Tensor>& yaml) {
  std::vector<content::ConfiguredTensor> out;
  for (const config::EnsembleYaml::Tensor& tensor : yaml) {
    const auto type = tensor::parse_data_type(tensor.datatype);
    if (!type) {
      return invalid_argument(fmt::format("{}: '{}' is no datatype; one is FP32, INT64, BYTES, …",
                                          tensor.place, text::shortened(tensor.datatype)));
    }
    if (std::ranges::find(out, tensor.name, &content::ConfiguredTensor::name) != out.end()) {
      return invalid_argument(
          fmt::format("{}: '{}' is declared twice.", tensor.place, text::shortened(tensor.name)));
    }
    out.push_back({.name = tensor.name, .type = type, .dims = tensor.shape});
  }
  return out;
}

Result<void> check_model_name(const std::string& name, const std::string& place) {
  if (valid_model_name(name)) return {};
  return invalid_argument(fmt::format("{}: '{}' cannot name a model.", place, text::shortened(name)));
}

Result<content::ModelConfig> ensemble_config(const config::EnsembleYaml& yaml, const std::string& origin) {
  content::ModelConfig out;
  out.origin = origin;
  out.platform = kEnsembleKey;
  content::Ensemble& ensemble = out.ensemble.emplace();
  ensemble.max_inflight_requests = static_cast<std::size_t>(yaml.max_inflight_requests);
  if (yaml.crops) {
    BASCULE_TRY(check_model_name(yaml.crops->detector, origin));
    BASCULE_TRY(check_model_name(yaml.crops->classifier, origin));
    ensemble.crops = content::CropThenClassify{.detector = yaml.crops->detector,
                                               .classifier = yaml.crops->classifier,
                                               .margin = yaml.crops->margin,
                                               .max_crops = static_cast<std::size_t>(yaml.crops->max_crops)};
    return out;
  }
  BASCULE_ASSIGN(out.inputs, tensors_of(yaml.inputs));
  BASCULE_ASSIGN(out.outputs, tensors_of(yaml.outputs));
  for (const config::EnsembleYaml::Step& step : yaml.steps) {
    BASCULE_TRY(check_model_name(step.model, step.place));
    ensemble.steps.push_back(
        {.model = step.model, .version = step.version, .inputs = step.inputs, .outputs = step.outputs});
  }
  return out;
}

// What a metadata.yaml says, which exporters write beside models that cannot hold it.
Result<std::map<std::string, std::string>> read_metadata(const std::filesystem::path& file) {
  BASCULE_ASSIGN(const std::string yaml, read_yaml(file));
  return config::read_flat_yaml(yaml, file.filename().string());
}

std::unique_ptr<backend::Backend> engines_of_files(EngineOptions options) {
  std::vector<std::unique_ptr<backend::Backend>> engines;
  engines.push_back(
      backend::make_onnxruntime_backend({.custom_op_libraries = std::move(options.custom_op_libraries)}));
  engines.push_back(backend::make_openvino_backend(
      {.folder = std::move(options.openvino),
       .cache = options.state_dir.empty() ? options.state_dir : options.state_dir / "compiled",
       .read_metadata = read_metadata}));
  return backend::choose_among(std::move(engines));
}

}  // namespace

EngineOptions engine_options(const config::Values& values) {
  EngineOptions out;
  for (const std::string& name : values.items("custom_op_libraries")) {
    out.custom_op_libraries.push_back(std::filesystem::absolute(name));
  }
  if (values.has("openvino")) out.openvino = std::filesystem::absolute(values.text("openvino"));
  if (values.has("state_dir")) out.state_dir = std::filesystem::absolute(values.text("state_dir"));
  return out;
}

Engines::Engines(EngineOptions options)
    : files_(engines_of_files(std::move(options))), identity_(backend::make_identity_backend()) {}

const backend::Backend& Engines::of(const catalog::ModelSource& source) const {
  return source.engine == identity_->name() ? *identity_ : *files_;
}

catalog::ConfigReader config_reader(bool strict) {
  return
      [strict](const std::filesystem::path& folder) -> Result<std::shared_ptr<const content::ModelConfig>> {
        const std::filesystem::path file = folder / kFile;
        std::error_code code;
        if (!std::filesystem::exists(file, code)) return nullptr;
        BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, protocol::v2::kMaxModelConfig));
        BASCULE_ASSIGN(content::ModelConfig config,
                       protocol::v2::parse_model_config(
                           {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kFile));
        if (strict) BASCULE_TRY(check_strictly(config));
        return std::make_shared<const content::ModelConfig>(std::move(config));
      };
}

catalog::EnsembleReader ensemble_reader() {
  return [](const std::filesystem::path& file) -> Result<std::shared_ptr<const content::ModelConfig>> {
    const auto yaml = read_yaml(file);
    if (!yaml) return nullptr;  // too large to be one, or not to be read
    const std::string name = file.filename().string();
    auto read = config::read_ensemble_yaml(*yaml, name);
    // A file that is no YAML may be for others.
    if (!read && yaml->contains(kEnsembleKey)) return std::move(read).error();
    if (!read) return nullptr;
    if (!*read) return nullptr;
    BASCULE_ASSIGN(content::ModelConfig config, ensemble_config(**read, name));
    return std::make_shared<const content::ModelConfig>(std::move(config));
  };
}

Result<void> check_strictly(const content::ModelConfig& config) {
  if (config.not_done.empty()) return {};
  return invalid_argument(
      fmt::format("{} Take it out, or start without --strict-config.", not_done_text(config)));
}

std::string not_done_text(const content::ModelConfig& config) {
  if (config.not_done.empty()) return {};
  return fmt::format("The configuration asks for what is not done: {}.", fmt::join(config.not_done, "; "));
}

}  // namespace bascule::app
