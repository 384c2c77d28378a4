#include "catalog/source.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace bascule::catalog {
namespace {

namespace fs = std::filesystem;

// What turns a foreign file into one that can be served.
struct Foreign {
  std::string_view extension;
  std::string_view what;
  std::string_view remedy;
};
constexpr std::array<Foreign, 9> kForeign = {{
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
    {".tflite", "a TensorFlow Lite model",
     "Convert it first: python -m tf2onnx.convert --tflite {} --output model.onnx"},
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

std::vector<fs::path> sorted_children(const fs::path& folder) {
  std::vector<fs::path> children;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (!it->path().filename().native().starts_with('.')) children.push_back(it->path());
  }
  std::ranges::sort(children);
  return children;
}

Result<void> check_name(const std::string& name) {
  if (valid_model_name(name)) return {};
  return invalid_argument(fmt::format(
      "'{}' cannot name a model: use 1 to 128 letters, digits, '_', '-' and '.'. Rename the file, or "
      "give a name with --name.",
      text::shortened(name)));
}

// NAME/VERSION/model.EXT for every decimal VERSION that holds one.
std::vector<ModelSource> versions_in(const fs::path& folder, const backend::Backend& backend) {
  std::vector<ModelSource> found;
  std::error_code code;
  for (const fs::path& child : sorted_children(folder)) {
    const auto number = text::parse_int(child.filename().string());
    if (!number || *number <= 0 || !fs::is_directory(child, code)) continue;
    for (const fs::path& file : sorted_children(child)) {
      if (file.stem() != "model" || !backend.accepts(file)) continue;
      found.push_back({.name = folder.filename().string(),
                       .version = fmt::format("{}", *number),
                       .file = file,
                       .note = {}});
      break;
    }
  }
  if (fs::exists(folder / "config.pbtxt", code)) {
    for (ModelSource& source : found) {
      source.note = "its config.pbtxt is not read yet; names, shapes and batching come from the model file";
    }
  }
  return found;
}

// The highest version alone: which versions to serve is not configurable yet.
void append_latest(std::vector<ModelSource>& out, std::vector<ModelSource> versions) {
  const auto latest = std::ranges::max_element(
      versions, {}, [](const ModelSource& source) { return text::parse_int(source.version).value_or(0); });
  if (latest != versions.end()) out.push_back(std::move(*latest));
}

Result<void> find_in_folder(const fs::path& given, const backend::Backend& backend,
                            std::vector<ModelSource>& out) {
  std::error_code code;
  const fs::path folder = fs::canonical(given, code);
  if (code) return not_found(fmt::format("There is no folder '{}'.", given.string()));
  const std::size_t before = out.size();
  append_latest(out, versions_in(folder, backend));
  for (const fs::path& child : sorted_children(folder)) {
    if (out.size() > before && text::parse_int(child.filename().string())) continue;
    if (fs::is_directory(child, code)) {
      append_latest(out, versions_in(child, backend));
    } else if (backend.accepts(child)) {
      out.push_back({.name = child.stem().string(), .version = "1", .file = child, .note = {}});
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

Result<void> find_at(const fs::path& path, const backend::Backend& backend, std::vector<ModelSource>& out) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) return not_found(fmt::format("There is no file or folder '{}'.", path.string()));
  if (fs::is_directory(status)) return find_in_folder(path, backend, out);
  if (auto error = foreign_file(path)) return *std::move(error);
  if (!backend.accepts(path)) {
    return invalid_argument(fmt::format(
        "'{}' is not a kind of model file that is known here; known are .onnx files.", path.string()));
  }
  out.push_back({.name = path.stem().string(), .version = "1", .file = path, .note = {}});
  return {};
}

Result<std::vector<ModelSource>> find_named(const ModelPath& wanted, const backend::Backend& backend) {
  std::vector<ModelSource> found;
  BASCULE_TRY(find_at(wanted.path, backend, found));
  if (wanted.name.empty()) return found;
  if (found.size() != 1) {
    return invalid_argument(fmt::format("'{}' holds {} models; the name '{}' can only be given to one.",
                                        wanted.path.string(), found.size(), text::shortened(wanted.name)));
  }
  found[0].name = wanted.name;
  return found;
}

}  // namespace

Result<std::vector<ModelSource>> find_models(const std::vector<ModelPath>& paths,
                                             const backend::Backend& backend) {
  std::vector<ModelSource> all;
  std::map<std::string, fs::path> seen;
  for (const ModelPath& path : paths) {
    BASCULE_ASSIGN(std::vector<ModelSource> found, find_named(path, backend));
    for (ModelSource& source : found) {
      BASCULE_TRY(check_name(source.name));
      const auto [it, fresh] = seen.emplace(source.name, source.file);
      if (!fresh) {
        return invalid_argument(
            fmt::format("Two files would both be served as '{}': '{}' and '{}'. Rename one.", source.name,
                        it->second.string(), source.file.string()));
      }
      all.push_back(std::move(source));
    }
  }
  return all;
}

}  // namespace bascule::catalog
