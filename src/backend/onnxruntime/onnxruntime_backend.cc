#include "backend/onnxruntime/onnxruntime_backend.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>
#include <onnxruntime_run_options_config_keys.h>
#include <onnxruntime_session_options_config_keys.h>

#include "backend/model_file.h"
#include "backend/onnx_facts.h"
#include "backend/onnxruntime/ort_error.h"
#include "backend/onnxruntime/ort_spec.h"
#include "backend/onnxruntime/ort_threads.h"
#include "backend/onnxruntime/ort_value.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace bascule::backend {
namespace {

using tensor::NamedTensor;

// True while this thread loads a model: the engine's log knows no other way to tell whose line it writes.
thread_local bool loading = false;

struct LoadingScope {
  LoadingScope() { loading = true; }
  ~LoadingScope() { loading = false; }
  LoadingScope(const LoadingScope&) = delete;
  LoadingScope& operator=(const LoadingScope&) = delete;
};

// The engine's own lines become lines of our log; without this it writes to standard error itself. Warnings
// about a model are for its operator, once: those of runs could be had by the thousand from outside. What it
// calls errors comes back as an `Error` too, which says it better.
void forward_log(void*, OrtLoggingLevel level, const char*, const char*, const char*, const char* message) {
  if (level < ORT_LOGGING_LEVEL_WARNING) return;
  const bool tell = loading && level == ORT_LOGGING_LEVEL_WARNING;
  const log::Level as = tell ? log::Level::kWarning : log::Level::kDebug;
  if (log::enabled(as)) log::write(as, "onnxruntime: " + ort::plain_words(message));
}

Ort::SessionOptions session_options(const LoadOptions& options, ort::ThreadMaker& threads) {
  Ort::SessionOptions out;
  out.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
  out.SetExecutionMode(ExecutionMode::ORT_SEQUENTIAL);
  // One thread: the engine makes no pool and computes on the thread that calls. n: a pool of n - 1 beside it.
  out.SetIntraOpNumThreads(std::max(options.threads, 1));
  out.SetInterOpNumThreads(1);
  threads.make_threads_of(out);
  // Waiting threads sleep: cores belong to whoever has work, not to a loop that hopes for some.
  out.AddConfigEntry(kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
  out.AddConfigEntry(kOrtSessionOptionsConfigAllowInterOpSpinning, "0");
  // The engine's memory pool stays on. Measured on the fruit detector (10 MB, 640 x 640, one thread): with it
  // 114 MB resident after any number of runs; without it 88 to 163 MB, as malloc pleases, two to three times
  // the page faults and about 5 ms more system time per run. Shrinking it after each run would bring those
  // back.
  out.EnableCpuMemArena();
  // The plan that lays a run's tensors out as one block does not: the block comes beside what the first run,
  // which makes the plan, has taken, so that about twice as much is held, and a run takes as long. (Those
  // figures are from before, with it.)
  out.DisableMemPattern();
  // Denormals stay numbers: flushing them to zero would change the calling thread's arithmetic for good.
  out.SetLogSeverityLevel(ORT_LOGGING_LEVEL_WARNING);
  return out;
}

// What a session needs to live; tensors given out hold it too.
struct Loaded {
  std::shared_ptr<Ort::Env> env;
  Ort::Session session{nullptr};
};

class OnnxExecutable final : public Executable {
 public:
  OnnxExecutable(std::shared_ptr<Loaded> loaded, ort::SpecPlan plan)
      : loaded_(std::move(loaded)), plan_(std::move(plan)) {
    // A refused input is the caller's answer, not a line in the server's log.
    run_options_.SetRunLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    last_run_options_.SetRunLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    last_run_options_.AddConfigEntry(kOrtRunOptionsConfigEnableMemoryArenaShrinkage, "cpu:0");
  }

  [[nodiscard]] const ModelSpec& spec() const override { return plan_.spec; }

  void rest() const override { rests_ = true; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> inputs,
                                       std::span<const std::string> outputs) const override {
    return ort::guarded([&] { return run_unguarded(inputs, outputs); },
                        [](OrtErrorCode code, std::string_view message) -> Result<std::vector<NamedTensor>> {
                          return ort::run_error(code, message);
                        });
  }

 private:
  // Indices into spec().outputs of what was asked for.
  [[nodiscard]] Result<std::vector<std::size_t>> wanted_parts(std::span<const std::string> names) const {
    std::vector<std::size_t> out;
    const auto& specs = plan_.spec.outputs;
    for (std::size_t i = 0; names.empty() && i < specs.size(); ++i) out.push_back(i);
    for (const std::string& name : names) {
      const auto at = std::ranges::find(specs, name, &tensor::TensorSpec::name);
      if (at == specs.end()) {
        return invalid_argument(fmt::format("The model has no output '{}'.", text::shortened(name)),
                                Reason::kUnknownOutput);
      }
      out.push_back(static_cast<std::size_t>(at - specs.begin()));
    }
    return out;
  }

  Result<std::vector<NamedTensor>> run_unguarded(std::span<const NamedTensor> inputs,
                                                 std::span<const std::string> outputs) const {
    BASCULE_ASSIGN(const auto wanted, wanted_parts(outputs));
    std::vector<const char*> input_names;
    std::vector<Ort::Value> values;
    input_names.reserve(inputs.size());
    values.reserve(inputs.size());
    for (const NamedTensor& input : inputs) {
      BASCULE_ASSIGN(Ort::Value value, ort::to_value(input.tensor, memory_));
      input_names.push_back(input.name.c_str());
      values.push_back(std::move(value));
    }
    // Two parts may come from one output of the file; it is fetched once.
    std::vector<std::size_t> fetched;
    std::vector<const char*> output_names;
    for (const std::size_t part : wanted) {
      const std::size_t plan = plan_.parts[part].plan;
      if (std::ranges::find(fetched, plan) != fetched.end()) continue;
      fetched.push_back(plan);
      output_names.push_back(plan_.outputs[plan].name.c_str());
    }
    std::vector<Ort::Value> results = loaded_->session.Run(
        rests_ && rests_.exchange(false) ? last_run_options_ : run_options_, input_names.data(),
        values.data(), values.size(), output_names.data(), output_names.size());
    return collect(wanted, fetched, std::move(results), inputs);
  }

  Result<std::vector<NamedTensor>> collect(std::span<const std::size_t> wanted,
                                           std::span<const std::size_t> fetched,
                                           std::vector<Ort::Value> results,
                                           std::span<const NamedTensor> inputs) const {
    std::vector<ort::Converted> converted;
    converted.reserve(results.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      BASCULE_ASSIGN(auto one,
                     ort::from_value(std::move(results[i]), plan_.outputs[fetched[i]], inputs, loaded_));
      converted.push_back(std::move(one));
    }
    std::vector<NamedTensor> out;
    out.reserve(wanted.size());
    for (const std::size_t part : wanted) {
      const auto at = std::ranges::find(fetched, plan_.parts[part].plan) - fetched.begin();
      const ort::Converted& from = converted[static_cast<std::size_t>(at)];
      out.push_back({.name = plan_.spec.outputs[part].name,
                     .tensor = plan_.parts[part].labels ? from.labels : from.values});
    }
    return out;
  }

  const std::shared_ptr<Loaded> loaded_;
  const ort::SpecPlan plan_;
  const Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  Ort::RunOptions run_options_;
  Ort::RunOptions last_run_options_;
  mutable std::atomic<bool> rests_ = false;
};

// Lets a session know the operators of a library.
Result<void> add_operators(const std::filesystem::path& library, Ort::SessionOptions& session) {
  return ort::guarded(
      [&]() -> Result<void> {
        session.RegisterCustomOpsLibrary(library.c_str());
        return {};
      },
      [&](OrtErrorCode, std::string_view message) -> Result<void> {
        return invalid_argument(fmt::format(
            "The custom-op library '{}' cannot be used: {} It must be a shared library with the function "
            "RegisterCustomOps, built for this machine.",
            text::shortened(library.filename().string(), 120), ort::plain_words(message)));
      });
}

std::uint64_t memory_of_the_machine() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
}

// Files that tensors of a model lie in, read: the engine would map them, and a mapped file that is
// overwritten in place ends the process (SIGBUS). It copies from here what it keeps, so that they may go when
// the session is there.
class Weights {
 public:
  // What is not to be read, or not there, is left to the engine, which says so; so is what is larger than the
  // machine's memory.
  Result<void> read(const std::filesystem::path& model, const std::vector<std::string>& names) {
    const std::filesystem::path folder = model.has_parent_path() ? model.parent_path() : ".";
    const std::uint64_t most = memory_of_the_machine();
    for (const std::string& name : names) {
      const auto file = safe_join(folder, name);
      std::error_code code;
      if (!file || !std::filesystem::is_regular_file(*file, code)) continue;
      const std::uint64_t size = std::filesystem::file_size(*file, code);
      if (code || size == 0 || size > most) continue;
      BASCULE_ASSIGN(std::vector<std::byte> bytes, read_file(*file, most));
      names_.push_back(name);
      bytes_.push_back(std::move(bytes));
    }
    return {};
  }

