#include "backend/weight_files.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "backend/onnx_facts.h"
#include "base/file.h"
#include "base/text.h"

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMost = 1000;

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end && out.size() < kMost;
       it.increment(code)) {
    out.push_back(it->path());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

std::vector<fs::path> weight_files(const fs::path& model) {
  const std::string extension = text::to_lower(model.extension().string());
  if (extension == ".xml") return {fs::path(model).replace_extension(".bin")};
  if (extension == ".pdmodel") return {fs::path(model).replace_extension(".pdiparams")};
  if (extension == ".pb") return files_in(model.parent_path() / "variables");
  std::vector<fs::path> out;
  if (extension != ".onnx") return out;
  const fs::path folder = model.has_parent_path() ? model.parent_path() : fs::path(".");
  for (const std::string& name : read_onnx_facts(model).weight_files) {
    if (auto file = safe_join(folder, name); file && out.size() < kMost) out.push_back(*std::move(file));
  }
  return out;
}

}  // namespace bascule::backend
