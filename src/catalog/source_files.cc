#include "catalog/source_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/text.h"

namespace bascule::catalog {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfigFile = "config.pbtxt";
constexpr std::string_view kIdentity = "identity";
constexpr std::string_view kEnsemble = "ensemble";
// A model of TensorFlow is a folder with this file; Triton has that folder under this name.
constexpr std::string_view kSavedModel = "saved_model.pb";
constexpr std::string_view kSavedModelFolder = "model.savedmodel";

std::uint64_t number_of(const ModelSource& source) {
  return static_cast<std::uint64_t>(text::parse_int(source.version).value_or(0));
}

// One model's folder.
class Folder {
 public:
  Folder(const fs::path& path, const Look& look, const backend::Backend& backend)
      : path_(path), look_(look), backend_(backend) {}

  std::vector<ModelSource> sources() {
    if (look_.read_config) read_config();
    std::vector<ModelSource> found = versions();
    if (config_ == nullptr && !problem_) return chosen(std::move(found));
    if (!problem_) check_engine(found.empty());
    if (!problem_ && found.empty() && engine_.empty()) {
      problem_ = not_found(fmt::format("It has no model file: its folder holds no VERSION/{}.", file_name()));
    }
    // One entry at least, so that it is listed with the reason, or served without a file.
    if (found.empty()) {
      found.push_back(source(engine_ == kEnsemble ? last_version_folder() : "1", path_ / kConfigFile));
    }
    for (ModelSource& one : found) {
      one.config = config_;
      one.engine = engine_;
      one.note = note_;
      one.problem = problem_;
      if (!engine_.empty()) one.stamp.model = one.stamp.config;
    }
    return chosen(std::move(found));
  }

 private:
  [[nodiscard]] std::string folder_name() const { return path_.filename().string(); }

  void refuse(std::string_view text) {
    problem_ = invalid_argument(fmt::format("{}: {}", config_->origin, text));
  }

  void read_config() {
    auto read = look_.read_config(path_);
    if (!read) {
      problem_ = std::move(read).error();
      return;
    }
    config_ = *std::move(read);
    if (config_ != nullptr && !config_->name.empty() && config_->name != folder_name()) {
      refuse(
          fmt::format("the name is '{}', but the folder's is '{}'. Make them equal, or leave the name out.",
                      text::shortened(text::escape_controls(config_->name)), folder_name()));
    }
  }

  [[nodiscard]] std::string file_name() const {
    const bool named = config_ != nullptr && !config_->default_model_filename.empty();
    return named ? text::shortened(text::escape_controls(config_->default_model_filename)) : "model.onnx";
  }

  [[nodiscard]] ModelSource source(std::string version, const fs::path& file) const {
    const fs::path settings = path_ / "model.yaml";
    return {.name = folder_name(),
            .version = std::move(version),
            .file = file,
            .note = {},
            .stamp = {.model = stamp_of(file),
                      .settings = stamp_of(settings),
                      .config = config_ == nullptr ? FileStamp{} : stamp_of(path_ / kConfigFile)},
            .home = path_,
            .settings = settings};
  }

  // NAME/VERSION/model.EXT for every decimal VERSION that holds one.
  std::vector<ModelSource> versions() {
    std::vector<ModelSource> found;
    std::error_code code;
    for (const fs::path& child : sorted_children(path_)) {
      const auto number = text::parse_int(child.filename().string());
      if (!number || *number <= 0 || !fs::is_directory(child, code)) continue;
      if (const auto file = file_in(child)) found.push_back(source(fmt::format("{}", *number), *file));
    }
    return found;
  }

  // Of a model without a file, whose folders are empty.
  [[nodiscard]] std::string last_version_folder() const {
    std::int64_t last = 1;
    std::error_code code;
    for (const fs::path& child : sorted_children(path_)) {
      const auto number = text::parse_int(child.filename().string());
      if (number && *number > last && fs::is_directory(child, code)) last = *number;
    }
    return fmt::format("{}", last);
  }

