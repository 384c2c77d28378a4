#include "backend/openvino/openvino_backend.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <future>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backend/model_file.h"
#include "backend/onnx_facts.h"
#include "backend/openvino/ir_facts.h"
#include "backend/openvino/openvino_error.h"
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
using tensor::NamedTensor;

constexpr const char* kDevice = "CPU";
constexpr std::string_view kSavedModel = "saved_model.pb";

// The library with the one object that everything in it hangs on.
struct Engine {
  std::shared_ptr<const ov::Library> library;
  ov_core_t* core = nullptr;

  Engine() = default;
  ~Engine() {
    if (core != nullptr) library->core_free(core);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
};

struct Compiled {
  std::shared_ptr<const Engine> engine;
  ov_compiled_model_t* model = nullptr;

  explicit Compiled(std::shared_ptr<const Engine> its) : engine(std::move(its)) {}
  ~Compiled() {
    if (model != nullptr) engine->library->compiled_model_free(model);
  }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
};

struct RequestDeleter {
  const ov::Library* library = nullptr;
  void operator()(ov_infer_request_t* request) const { library->infer_request_free(request); }
};
using Request = std::unique_ptr<ov_infer_request_t, RequestDeleter>;

struct TensorDeleter {
  const ov::Library* library;
  void operator()(ov_tensor_t* tensor) const { library->tensor_free(tensor); }
};
using OwnedTensor = std::unique_ptr<ov_tensor_t, TensorDeleter>;

class OpenVinoExecutable final : public Executable {
 public:
  OpenVinoExecutable(std::unique_ptr<Compiled> compiled, ModelSpec spec)
      : compiled_(std::move(compiled)), spec_(std::move(spec)) {}

  [[nodiscard]] const ModelSpec& spec() const override { return spec_; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> inputs,
                                       std::span<const std::string> outputs) const override {
    BASCULE_ASSIGN(const auto wanted, wanted_outputs(outputs));
    BASCULE_ASSIGN(Request request, take_request());
    std::vector<tensor::Tensor> copies;  // outlive the run
    BASCULE_TRY(set_inputs(request.get(), inputs, copies));
    if (library().infer_request_infer(request.get()) != OK) return ov::run_error(library().last_error());
    std::vector<NamedTensor> out;
    out.reserve(wanted.size());
    for (const std::size_t index : wanted) {
      BASCULE_ASSIGN(tensor::Tensor tensor, output(request.get(), index));
      out.push_back({.name = spec_.outputs[index].name, .tensor = std::move(tensor)});
    }
    // One that failed is not used again.
    requests_.with([&](std::vector<Request>& free) { free.push_back(std::move(request)); });
    return out;
  }

 private:
  [[nodiscard]] const ov::Library& library() const { return *compiled_->engine->library; }

