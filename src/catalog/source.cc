#include "catalog/source.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "catalog/source_files.h"

namespace bascule::catalog {
namespace {

namespace fs = std::filesystem;

// What turns a foreign file into one that can be served.
struct Foreign {
  std::string_view extension;
  std::string_view what;
  std::string_view remedy;
};
constexpr std::array<Foreign, 8> kForeign = {{
    {".pt", "a PyTorch checkpoint, which holds code and cannot be served safely",
     "Export it first: yolo export model={} format=onnx dynamic=True"},
    {".pth", "a PyTorch checkpoint, which holds code and cannot be served safely",
     "Export it first, in Python: torch.onnx.export(model, example, \"model.onnx\", dynamic_axes=...)"},
    {".engine", "a TensorRT engine, built for one GPU and one TensorRT version",
     "Serve the ONNX file it was built from, or export again: yolo export model=MODEL.pt format=onnx "
     "dynamic=True"},
    {".plan", "a TensorRT engine, built for one GPU and one TensorRT version",
     "Serve the ONNX file it was built from"},
    {".mar", "a TorchServe archive, which holds Python code",
     "Unpack it (unzip {} -d model) and export the checkpoint inside: yolo export model=model/MODEL.pt "
     "format=onnx "
     "dynamic=True"},
    {".h5", "a Keras model", "Convert it first: python -m tf2onnx.convert --keras {} --output model.onnx"},
    {".keras", "a Keras model", "Convert it first: python -m tf2onnx.convert --keras {} --output model.onnx"},
    {".pkl", "a pickle, which holds code and cannot be served safely",
     "Convert the estimator first, in Python: skl2onnx.to_onnx(estimator, example)"},
}};

std::optional<Error> foreign_file(const fs::path& file) {
  const std::string extension = text::to_lower(file.extension().string());
  for (const Foreign& foreign : kForeign) {
    if (foreign.extension == extension) {
      return invalid_argument(fmt::format("'{}' is {}. {}", file.string(), foreign.what,
                                          fmt::format(fmt::runtime(foreign.remedy), file.string())));
    }
  }
  return std::nullopt;
}

Result<void> check_name(const std::string& name) {
  if (valid_model_name(name)) return {};
  return invalid_argument(fmt::format(
      "'{}' cannot name a model: use 1 to 128 letters, digits, '_', '-' and '.'. Rename the file, or "
      "give a name with --name.",
      text::shortened(name)));
}

// A file's own name; that of its folder for TensorFlow's models, whose files are all called alike.
std::string name_of(const fs::path& file) {
  if (file.filename() != "saved_model.pb") return file.stem().string();
  std::error_code code;
  return fs::absolute(file, code).parent_path().filename().string();
}

ModelSource plain_source(const fs::path& file) {
  std::string name = name_of(file);
  fs::path settings = file;
  settings.replace_extension(".yaml");
  return {.name = std::move(name),
          .version = "1",
          .file = file,
          .note = {},
          .stamp = {.model = stamp_of(file), .settings = stamp_of(settings)},
          .home = file,
          .settings = settings};
}

bool is_yaml(const fs::path& file) {
  const std::string extension = text::to_lower(file.extension().string());
  return extension == ".yaml" || extension == ".yml";
}

// A model that the file makes of others; nothing where it is about something else.
std::optional<ModelSource> ensemble_source(const fs::path& file, const Look& look) {
  if (!look.read_ensemble) return std::nullopt;
  auto config = look.read_ensemble(file);
  if (config && *config == nullptr) return std::nullopt;
  ModelSource source{.name = file.stem().string(),
                     .version = "1",
                     .file = file,
                     .note = {},
                     .stamp = {.model = stamp_of(file)},
                     .home = file,
                     .engine = "ensemble"};
  if (config) {
    source.config = *std::move(config);
  } else {
    source.problem = std::move(config).error();
  }
  return source;
}

void append(std::vector<ModelSource>& out, std::vector<ModelSource> more) {
  std::ranges::move(more, std::back_inserter(out));
}

Result<void> find_in_folder(const fs::path& given, const Look& look, const backend::Backend& backend,
                            std::vector<ModelSource>& out) {
  std::error_code code;
  const fs::path folder = fs::canonical(given, code);
  if (code) return not_found(fmt::format("There is no folder '{}'.", given.string()));
  const std::size_t before = out.size();
  append(out, sources_in(folder, look, backend));
  for (const fs::path& child : sorted_children(folder)) {
    if (out.size() > before && text::parse_int(child.filename().string())) continue;
    if (fs::is_directory(child, code)) {
      append(out, sources_in(child, look, backend));
    } else if (backend.accepts(child)) {
      out.push_back(plain_source(child));
    } else if (is_yaml(child)) {
      if (auto ensemble = ensemble_source(child, look)) out.push_back(*std::move(ensemble));
    }
  }
  if (out.size() > before) return {};
  for (const fs::path& child : sorted_children(folder)) {
    if (auto error = foreign_file(child)) return *std::move(error);
  }
  return not_found(fmt::format(
      "'{}' holds no models: neither files such as NAME.onnx nor a repository of NAME/VERSION/model.onnx.",
      given.string()));
}

Result<void> find_at(const fs::path& path, const Look& look, const backend::Backend& backend,
                     std::vector<ModelSource>& out) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) return not_found(fmt::format("There is no file or folder '{}'.", path.string()));
  if (fs::is_directory(status)) return find_in_folder(path, look, backend, out);
  if (auto error = foreign_file(path)) return *std::move(error);
  if (is_yaml(path)) {
    if (auto ensemble = ensemble_source(path, look)) {
      if (ensemble->problem) return *std::move(ensemble->problem);
      out.push_back(*std::move(ensemble));
      return {};
    }
  }
  if (!backend.accepts(path)) {
    return invalid_argument(fmt::format(
        "'{}' is not a kind of model file that is known here; known are .onnx, .xml with its .bin, .tflite, "
        "saved_model.pb and .pdmodel.",
        path.string()));
  }
  out.push_back(plain_source(path));
  return {};
}

