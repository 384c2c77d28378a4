#include "app/model_override.h"

#include <stdlib.h>

#include <limits>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

// A folder that only this user may look into, removed with its last owner.
// Thread-safety: immutable.
class PrivateFolder {
 public:
  static Result<std::shared_ptr<const PrivateFolder>> make() {
    std::error_code code;
    std::string path = (fs::temp_directory_path(code) / "bascule-XXXXXX").string();
    if (code || ::mkdtemp(path.data()) == nullptr) {
      return Error{.code = Code::kUnavailable,
                   .message = "No private folder can be made for the files of the request; check TMPDIR."};
    }
    return std::make_shared<const PrivateFolder>(path);
  }
  explicit PrivateFolder(fs::path path) : path_(std::move(path)) {}
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  ~PrivateFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

Result<void> write_files(const fs::path& folder, const content::LoadOverride& with) {
  std::error_code code;
  fs::create_directory(folder, code);
  for (const content::OverrideFile& file : with.files) {
    BASCULE_ASSIGN(const fs::path path, safe_join(folder, file.path));
    fs::create_directories(path.parent_path(), code);
    if (auto written = write_file(path, file.bytes); !written) {
      // Without the folder's place.
      return Error{
          .code = Code::kUnavailable,
          .message = fmt::format("The file '{}' cannot be written: the disk is full, or another file "
                                 "stands in its way.",
                                 text::escape_controls(text::shortened(file.path)))};
    }
  }
  return {};
}

}  // namespace

Result<std::vector<catalog::ModelSource>> overridden_sources(const std::string& name,
                                                             const content::LoadOverride& with,
                                                             const Served& served, const Engines& engines) {
  if (served.strict) BASCULE_TRY(check_strictly(*with.config));
  if (!valid_model_name(name)) {
    return invalid_argument(
        fmt::format("'{}' cannot name a model.", text::shortened(text::escape_controls(name))));
  }
  std::shared_ptr<const PrivateFolder> folder;
  catalog::Found found;
  catalog::Look with_config = served.look;
  with_config.read_config = [&](const fs::path& home) -> Result<std::shared_ptr<const content::ModelConfig>> {
    return home.filename() == name ? with.config : nullptr;
  };
  if (with.files.empty()) {
    found = catalog::scan_models(served.paths, with_config, engines.of_files());
    std::erase_if(found.sources, [&](const auto& source) { return source.name != name; });
  } else {
    BASCULE_ASSIGN(folder, PrivateFolder::make());
    BASCULE_TRY(write_files(folder->path() / name, with));
    found = catalog::scan_models({{.path = folder->path() / name}}, with_config, engines.of_files());
  }
  if (found.sources.empty()) {
    return not_found(with.files.empty() ? fmt::format("No path that is served holds a model '{}'.", name)
                                        : "The files of the request hold no VERSION/model.onnx.");
  }
  for (catalog::ModelSource& source : found.sources) {
    source.overridden = true;
    source.config = with.config;  // a plain file's has none else
    source.keeps = folder;
    if (folder != nullptr) source.given = std::numeric_limits<std::size_t>::max();
  }
  return std::move(found.sources);
}

}  // namespace bascule::app