  void give_to(Ort::SessionOptions& session) {
    if (names_.empty()) return;
    std::vector<char*> starts;
    std::vector<std::size_t> sizes;
    for (std::vector<std::byte>& bytes : bytes_) {
      starts.push_back(reinterpret_cast<char*>(bytes.data()));
      sizes.push_back(bytes.size());
    }
    session.AddExternalInitializersFromFilesInMemory(names_, starts, sizes);
  }

 private:
  std::vector<std::string> names_;  // as the model has them
  std::vector<std::vector<std::byte>> bytes_;
};

class OnnxBackend final : public Backend {
 public:
  OnnxBackend(std::shared_ptr<Ort::Env> env, OnnxOptions options)
      : env_(std::move(env)), options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "onnxruntime"; }

  [[nodiscard]] bool accepts(const std::filesystem::path& file) const override {
    return text::to_lower(file.extension().string()) == ".onnx";
  }

  Result<std::unique_ptr<Executable>> load(const std::filesystem::path& file,
                                           const LoadOptions& options) const override {
    BASCULE_TRY(check_model_file(file));
    if (options.precision != tensor::DataType::kFp32) {
      return invalid_argument(
          fmt::format("ONNX Runtime computes in f32 on this machine; {} is done by openvino. Set engine: "
                      "openvino, or precision: f32.",
                      precision_name(options.precision)));
    }
    using Out = Result<std::unique_ptr<Executable>>;
    return ort::guarded([&]() -> Out { return load_unguarded(file, options); },
                        [&](OrtErrorCode code, std::string_view message) -> Out {
                          return ort::load_error(file, code, message);
                        });
  }

