#include "catalog/loader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backend/weight_files.h"
#include "base/cpu.h"
#include "base/log.h"
#include "base/text.h"
#include "catalog/batch_trial.h"
#include "catalog/configured.h"
#include "catalog/ensemble.h"
#include "catalog/sequence_states.h"
#include "catalog/source_files.h"
#include "tasks/python_literal.h"

namespace bascule::catalog {
namespace {

// True where every open dimension of the input is one that warm-up knows how to fill: the batch, or the
// height and width of a picture.
bool fully_known(const tensor::TensorSpec& spec, const content::ModelInfo& info) {
  const auto open = std::ranges::count(spec.shape, tensor::kDynamic);
  if (open == 0) return true;
  if (info.picture_size && spec.shape.size() == 4) return true;
  return open == 1 && spec.shape[0] == tensor::kDynamic;
}

// A run this long keeps a core busy by itself: sharing it gains nothing that could be measured, and a trial
// would take long and grow the engine's memory.
constexpr Duration kLongRun = std::chrono::milliseconds(5);
constexpr double kWorthIt = 0.8;  // of the time of a lone row
constexpr std::size_t kLargestTrial = 64;

struct Sharing {
  std::size_t max_batch_size = 1;
  Duration saved{};
};

Sharing choose_sharing(const backend::Executable& executable, content::ModelInfo& info,
                       const LoaderOptions& options, Duration run, const Clock& clock) {
  const auto decided = [&](std::size_t rows, Duration saved, std::string origin) {
    info.facts.push_back({.name = "shared runs",
                          .value = rows > 1 ? fmt::format("up to {} rows", rows) : std::string("no"),
                          .origin = std::move(origin)});
    return Sharing{.max_batch_size = rows, .saved = saved};
  };
  const std::size_t asked = options.settings.max_batch_size;
  if (!info.batchable || asked == 1) return {};
  if (asked == 0 && run > kLongRun) {
    return decided(1, {}, "a run is so long that sharing it gains nothing");
  }
  const std::size_t rows = run > kLongRun ? 2 : std::min(asked == 0 ? kAutoBatch : asked, kLargestTrial);
  const Result<BatchTrial> trial = try_batch(
      executable, [&](const tensor::TensorSpec& spec) { return warm_up_shape(spec, info); }, rows, clock);
  if (!trial) return decided(1, {}, fmt::format("a trial failed: {}", trial.error().message));
  if (!trial->independent) return decided(1, {}, fmt::format("a trial: {}", trial->why_not));
  const double ratio = to_seconds(trial->each) / std::max(to_seconds(trial->alone), 1e-9);
  std::string origin =
      fmt::format("a trial: a row takes {:.0f} % of the time in a run of {}", ratio * 100, rows);
  const bool worth = asked != 0 || ratio <= kWorthIt;
  return decided(worth ? std::max(asked, rows) : 1, trial->alone - trial->each, std::move(origin));
}

// Runs the model before it serves. Nothing where no input could be made up for it.
Result<std::optional<Measured>> first_runs(const ColdModel& model, content::ModelInfo& info,
                                           const LoaderOptions& options, const std::filesystem::path& data,
                                           const Clock& clock) {
  const std::vector<std::filesystem::path>& samples = options.settings.warm_up;
  if (!samples.empty()) {
    BASCULE_ASSIGN(const Measured measured, run_on_samples(model, samples, options.read_sample, clock));
    info.facts.push_back(
        {.name = "run on samples",
         .value = fmt::format("{:.3f} ms", to_ms(measured.run)),
         .origin = fmt::format("measured at load with '{}'", samples.front().filename().string())});
    return measured;
  }
  if (info.config != nullptr && !info.config->warm_up.empty()) {
    BASCULE_ASSIGN(const Measured measured, run_on_requests(model, info.config->warm_up, data, clock));
    info.facts.push_back({.name = "run on requests",
                          .value = fmt::format("{:.3f} ms", to_ms(measured.run)),
                          .origin = fmt::format("measured at load with those of {}", info.config->origin)});
    return measured;
  }
  const Result<Measured> measured = run_on_zeros(model, clock);
  if (measured) {
    info.facts.push_back({.name = "run on zeros",
                          .value = fmt::format("{:.3f} ms", to_ms(measured->run)),
                          .origin = "measured at load"});
    return *measured;
  }
  const auto& inputs = model.executable.spec().inputs;
  if (std::ranges::all_of(inputs, [&](const auto& spec) { return fully_known(spec, info); })) {
    return invalid_argument(fmt::format("'{}' was loaded, but a first run on zeros failed: {}", info.file,
                                        measured.error().message));
  }
  info.facts.push_back(
      {.name = "warm-up", .value = "none", .origin = "no input shape could be guessed that it runs on"});
  log::info("{}: no warm-up, since no shape of its open dimensions could be guessed that it runs on",
            info.name);
  return std::nullopt;
}

// A file with a fixed batch takes fewer rows as well where a trial shows that they do not change each other:
// runs are filled up with those of other requests, or with zeros. Where it does not, requests have exactly as
// many, which no picture has.
Sharing choose_static_batch(const backend::Executable& executable, tasks::Understanding& understood,
                            std::size_t asked, const Clock& clock) {
  content::ModelInfo& info = understood.info;
  const std::size_t rows = backend::static_batch(executable.spec());
  const Result<BatchTrial> trial = try_static_batch(
      executable, [&](const tensor::TensorSpec& spec) { return warm_up_shape(spec, info); }, clock);
  const std::string why_not = !trial ? trial.error().message : trial->why_not;
  if (!trial || !trial->independent) {
    info.facts.push_back({.name = "fixed batch",
                          .value = fmt::format("requests have exactly {} rows", rows),
                          .origin = fmt::format("a trial: {}", why_not)});
    if (understood.task != nullptr) {
      info.facts.push_back(
          {.name = "pictures", .value = "not served after all, tensors are", .origin = "the fixed batch"});
    }
    understood.task = nullptr;
    return {};
  }
  info.static_batch = rows;
  info.facts.push_back({.name = "fixed batch",
                        .value = fmt::format("requests have up to {} rows; runs are padded", rows),
                        .origin = "a trial: rows do not change each other"});
  return Sharing{.max_batch_size = asked == 0 ? rows : std::min(asked, rows),
                 .saved = trial->alone - trial->each};
}

// What the model's configuration declares, with the sequences that its settings say.
content::ModelConfig declared_config(const ModelSource& source, const content::ModelSettings& settings) {
  content::ModelConfig config = source.config != nullptr ? *source.config : content::ModelConfig{};
  if (source.config == nullptr) config.origin = source.settings.filename().string();
  config.sequences = settings.sequences;
  return config;
}

// The engine that the settings name, else the one that the configuration does, which may be called otherwise
// where it names no engine of files.
backend::LoadOptions load_options(const ModelSource& source, const content::ModelSettings& settings,
                                  const backend::Backend& backend) {
  backend::LoadOptions out{
      .threads = settings.threads,
      .instances = static_cast<int>(settings.instances == 0 ? cpu_budget() : settings.instances),
      .precision = settings.precision,
      .engine = settings.engine,
      .shapes = settings.shapes};
  if (!source.engine.empty()) out.engine.clear();
  if (out.engine.empty() && source.config != nullptr && source.engine.empty()) {
    const std::vector<std::string_view> names = backend.names();
    if (std::ranges::find(names, source.config->backend) != names.end()) out.engine = source.config->backend;
  }
  return out;
}

Result<std::unique_ptr<backend::Executable>> load_executable(const ModelSource& source,
                                                             const backend::Backend& backend,
                                                             content::ModelSettings& settings) {
  backend::LoadOptions how = load_options(source, settings, backend);
  if (source.config == nullptr && !settings.sequences) return backend.load(source.file, how);
  const content::ModelConfig config = declared_config(source, settings);
  backend::ModelSpec declared;
  if (!source.engine.empty()) {
    BASCULE_ASSIGN(declared, declared_spec(config));
  }
  how.declared = &declared;
  BASCULE_ASSIGN(std::unique_ptr<backend::Executable> executable, backend.load(source.file, how));
  BASCULE_ASSIGN(executable, configure(std::move(executable), config));
  if (settings.sequences) {
    std::error_code code;
    const bool folder = std::filesystem::is_directory(source.home, code);
    BASCULE_TRY(make_initial_states(executable->spec(), config.max_batch_size.value_or(0) > 0,
                                    (folder ? source.home : source.home.parent_path()) / "initial_state",
                                    *settings.sequences));
  }
  return executable;
}

// Beyond this the memory that it takes is worth more than the time that it saves.
constexpr std::uint64_t kLargestTwice = std::uint64_t{256} << 20U;

// Of the model's file and those of its weights, as they are now.
std::vector<FileStamp> stamps_of(const ModelSource& source) {
  std::vector<FileStamp> out = {stamp_of(source.file)};
  for (const std::filesystem::path& file : backend::weight_files(source.file)) out.push_back(stamp_of(file));
  return out;
}

// Null for a model that is too large. `loaded`: the files as they were when the model was loaded from them.
std::shared_ptr<const WideRuns> wide_runs(const ModelSource& source, const backend::Backend& backend,
                                          content::ModelSettings settings, std::vector<FileStamp> loaded) {
  const auto add = [](std::uint64_t sum, const FileStamp& file) { return sum + file.bytes; };
  const std::uint64_t bytes = std::accumulate(loaded.begin(), loaded.end(), std::uint64_t{0}, add);
  if (bytes > kLargestTwice) return nullptr;
  settings.threads = settings.lone_threads;
  settings.instances = 1;
  const auto threads = static_cast<std::size_t>(settings.threads);
  return std::make_shared<const WideRuns>(threads,
                                          [source, &backend, settings = std::move(settings),
                                           loaded = std::move(loaded)]() mutable -> WideRuns::Model {
                                            auto executable = load_executable(source, backend, settings);
                                            if (!executable || stamps_of(source) != loaded) return nullptr;
                                            return *std::move(executable);
                                          });
}

// The server fills these; requests do not bring them.
void hide_filled(const content::SequenceBatching& sequences, content::ModelInfo& info) {
  std::erase_if(info.inputs, [&](const tensor::TensorSpec& input) {
    return std::ranges::find(sequences.controls, input.name, &content::ControlInput::name) !=
               sequences.controls.end() ||
           std::ranges::find(sequences.states, input.name, &content::SequenceState::input) !=
               sequences.states.end();
  });
  for (const content::SequenceState& state : sequences.states) {
    info.facts.push_back(
        {.name = "state",
         .value = fmt::format(
             "'{}' becomes '{}' at the next request of a sequence; {} of shape {} at the first", state.output,
             state.input, tensor::to_string(state.initial.type), tensor::to_string(state.initial.shape)),
         .origin =
             state.initial_file.empty() ? "zeros at first" : "first from '" + state.initial_file + "'"});
  }
}

// What the configuration says beyond the tensors themselves.
Result<void> apply_config(const ModelSource& source, content::ModelInfo& info) {
  const content::ModelConfig& config = *source.config;
  info.config = source.config;
  BASCULE_ASSIGN(info.labels, read_labels(source));
  if (config.max_batch_size == 0U && info.batchable) {
    info.batchable = false;
    info.facts.push_back({.name = "shared runs",
                          .value = "no",
                          .origin = fmt::format("{}: max_batch_size is 0", config.origin)});
  }
  for (const std::string& what : config.not_done) {
    info.facts.push_back({.name = "not done", .value = what, .origin = config.origin});
  }
  return {};
}

}  // namespace

Result<Handle> load_model(const ModelSource& source, const backend::Backend& backend,
                          const LoaderOptions& options, const Clock& given) {
  if (source.problem) return *source.problem;
  if (source.config != nullptr && source.config->ensemble) return load_ensemble(source, options.settings);
  content::ModelSettings settings = options.settings;
  const bool widens =
      settings.lone_threads > settings.threads && !settings.sequences && source.engine.empty();
  std::vector<FileStamp> stamps = widens ? stamps_of(source) : std::vector<FileStamp>();
  BASCULE_ASSIGN(const std::shared_ptr<const backend::Executable> executable,
                 load_executable(source, backend, settings));
  const SteadyClock wall;
  const Clock& clock = executable->spec().computes_elsewhere ? static_cast<const Clock&>(wall) : given;
  tasks::TaskOptions task_options = options.task;
  task_options.letterbox = options.settings.letterbox;
  task_options.description = options.settings.description;
  task_options.decode = options.settings.decode;
  tasks::Understanding understood = tasks::understand(executable->spec(), task_options);
  if (understood.problem) return *understood.problem;
  content::ModelInfo& info = understood.info;
  if (options.settings.sequences) info.rows.reset();  // a step is more than a row
  info.name = source.name;
  info.version = source.version;
  const backend::ModelSpec& spec = executable->spec();
  info.backend = spec.engine.empty() ? std::string(backend.name()) : spec.engine;
  info.backend_version = spec.engine_version;
  for (const std::string& note : spec.notes) {
    info.facts.push_back({.name = "note", .value = note, .origin = info.backend});
    log::info("{}: {}: {}", source.name, info.backend, note);
  }
  if (source.config != nullptr) {
    BASCULE_TRY(apply_config(source, info));
  }
  if (settings.sequences) hide_filled(*settings.sequences, info);
  info.file = source.file.filename().string();
  info.metadata_literal = tasks::write_python_dict(executable->spec().metadata);
  std::error_code code;
  const std::uintmax_t bytes = std::filesystem::file_size(source.file, code);
  info.file_bytes = code ? 0 : bytes;

  const ColdModel cold{.executable = *executable, .task = understood.task.get(), .info = info};
  BASCULE_ASSIGN(const std::optional<Measured> measured,
                 first_runs(cold, info, options, source.home / "warmup", clock));
  Sharing sharing =
      measured ? choose_sharing(*executable, info, options, measured->fastest, clock) : Sharing{};
  if (backend::static_batch(executable->spec()) > 0) {
    sharing = choose_static_batch(*executable, understood, options.settings.max_batch_size, clock);
  }
  std::shared_ptr<const WideRuns> wide;
  if (widens && measured && measured->fastest >= kLongRun) {
    wide = wide_runs(source, backend, settings, std::move(stamps));
  }
  return std::make_shared<const LoadedModel>(
      LoadedModel{.info = std::make_shared<const content::ModelInfo>(std::move(understood.info)),
                  .executable = executable,
                  .wide = std::move(wide),
                  .task = std::move(understood.task),
                  .measured_run = measured.value_or(Measured{}).run,
                  .measured_bytes = measured.value_or(Measured{}).bytes,
                  .max_batch_size = sharing.max_batch_size,
                  .saved_by_sharing = sharing.saved,
                  .settings = std::move(settings)});
}

}  // namespace bascule::catalog
