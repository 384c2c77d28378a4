#include "backend/openvino/openvino_backend.h"

#include <algorithm>
#include <future>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backend/model_file.h"
#include "backend/onnx_facts.h"
#include "backend/openvino/ir_facts.h"
#include "backend/openvino/openvino_error.h"
#include "backend/openvino/openvino_executable.h"
#include "backend/openvino/openvino_form.h"
#include "backend/openvino/openvino_library.h"
#include "backend/openvino/openvino_spec.h"
#include "base/cpu.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/text.h"

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;
namespace ov = openvino;
using tensor::DataType;

constexpr std::string_view kSavedModel = "saved_model.pb";

// The engine reads weights wherever a file says that they are.
Result<void> check_weight_files(const fs::path& file, const OnnxFacts& facts) {
  if (!facts.whole) {
    return invalid_argument(
        fmt::format("Model file '{}' {}.", shown_name(file), describe_unreadable(file, "an ONNX model")));
  }
  for (const std::string& name : facts.weight_files) {
    if (fs::path(name).is_absolute()) {
      return invalid_argument(
          fmt::format("Model file '{}' keeps weights under an absolute path; only files in the model's own "
                      "folder are read.",
                      shown_name(file)));
    }
    std::error_code code;
    const fs::path folder = fs::weakly_canonical(fs::absolute(file).parent_path(), code);
    const auto inside = safe_join(folder, name);
    if (!inside) {
      return invalid_argument(fmt::format(
          "Model file '{}' keeps weights outside its own folder; only files in that folder are read.",
          shown_name(file)));
    }
    if (!fs::exists(*inside, code)) {
      return invalid_argument(
          fmt::format("Model file '{}' needs its weights in '{}' beside it, and that file is missing.",
                      shown_name(file), text::shortened(text::escape_controls(inside->filename().string()))));
    }
  }
  return {};
}

// What lies there is run: nobody else may put it there.
Result<void> make_private_folder(const fs::path& folder) {
  std::error_code code;
  const bool made = fs::create_directories(folder, code);
  if (!code && made) fs::permissions(folder, fs::perms::owner_all, code);
  if (!code) return {};
  return invalid_argument(
      fmt::format("The folder '{}' for compiled models cannot be made: {}. Name another with "
                  "--state-dir.",
                  folder.string(), code.message()));
}

void merge(std::map<std::string, std::string> from, ModelSpec& spec) {
  for (auto& [key, value] : from) spec.metadata.insert_or_assign(key, std::move(value));
}

class OpenVinoBackend final : public Backend {
 public:
  explicit OpenVinoBackend(OpenVinoOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "openvino"; }

  [[nodiscard]] bool accepts(const fs::path& file) const override {
    const std::string extension = text::to_lower(file.extension().string());
    if (extension == ".xml") {  // much else is called so
      std::error_code code;
      return fs::exists(fs::path(file).replace_extension(".bin"), code);
    }
    return extension == ".onnx" || extension == ".tflite" || extension == ".pdmodel" || extension == ".pb";
  }

  Result<std::unique_ptr<Executable>> load(const fs::path& file, const LoadOptions& options) const override {
    // Its threads are made by one that is like any other: a thread that loads beside traffic has little of
    // the cores, and the engine's would inherit that for good.
    std::promise<Result<std::unique_ptr<Executable>>> promise;
    auto done = promise.get_future();
    const auto posted = loader_.post([&] { promise.set_value(load_here(file, options)); });
    if (!posted) return posted.error();
    return done.get();
  }

 private:
  using Loaded = Result<std::unique_ptr<Executable>>;

  Loaded load_here(const fs::path& file, const LoadOptions& options) const {
    BASCULE_TRY(check_model_file(file));
    ModelSpec spec{.format = format_of(file), .engine = std::string(name())};
    BASCULE_TRY(read_facts(file, spec));
    BASCULE_ASSIGN(const std::shared_ptr<const ov::Engine> engine, this->engine());
    spec.engine_version = engine->library->version;
    BASCULE_TRY(check_precision(*engine, options.precision));
    const int streams = std::clamp(options.instances, 1, static_cast<int>(cpu_budget()));
    const std::string precision(precision_name(options.precision));
    const std::string stream_count = std::to_string(streams);
    const std::string thread_count = std::to_string(std::max(options.threads, 1) * streams);
    ov::Compilation what = {.path = file.filename() == kSavedModel ? file.parent_path() : file,
                            .properties = {
                                {"INFERENCE_PRECISION_HINT", precision.c_str()},
                                {"NUM_STREAMS", stream_count.c_str()},
                                {"INFERENCE_NUM_THREADS", thread_count.c_str()},
                                // Two models that each hold on to the first core would share it while another
                                // is idle.
                                {"ENABLE_CPU_PINNING", "NO"},
                            }};
    if (!options_.cache.empty()) {
      BASCULE_TRY(make_private_folder(options_.cache));
      what.properties.push_back({"CACHE_DIR", options_.cache.c_str()});
    }
    auto any = ov::compile(engine, what);
    if (!any) return ov::load_error(file, any.error().message);
    const auto read = ov::read_ports(*engine->library, (*any)->model(), spec);
    if (!read) {
      return invalid_argument(fmt::format("Model file '{}' {}.", shown_name(file), read.error().message));
    }
    BASCULE_TRY(ov::check_shapes(file, spec, options.shapes));
    // For several runs at once it has a thread each, which takes a run over from the one that calls.
    spec.computes_elsewhere = streams > 1;
    add_notes(options, spec);
    std::vector<ov::ShapeForm> fixed = fixed_forms(engine, what, options.shapes, spec);
    return ov::make_executable(*std::move(any), std::move(fixed), std::move(spec));
  }