 private:
  Result<std::unique_ptr<Executable>> load_unguarded(const std::filesystem::path& file,
                                                     const LoadOptions& options) const {
    auto loaded = std::make_shared<Loaded>();
    loaded->env = env_;
    const LoadingScope scope;
    Ort::SessionOptions session = session_options(options, *threads_);
    for (const std::filesystem::path& library : options_.custom_op_libraries) {
      BASCULE_TRY(add_operators(library, session));
    }
    const OnnxFacts facts = read_onnx_facts(file);
    {
      Weights weights;
      BASCULE_TRY(weights.read(file, facts.weight_files));
      weights.give_to(session);
      loaded->session = Ort::Session(*env_, file.c_str(), session);
    }
    auto plan = ort::read_spec(loaded->session);
    if (!plan) {
      return invalid_argument(fmt::format(
          "Model file '{}' {}.", text::shortened(file.filename().string(), 120), plan.error().message));
    }
    plan->spec.engine = name();
    plan->spec.engine_version = Ort::GetVersionString();
    plan->spec.class_labels = facts.class_labels;
    return std::make_unique<OnnxExecutable>(std::move(loaded), *std::move(plan));
  }

  const std::shared_ptr<Ort::Env> env_;
  const OnnxOptions options_;
  const std::unique_ptr<ort::ThreadMaker> threads_ = std::make_unique<ort::ThreadMaker>();
};

}  // namespace

std::unique_ptr<Backend> make_onnxruntime_backend(OnnxOptions options) {
  auto env = std::make_shared<Ort::Env>(ORT_LOGGING_LEVEL_WARNING, "bascule", forward_log, nullptr);
  return std::make_unique<OnnxBackend>(std::move(env), std::move(options));
}

std::string onnxruntime_version() { return Ort::GetVersionString(); }

}  // namespace bascule::backend
