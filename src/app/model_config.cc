#include "app/model_config.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/identity/identity_backend.h"
#include "backend/onnxruntime/onnxruntime_backend.h"
#include "base/file.h"
#include "protocol/v2/model_config.h"

namespace bascule::app {
namespace {

constexpr std::string_view kFile = "config.pbtxt";

}  // namespace

Engines::Engines(std::vector<std::filesystem::path> custom_op_libraries)
    : files_(backend::make_onnxruntime_backend({.custom_op_libraries = std::move(custom_op_libraries)})),
      identity_(backend::make_identity_backend()) {}

std::vector<std::filesystem::path> custom_op_libraries(const config::Values& values) {
  std::vector<std::filesystem::path> out;
  for (const std::string& name : values.items("custom_op_libraries"))
    out.push_back(std::filesystem::absolute(name));
  return out;
}

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
