#include "catalog/loader.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "catalog/batch_trial.h"

namespace bascule::catalog {
namespace {

constexpr int kMeasuredRuns = 20;
constexpr Duration kMeasureBudget = std::chrono::milliseconds(50);
// A run is never taken for short before it was measured.
constexpr Duration kUnmeasured = std::chrono::hours(1);

// True where every open dimension of the input is one that warm-up knows how to fill: the batch, or the
// height and width of a picture.
bool fully_known(const tensor::TensorSpec& spec, const content::ModelInfo& info) {
  const auto open = std::ranges::count(spec.shape, tensor::kDynamic);
  if (open == 0) return true;
  if (info.picture_size && spec.shape.size() == 4) return true;
  return open == 1 && spec.shape[0] == tensor::kDynamic;
}

tensor::Shape warm_up_shape(const tensor::TensorSpec& spec, const content::ModelInfo& info) {
  tensor::Shape shape = spec.shape;
  if (info.picture_size && shape.size() == 4) {
    if (shape[2] == tensor::kDynamic) shape[2] = info.picture_size->height;
    if (shape[3] == tensor::kDynamic) shape[3] = info.picture_size->width;
  }
  std::ranges::replace(shape, tensor::kDynamic, std::int64_t{1});
  return shape;
}

Result<tensor::Tensor> zeros(const tensor::TensorSpec& spec, const content::ModelInfo& info) {
  tensor::Shape shape = warm_up_shape(spec, info);
  if (spec.type == tensor::DataType::kString) {
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
    const std::vector<std::string_view> empty(count);
    return tensor::make_string_tensor(std::move(shape), empty);
  }
  BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(spec.type, std::move(shape)));
  std::ranges::fill(slot.bytes, std::byte{0});
  return std::move(slot.tensor);
}

struct Measured {
  Duration run = kUnmeasured;
  Duration fastest = kUnmeasured;
  std::size_t bytes = 0;
};

// Runs on zeros until the budget is used; the slowest run after the first stands for the 99th percentile.
Result<Measured> warm_up(const backend::Executable& executable, const content::ModelInfo& info,
                         const Clock& clock) {
  std::vector<tensor::NamedTensor> inputs;
  std::size_t bytes = 0;
  for (const tensor::TensorSpec& spec : executable.spec().inputs) {
    if (spec.optional) continue;
    BASCULE_ASSIGN(tensor::Tensor tensor, zeros(spec, info));
    bytes += tensor.bytes.size();
    inputs.push_back({.name = spec.name, .tensor = std::move(tensor)});
  }
  BASCULE_TRY(executable.run(inputs, {}));
  const TimePoint begin = clock.now();
  Duration slowest{};
  Duration fastest = kUnmeasured;
  for (int i = 0; i < kMeasuredRuns; ++i) {
    const TimePoint start = clock.now();
    BASCULE_TRY(executable.run(inputs, {}));
    const Duration took = clock.now() - start;
    slowest = std::max(slowest, took);
    fastest = std::min(fastest, took);
    if (clock.now() - begin > kMeasureBudget) break;
  }
  return Measured{.run = slowest, .fastest = fastest, .bytes = bytes};
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

}  // namespace

Result<Handle> load_model(const ModelSource& source, const backend::Backend& backend,
                          const LoaderOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(std::unique_ptr<backend::Executable> executable,
                 backend.load(source.file, {.threads = options.settings.threads}));
  tasks::Understanding understood = tasks::understand(executable->spec(), options.task);
  content::ModelInfo& info = understood.info;
  info.name = source.name;
  info.version = source.version;
  info.backend = backend.name();
  info.file = source.file.filename().string();
  std::error_code code;
  const std::uintmax_t bytes = std::filesystem::file_size(source.file, code);
  info.file_bytes = code ? 0 : bytes;

  const Result<Measured> measured = warm_up(*executable, info, clock);
  if (!measured) {
    const auto& inputs = executable->spec().inputs;
    if (std::ranges::all_of(inputs, [&](const auto& spec) { return fully_known(spec, info); })) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("'{}' was loaded, but a first run on zeros failed: {}", info.file,
                                          measured.error().message)};
    }
    info.facts.push_back(
        {.name = "warm-up", .value = "none", .origin = "no input shape could be guessed that it runs on"});
    log::info("{}: no warm-up, since no shape of its open dimensions could be guessed that it runs on",
              info.name);
  } else {
    info.facts.push_back({.name = "run on zeros",
                          .value = fmt::format("{:.3f} ms", to_ms(measured->run)),
                          .origin = "measured at load"});
  }
  const Sharing sharing =
      measured ? choose_sharing(*executable, info, options, measured->fastest, clock) : Sharing{};
  return std::make_shared<const LoadedModel>(
      LoadedModel{.info = std::make_shared<const content::ModelInfo>(std::move(understood.info)),
                  .executable = std::move(executable),
                  .task = std::move(understood.task),
                  .measured_run = measured.value_or(Measured{}).run,
                  .measured_bytes = measured.value_or(Measured{}).bytes,
                  .max_batch_size = sharing.max_batch_size,
                  .saved_by_sharing = sharing.saved,
                  .settings = options.settings});
}

}  // namespace bascule::catalog
