#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands.h"
#include "app/program.h"
#include "backend/onnxruntime/onnxruntime_backend.h"
#include "base/file.h"
#include "base/text.h"
#include "tasks/task.h"

// `bascule import`: a model of the Ultralytics package becomes an ONNX file, by that package's own export.
namespace bascule::app {
namespace {

namespace fs = std::filesystem;

// What goes into the environment that is made on demand.
constexpr std::string_view kUltralytics = "ultralytics==8.4.190";
const std::vector<std::string> kPackages = {std::string(kUltralytics), "onnx==1.23.2", "onnxslim==0.1.98",
                                            "onnxruntime==1.32.0"};
constexpr std::string_view kSize = "about 6 GB on disk, most of it PyTorch and its CUDA libraries";

// Runs in that environment. Arguments: the model, then NAME=VALUE as Python literals for the export.
constexpr const char* kScript = R"py(
import ast, sys
from ultralytics import YOLO
options = {name: ast.literal_eval(value) for name, value in (word.split("=", 1) for word in sys.argv[2:])}
print("Exported to", YOLO(sys.argv[1]).export(format="onnx", **options))
)py";

// Where what is made on demand lies (XDG Base Directory Specification).
Result<fs::path> cache_folder() {
  if (const char* const cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return fs::path(cache) / "bascule";
  }
  if (const char* const home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return fs::path(home) / ".cache" / "bascule";
  }
  return invalid_argument(
      "There is no place for the Python environment: set HOME or XDG_CACHE_HOME, or give --python.");
}

// What is wanted of an import.
// Thread-safety: a value.
struct Wanted {
  fs::path model;
  fs::path target;
  std::vector<std::string> options;  // of the export
};

Result<Wanted> wanted_of(const config::Parsed& parsed) {
  const config::Values& values = parsed.values;
  if (parsed.positionals.size() != 1) {
    return invalid_argument("One model is imported at a time. Try: bascule import MODEL.pt");
  }
  Wanted wanted{.model = parsed.positionals[0], .target = {}, .options = {}};
  std::error_code code;
  if (!fs::is_regular_file(wanted.model, code)) {
    return not_found(fmt::format("'{}' is not there, or no file.", wanted.model.string()));
  }
  if (wanted.model.extension() != ".pt") {
    return invalid_argument(
        fmt::format("'{}' is no .pt file; what is imported are models of the ultralytics package. An ONNX "
                    "file needs no import: "
                    "bascule serve {}",
                    wanted.model.string(), wanted.model.string()));
  }
  wanted.target = values.has("output") ? fs::path(values.text("output"))
                                       : fs::path(wanted.model).replace_extension(".onnx");
  if (fs::exists(wanted.target, code) && !values.flag("force")) {
    return Error{.code = Code::kAlreadyExists,
                 .message = fmt::format("'{}' is there already; --force replaces it, --output names another.",
                                        wanted.target.string())};
  }
  wanted.options.push_back(fmt::format("imgsz={}", values.integer("imgsz")));
  wanted.options.emplace_back(values.flag("static") ? "dynamic=False" : "dynamic=True");
  const std::string& precision = values.text("precision");
  if (values.flag("end2end"))
    wanted.options.emplace_back("nms=False");  // its word for the head without suppression
  if (precision == "fp16") wanted.options.emplace_back("quantize=16");
  if (precision == "int8") {
    if (!values.has("data")) {
      return invalid_argument(
          "--precision int8 needs --data FILE.yaml, a data set that the ranges are measured on.");
    }
    wanted.options.emplace_back("quantize=8");
    wanted.options.push_back(
        fmt::format("data={}", text::json_quoted(fs::absolute(values.text("data")).string())));
  }
  return wanted;
}

// The interpreter to use, which is there or is made by the commands that come with it.
// Thread-safety: a value.
struct Interpreter {
  std::string python;
  fs::path folder;                                 // of the environment; empty where it is the user's own
  std::vector<std::vector<std::string>> commands;  // that make it
};

Result<Interpreter> interpreter_of(const config::Values& values) {
  if (values.has("python")) return Interpreter{.python = values.text("python"), .folder = {}, .commands = {}};
  BASCULE_ASSIGN(const fs::path cache, cache_folder());
  const fs::path folder = cache / fmt::format("python-{}", kUltralytics);
  Interpreter own{.python = (folder / "bin" / "python").string(), .folder = folder, .commands = {}};
  std::error_code code;
  if (fs::exists(folder / "ready", code)) return own;
  own.commands.push_back({"python3", "-m", "venv", "--clear", folder.string()});
  std::vector<std::string> install = {own.python, "-m", "pip", "install", "--disable-pip-version-check"};
  install.insert(install.end(), kPackages.begin(), kPackages.end());
  own.commands.push_back(std::move(install));
  return own;
}

Result<void> make(const Interpreter& own) {
  std::error_code code;
  fs::create_directories(own.folder.parent_path(), code);
  for (const auto& command : own.commands) BASCULE_TRY(run_program(command));
  return write_file(own.folder / "ready", kUltralytics);
}

// A folder beside the target for what is half done, gone with this.
// Thread-safety: external (one thread).
class Workshop {
 public:
  explicit Workshop(const fs::path& target) {
    const fs::path parent = fs::absolute(target).parent_path();
    std::string path = (parent / ".bascule-import-XXXXXX").string();
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~Workshop() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Exports a copy, so that nothing half done is left behind, and takes it over once it can be served.
Result<content::ModelInfo> export_model(const Wanted& wanted, const std::string& python) {
  const Workshop workshop(wanted.target);
  const fs::path copy = workshop.path() / wanted.model.filename();
  std::error_code code;
  if (!workshop.path().empty()) fs::copy_file(wanted.model, copy, code);
  if (workshop.path().empty() || code) {
    return Error{
        .code = Code::kUnavailable,
        .message = fmt::format("Nothing can be written beside '{}'; name another place with --output.",
                               wanted.target.string())};
  }
  std::vector<std::string> command = {python, "-c", kScript, copy.string()};
  command.insert(command.end(), wanted.options.begin(), wanted.options.end());
  BASCULE_TRY(run_program(command, {"YOLO_AUTOINSTALL=false"}));
  const fs::path exported = fs::path(copy).replace_extension(".onnx");
  const auto backend = backend::make_onnxruntime_backend();
  BASCULE_ASSIGN(const auto executable, backend->load(exported, {}));
  fs::rename(exported, wanted.target, code);
  if (code) {
    return Error{
        .code = Code::kUnavailable,
        .message = fmt::format("'{}' cannot be written: {}.", wanted.target.string(), code.message())};
  }
  return tasks::understand(executable->spec(), {}).info;
}

void print_plan(const Interpreter& python, const Wanted& wanted) {
  for (const auto& command : python.commands) fmt::print("{}\n", fmt::join(command, " "));
  fmt::print("{} (export of {} with {}) -> {}\n", python.python, wanted.model.string(),
             fmt::join(wanted.options, ", "), wanted.target.string());
}

}  // namespace

int import_model(config::Parsed parsed) {
  if (auto entries = complete_values(command("import"), parsed.values); !entries)
    return fail(entries.error(), kUsage);
  const auto wanted = wanted_of(parsed);
  if (!wanted) return fail(wanted.error(), kUsage);
  const auto python = interpreter_of(parsed.values);
  if (!python) return fail(python.error(), kUsage);
  if (parsed.values.flag("dry_run")) {
    print_plan(*python, *wanted);
    return kOk;
  }
  if (!python->commands.empty()) {
    fmt::print("The export needs {} with all it brings: {}.\nIt goes to {}, once.\n", kUltralytics, kSize,
               python->folder.string());
    if (!parsed.values.flag("yes")) {
      return fail(invalid_argument(
                      "Nothing was installed. Say --yes, or name an environment that has it with --python."),
                  kUsage);
    }
    std::fflush(stdout);
    if (auto made = make(*python); !made) return fail(made.error(), kFailed);
  }
  const auto model = export_model(*wanted, python->python);
  if (!model) return fail(model.error(), kFailed);
  fmt::print("{}: {}, {} classes\nTry: bascule serve {}\n", wanted->target.string(),
             model->task.empty() ? "tensors" : model->task, model->class_names.size(),
             wanted->target.string());
  return kOk;
}

}  // namespace bascule::app