Result<std::vector<ModelSource>> find_named(const ModelPath& wanted, const Look& look,
                                            const backend::Backend& backend) {
  std::vector<ModelSource> found;
  BASCULE_TRY(find_at(wanted.path, look, backend, found));
  if (wanted.name.empty()) return found;
  std::set<fs::path> homes;
  for (const ModelSource& source : found) homes.insert(source.home);
  if (homes.size() != 1) {
    return invalid_argument(fmt::format("'{}' holds {} models; the name '{}' can only be given to one.",
                                        wanted.path.string(), homes.size(), text::shortened(wanted.name)));
  }
  for (ModelSource& source : found) source.name = wanted.name;
  return found;
}

}  // namespace

Result<VersionPolicy> parse_version_policy(std::string_view text) {
  const auto wrong = [&] {
    return invalid_argument(
        fmt::format("'{}' is no version policy; it must be latest:N, all or specific:N,N with whole numbers "
                    "above 0.",
                    text::shortened(text)));
  };
  if (text == "all") return VersionPolicy{.latest = 0};
  const bool latest = text.starts_with("latest:");
  if (!latest && !text.starts_with("specific:")) return wrong();
  VersionPolicy policy;
  std::string_view rest = text.substr(text.find(':') + 1);
  while (true) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto number = text::parse_int(rest.substr(0, comma));
    if (!number || *number <= 0) return wrong();
    policy.specific.push_back(static_cast<std::uint64_t>(*number));
    if (comma == rest.size()) break;
    rest.remove_prefix(comma + 1);
  }
  if (!latest) return policy;
  if (policy.specific.size() != 1) return wrong();
  return VersionPolicy{.latest = policy.specific[0]};
}

namespace {

// Takes those out whose names cannot be a model's. One that stands in a folder among others is passed over;
// one that was given itself, or the only one, is an error.
Result<void> drop_badly_named(const fs::path& given, std::vector<ModelSource>& sources,
                              std::vector<std::string>& skipped) {
  std::error_code code;
  const fs::path folder = fs::canonical(given, code);
  std::optional<Error> first;
  std::set<fs::path> told;
  for (const ModelSource& source : sources) {
    Result<void> named = check_name(source.name);
    if (named) continue;
    if (code || source.home.parent_path() != folder) return std::move(named).error();
    if (told.insert(source.home).second) {
      skipped.push_back(fmt::format("'{}' is passed over: {}", text::shortened(source.home.string()),
                                    named.error().message));
    }
    if (!first) first = std::move(named).error();
  }
  std::erase_if(sources, [](const ModelSource& source) { return !valid_model_name(source.name); });
  if (first && sources.empty()) return *std::move(first);
  return {};
}

}  // namespace

Found scan_models(const std::vector<ModelPath>& paths, const Look& look, const backend::Backend& backend) {
  Found all;
  struct Home {
    fs::path path;
    const ModelPath* given;
  };
  std::map<std::string, Home> homes;
  for (const ModelPath& path : paths) {
    Result<std::vector<ModelSource>> found = find_named(path, look, backend);
    Result<void> named = found ? drop_badly_named(path.path, *found, all.skipped) : Error(found.error());
    if (!named) {
      all.problems.push_back(std::move(named).error());
      continue;
    }
    for (ModelSource& source : *found) {
      const auto [it, fresh] = homes.emplace(source.name, Home{.path = source.home, .given = &path});
      if (!fresh && (it->second.path != source.home || it->second.given != &path)) {
        all.problems.push_back(
            invalid_argument(fmt::format("Two files would both be served as '{}': '{}' and '{}'. Rename one.",
                                         source.name, it->second.path.string(), source.home.string())));
        continue;
      }
      source.given = static_cast<std::size_t>(&path - paths.data());
      if (look.also_read) {
        for (const fs::path& file : look.also_read(source)) source.stamp.others.push_back(stamp_of(file));
      }
      all.sources.push_back(std::move(source));
    }
  }
  return all;
}

Result<std::vector<ModelSource>> find_models(const std::vector<ModelPath>& paths,
                                             const backend::Backend& backend, const Look& look) {
  Found found = scan_models(paths, look, backend);
  if (!found.problems.empty()) return std::move(found.problems.front());
  return std::move(found.sources);
}

}  // namespace bascule::catalog