  // What cannot be compiled for a shape of its own is served without.
  static std::vector<ov::ShapeForm> fixed_forms(const std::shared_ptr<const ov::Engine>& engine,
                                                const ov::Compilation& what,
                                                std::span<const tensor::Shape> shapes, ModelSpec& spec) {
    std::vector<ov::ShapeForm> out;
    for (const tensor::Shape& shape : shapes) {
      const bool there = std::ranges::find(out, shape, &ov::ShapeForm::shape) != out.end();
      if (there || shape == spec.inputs.front().shape) continue;
      auto form = ov::compile_for(engine, what, shape);
      if (form) {
        out.push_back({.shape = shape, .form = *std::move(form)});
        spec.notes.push_back(fmt::format("it is compiled for inputs of {}, too", tensor::to_string(shape)));
      } else {
        spec.notes.push_back(fmt::format("it could not be compiled for inputs of {}: {}",
                                         tensor::to_string(shape), ov::plain_words(form.error().message)));
      }
    }
    return out;
  }

  static std::string format_of(const fs::path& file) {
    const std::string extension = text::to_lower(file.extension().string());
    if (extension == ".onnx") return "onnx";
    if (extension == ".xml") return "ir";
    if (extension == ".tflite") return "tflite";
    return extension == ".pdmodel" ? "paddle" : "tensorflow";
  }

  Result<void> read_facts(const fs::path& file, ModelSpec& spec) const {
    if (spec.format == "onnx") {
      OnnxFacts facts = read_onnx_facts(file);
      BASCULE_TRY(check_weight_files(file, facts));
      spec.metadata = std::move(facts.metadata);
      spec.class_labels = std::move(facts.class_labels);
      return {};
    }
    if (spec.format == "ir") merge(ov::read_ir_facts(file), spec);
    const fs::path beside = file.parent_path() / "metadata.yaml";
    std::error_code code;
    if (options_.read_metadata && fs::exists(beside, code)) {
      BASCULE_ASSIGN(auto found, options_.read_metadata(beside));
      merge(std::move(found), spec);
    }
    return {};
  }

  // Loads the library the first time. A failure is not remembered: it may be mended meanwhile.
  Result<std::shared_ptr<const ov::Engine>> engine() const {
    using Made = Result<std::shared_ptr<const ov::Engine>>;
    return engine_.with([&](std::shared_ptr<const ov::Engine>& there) -> Made {
      if (there != nullptr) return there;
      auto made = std::make_shared<ov::Engine>();
      BASCULE_ASSIGN(made->library, ov::Library::open(options_.folder));
      // Weights are read, not mapped: a mapped file that is overwritten in place ends the process (SIGBUS).
      const ov_property_t read_weights = {"ENABLE_MMAP", "NO"};
      if (made->library->core_create(&made->core) != OK ||
          made->library->core_set_properties(made->core, nullptr, 1, &read_weights) != OK) {
        return Error{
            .code = Code::kUnavailable,
            .message = "OpenVINO could not be started: " + ov::plain_words(made->library->last_error())};
      }
      there = std::move(made);
      return there;
    });
  }

  static Result<void> check_precision(const ov::Engine& engine, DataType precision) {
    if (precision == DataType::kFp32) return {};
    char* raw = nullptr;
    std::string has;
    if (engine.library->core_get_property(engine.core, ov::kDevice, "OPTIMIZATION_CAPABILITIES", &raw) ==
        OK) {
      has = raw;
      engine.library->string_free(raw);
    }
    if (has.contains(precision == DataType::kBf16 ? "BF16" : "FP16")) return {};
    return invalid_argument(
        fmt::format("This processor does not compute in {}; it has {}. Set precision: f32.",
                    precision_name(precision), has));
  }

  static void add_notes(const LoadOptions& options, ModelSpec& spec) {
    if (options.precision != DataType::kFp32) {
      spec.notes.push_back(fmt::format("it computes in {}", precision_name(options.precision)));
    }
    for (const auto* all : {&spec.inputs, &spec.outputs}) {
      for (const tensor::TensorSpec& one : *all) {
        const bool wide = one.type == DataType::kInt64 || one.type == DataType::kUint64 ||
                          one.type == DataType::kUint32 || one.type == DataType::kFp64;
        if (!wide) continue;
        spec.notes.push_back(
            fmt::format("openvino computes '{}' ({}) in 32 bits; for more, engine: onnxruntime",
                        text::shortened(one.name), tensor::to_string(one.type)));
        return;
      }
    }
  }

  const OpenVinoOptions options_;
  mutable Guarded<std::shared_ptr<const ov::Engine>> engine_;
  mutable ThreadPool loader_{{.name = "openvino", .threads = 1, .computes = true}};
};

}  // namespace

std::unique_ptr<Backend> make_openvino_backend(OpenVinoOptions options) {
  return std::make_unique<OpenVinoBackend>(std::move(options));
}

}  // namespace bascule::backend