  std::optional<fs::path> file_in(const fs::path& child) {
    std::error_code code;
    if (config_ != nullptr && !config_->default_model_filename.empty()) {
      const auto file = safe_join(child, config_->default_model_filename);
      if (!file) {
        refuse(fmt::format("default_model_filename: {}", file.error().message));
        return std::nullopt;
      }
      return fs::is_regular_file(*file, code) && backend_.accepts(*file) ? std::optional(*file)
                                                                         : std::nullopt;
    }
    for (const fs::path& file : sorted_children(child)) {
      if (file.stem() == "model" && backend_.accepts(file)) return file;
      if (file.filename() == kSavedModel && backend_.accepts(file)) return file;
      if (file.filename() == kSavedModelFolder && backend_.accepts(file / kSavedModel)) {
        if (fs::exists(file / kSavedModel, code)) return file / kSavedModel;
      }
    }
    return std::nullopt;
  }

  // An engine that is named has to be one that is here.
  void check_engine(bool no_file) {
    const std::string& name = config_->backend.empty() ? config_->platform : config_->backend;
    if (config_->ensemble) {
      engine_ = kEnsemble;
      return;
    }
    if (name == kIdentity || (name == "python" && no_file && gives_input_back())) {
      engine_ = kIdentity;
      if (name != kIdentity) {
        note_ =
            "its backend is python, but it has no model.py; its one input and output are alike, and it is "
            "served as identity";
      }
      return;
    }
    const std::vector<std::string_view> engines = backend_.names();
    const auto known = [&](std::string_view wanted) {
      return wanted.empty() || std::ranges::any_of(engines, [&](std::string_view engine) {
               return wanted == engine || wanted == fmt::format("{}_onnx", engine);
             });
    };
    const bool known_backend = known(config_->backend);
    if (known_backend && known(config_->platform)) return;
    const std::string& unknown = known_backend ? config_->platform : config_->backend;
    refuse(fmt::format("the {} is '{}', which is not served here; known are {}, {} and {}.",
                       known_backend ? "platform" : "backend",
                       text::shortened(text::escape_controls(unknown)), fmt::join(engines, ", "), kIdentity,
                       kEnsemble));
  }

  // Whether nothing but an identity could be meant by what is there.
  [[nodiscard]] bool gives_input_back() const {
    std::error_code code;
    for (const fs::path& child : sorted_children(path_)) {
      if (fs::exists(child / "model.py", code) || child.filename() == "model.py") return false;
    }
    if (config_->inputs.size() != 1 || config_->outputs.size() != 1) return false;
    const content::ConfiguredTensor& in = config_->inputs[0];
    const content::ConfiguredTensor& out = config_->outputs[0];
    return in.type && in.type == out.type && in.dims == out.dims;
  }

  [[nodiscard]] std::vector<ModelSource> chosen(std::vector<ModelSource> versions) const {
    const bool declared = config_ != nullptr && config_->versions && !look_.versions_win;
    const VersionPolicy& policy = declared ? *config_->versions : look_.versions;
    std::ranges::sort(versions, std::ranges::greater{}, number_of);
    std::vector<ModelSource> out;
    for (ModelSource& source : versions) {
      if (policy.specific.empty()) {
        if (policy.latest != 0 && out.size() == policy.latest) break;
      } else if (std::ranges::find(policy.specific, number_of(source)) == policy.specific.end()) {
        continue;
      }
      out.push_back(std::move(source));
    }
    return out;
  }

  const fs::path& path_;
  const Look& look_;
  const backend::Backend& backend_;
  std::shared_ptr<const content::ModelConfig> config_;
  std::string engine_;
  std::string note_;
  std::optional<Error> problem_;
};

}  // namespace

std::vector<fs::path> sorted_children(const fs::path& folder) {
  std::vector<fs::path> children;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (!it->path().filename().native().starts_with('.')) children.push_back(it->path());
  }
  std::ranges::sort(children);
  return children;
}

FileStamp stamp_of(const fs::path& file) {
  struct stat found = {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {.bytes = static_cast<std::uint64_t>(found.st_size),
          .inode = found.st_ino,
          .modified_ns = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec};
}

std::vector<ModelSource> sources_in(const fs::path& folder, const Look& look,
                                    const backend::Backend& backend) {
  return Folder(folder, look, backend).sources();
}

}  // namespace bascule::catalog
