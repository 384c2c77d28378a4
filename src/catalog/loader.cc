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
  for (int i = 0; i < kMeasuredRuns; ++i) {
    const TimePoint start = clock.now();
    BASCULE_TRY(executable.run(inputs, {}));
    slowest = std::max<Duration>(slowest, clock.now() - start);
    if (clock.now() - begin > kMeasureBudget) break;
  }
  return Measured{.run = slowest, .bytes = bytes};
}

}  // namespace

Result<Handle> load_model(const ModelSource& source, const backend::Backend& backend,
                          const LoaderOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(std::unique_ptr<backend::Executable> executable, backend.load(source.file, options.load));
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
  return std::make_shared<const LoadedModel>(
      LoadedModel{.info = std::make_shared<const content::ModelInfo>(std::move(understood.info)),
                  .executable = std::move(executable),
                  .task = std::move(understood.task),
                  .measured_run = measured.value_or(Measured{}).run,
                  .measured_bytes = measured.value_or(Measured{}).bytes});
}

}  // namespace bascule::catalog