  [[nodiscard]] Result<std::vector<std::size_t>> wanted_outputs(std::span<const std::string> names) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; names.empty() && i < spec_.outputs.size(); ++i) out.push_back(i);
    for (const std::string& name : names) {
      const auto at = std::ranges::find(spec_.outputs, name, &tensor::TensorSpec::name);
      if (at == spec_.outputs.end()) {
        return invalid_argument(fmt::format("The model has no output '{}'.", text::shortened(name)),
                                Reason::kUnknownOutput);
      }
      out.push_back(static_cast<std::size_t>(at - spec_.outputs.begin()));
    }
    return out;
  }

  [[nodiscard]] Result<Request> take_request() const {
    Request found = requests_.with([](std::vector<Request>& free) {
      if (free.empty()) return Request();
      Request request = std::move(free.back());
      free.pop_back();
      return request;
    });
    if (found != nullptr) return found;
    ov_infer_request_t* made = nullptr;
    if (library().compiled_model_create_infer_request(compiled_->model, &made) != OK) {
      return internal_error("The engine failed: " + ov::plain_words(library().last_error()));
    }
    return Request(made, {&library()});
  }

  [[nodiscard]] Result<void> set_inputs(ov_infer_request_t* request, std::span<const NamedTensor> inputs,
                                        std::vector<tensor::Tensor>& copies) const {
    for (const NamedTensor& input : inputs) {
      const auto at = std::ranges::find(spec_.inputs, input.name, &tensor::TensorSpec::name);
      if (at == spec_.inputs.end()) {
        return invalid_argument(fmt::format("The model has no input '{}'.", text::shortened(input.name)),
                                Reason::kUnknownInput);
      }
      BASCULE_ASSIGN(const std::size_t bytes,
                     tensor::byte_count(input.tensor.shape, tensor::element_size(input.tensor.type)));
      if (bytes != input.tensor.bytes.size()) {
        return invalid_argument(
            fmt::format("Shape {} of {} needs {} bytes, but {} were given.",
                        tensor::to_string(input.tensor.shape), tensor::to_string(input.tensor.type), bytes,
                        input.tensor.bytes.size()),
            Reason::kDataSizeMismatch);
      }
      std::span<const std::byte> data = input.tensor.bytes;
      if (reinterpret_cast<std::uintptr_t>(data.data()) % tensor::element_size(input.tensor.type) != 0) {
        BASCULE_ASSIGN(tensor::MutableTensor copy,
                       tensor::make_tensor(input.tensor.type, input.tensor.shape));
        std::ranges::copy(data, copy.bytes.begin());
        copies.push_back(std::move(copy.tensor));
        data = copies.back().bytes;
      }
      BASCULE_TRY(set_input(request, static_cast<std::size_t>(at - spec_.inputs.begin()), input, data));
    }
    return {};
  }

  [[nodiscard]] Result<void> set_input(ov_infer_request_t* request, std::size_t index,
                                       const NamedTensor& input, std::span<const std::byte> data) const {
    tensor::Shape dims = input.tensor.shape;
    const ov_shape_t shape{.rank = static_cast<std::int64_t>(dims.size()), .dims = dims.data()};
    ov_tensor_t* raw = nullptr;
    // The engine only reads what it is given as an input.
    void* const memory = const_cast<std::byte*>(data.data());
    ov_status_e status =
        library().tensor_create_from_host_ptr(ov::to_openvino(input.tensor.type), shape, memory, &raw);
    if (status != OK) return ov::run_error(library().last_error());
    const OwnedTensor tensor(raw, {&library()});
    status = library().infer_request_set_input_tensor_by_index(request, index, tensor.get());
    if (status != OK) return ov::run_error(library().last_error());
    return {};
  }

  // A copy: the memory is the request's, which serves others next.
  [[nodiscard]] Result<tensor::Tensor> output(const ov_infer_request_t* request, std::size_t index) const {
    ov_tensor_t* raw = nullptr;
    if (library().infer_request_get_output_tensor_by_index(request, index, &raw) != OK) {
      return internal_error("The engine failed: " + ov::plain_words(library().last_error()));
    }
    const OwnedTensor tensor(raw, {&library()});
    ov_shape_t dims = {};
    void* data = nullptr;
    std::size_t bytes = 0;
    if (library().tensor_get_shape(tensor.get(), &dims) != OK ||
        library().tensor_get_byte_size(tensor.get(), &bytes) != OK) {
      return internal_error("The engine failed: " + ov::plain_words(library().last_error()));
    }
    tensor::Shape shape(dims.dims, dims.dims + dims.rank);
    library().shape_free(&dims);
    BASCULE_ASSIGN(tensor::MutableTensor out,
                   tensor::make_tensor(spec_.outputs[index].type, std::move(shape)));
    if (out.bytes.size() != bytes) return internal_error("The engine's output is not as long as its shape.");
    if (bytes > 0 && library().tensor_data(tensor.get(), &data) == OK) {
      std::copy_n(static_cast<const std::byte*>(data), bytes, out.bytes.begin());
    }
    return std::move(out.tensor);
  }

  const std::unique_ptr<const Compiled> compiled_;
  const ModelSpec spec_;
  mutable Guarded<std::vector<Request>> requests_;  // at most as many as ever ran at once
};

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
    BASCULE_ASSIGN(const std::shared_ptr<const Engine> engine, this->engine());
    spec.engine_version = engine->library->version;
    BASCULE_TRY(check_precision(*engine, options.precision));
    auto compiled = std::make_unique<Compiled>(engine);
    const int streams = std::clamp(options.instances, 1, static_cast<int>(cpu_budget()));
    BASCULE_TRY(compile(file, options, streams, *compiled));
    const auto read = ov::read_ports(*engine->library, compiled->model, spec);
    if (!read) {
      return invalid_argument(fmt::format("Model file '{}' {}.", shown_name(file), read.error().message));
    }
    // For several runs at once it has a thread each, which takes a run over from the one that calls.
    spec.computes_elsewhere = streams > 1;
    add_notes(options, spec);
    return std::make_unique<OpenVinoExecutable>(std::move(compiled), std::move(spec));
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
  Result<std::shared_ptr<const Engine>> engine() const {
    using Made = Result<std::shared_ptr<const Engine>>;
    return engine_.with([&](std::shared_ptr<const Engine>& there) -> Made {
      if (there != nullptr) return there;
      auto made = std::make_shared<Engine>();
      BASCULE_ASSIGN(made->library, ov::Library::open(options_.folder));
      if (made->library->core_create(&made->core) != OK) {
        return Error{
            .code = Code::kUnavailable,
            .message = "OpenVINO could not be started: " + ov::plain_words(made->library->last_error())};
      }
      there = std::move(made);
      return there;
    });
  }

  static Result<void> check_precision(const Engine& engine, DataType precision) {
    if (precision == DataType::kFp32) return {};
    char* raw = nullptr;
    std::string has;
    if (engine.library->core_get_property(engine.core, kDevice, "OPTIMIZATION_CAPABILITIES", &raw) == OK) {
      has = raw;
      engine.library->string_free(raw);
    }
    if (has.contains(precision == DataType::kBf16 ? "BF16" : "FP16")) return {};
    return invalid_argument(
        fmt::format("This processor does not compute in {}; it has {}. Set precision: f32.",
                    precision_name(precision), has));
  }

  Result<void> compile(const fs::path& file, const LoadOptions& options, int streams,
                       Compiled& compiled) const {
    const int threads = std::max(options.threads, 1);
    const std::string stream_count = std::to_string(streams);
    const std::string thread_count = std::to_string(threads * streams);
    std::vector<ov_property_t> properties = {
        {"INFERENCE_PRECISION_HINT", precision_name(options.precision).data()},
        {"NUM_STREAMS", stream_count.c_str()},
        {"INFERENCE_NUM_THREADS", thread_count.c_str()},
        // Two models that each hold on to the first core would share it while another is idle.
        {"ENABLE_CPU_PINNING", "NO"},
    };
    if (!options_.cache.empty()) {
      BASCULE_TRY(make_private_folder(options_.cache));
      properties.push_back({"CACHE_DIR", options_.cache.c_str()});
    }
    const fs::path path = file.filename() == kSavedModel ? file.parent_path() : file;
    const ov::Library& library = *compiled.engine->library;
    if (library.core_compile_model_from_file_props(compiled.engine->core, path.c_str(), kDevice,
                                                   properties.size(), properties.data(),
                                                   &compiled.model) != OK) {
      return ov::load_error(file, library.last_error());
    }
    return {};
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
  mutable Guarded<std::shared_ptr<const Engine>> engine_;
  mutable ThreadPool loader_{{.name = "openvino", .threads = 1, .computes = true}};
};

}  // namespace

std::unique_ptr<Backend> make_openvino_backend(OpenVinoOptions options) {
  return std::make_unique<OpenVinoBackend>(std::move(options));
}

}  // namespace bascule::backend
