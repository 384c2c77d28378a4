#include "app/local_model.h"

#include <utility>

#include <fmt/format.h>

#include "app/model_settings.h"
#include "app/options.h"
#include "base/cpu.h"
#include "catalog/loader.h"
#include "catalog/source.h"

namespace bascule::app {
namespace {

// Of the model's own settings only that counts which changes its answers. The files are all there: none is
// refused for the length of the queue.
Result<content::ModelSettings> settings_here(const catalog::ModelSource& source, std::size_t width,
                                             std::size_t threads) {
  config::Values values;
  BASCULE_TRY(config::apply_defaults(tables().model, values));
  BASCULE_ASSIGN(const ReadSettings read, SettingsReader(std::move(values), {}, {}).read(source));
  return content::ModelSettings{.max_queue_size = 0,
                                .queue_budget = {},
                                .instances = width,
                                .threads = static_cast<int>(threads),
                                .engine = read.settings.engine,
                                .precision = read.settings.precision,
                                .letterbox = read.settings.letterbox,
                                .decode = read.settings.decode,
                                .description = read.settings.description};
}

}  // namespace

std::size_t cores_asked(const config::Values& values) {
  const auto asked = values.integer_or_word("threads");
  return asked ? static_cast<std::size_t>(*asked) : cpu_budget();
}

Result<std::unique_ptr<LocalModel>> LocalModel::open(const std::filesystem::path& file,
                                                     const LocalModelOptions& options) {
  auto engines = std::make_shared<const Engines>(options.engines);
  BASCULE_ASSIGN(const auto sources,
                 catalog::find_models({catalog::ModelPath{.path = file}}, engines->of_files(),
                                      {.read_config = config_reader(false)}));
  if (sources.size() != 1) {
    return invalid_argument(
        fmt::format("'{}' holds {} models; give the file of one.", file.string(), sources.size()));
  }
  BASCULE_ASSIGN(const content::ModelSettings settings,
                 settings_here(sources.front(), options.width, options.cores / options.width));
  const SteadyClock clock;
  BASCULE_ASSIGN(
      catalog::Handle model,
      catalog::load_model(sources.front(), engines->of(sources.front()),
                          {.task = {.max_pixels = options.max_pixels}, .settings = settings}, clock));
  return std::make_unique<LocalModel>(std::move(engines), std::move(model), options.cores);
}

LocalModel::LocalModel(std::shared_ptr<const Engines> engines, catalog::Handle model, std::size_t cores)
    : engines_(std::move(engines)),
      model_(std::move(model)),
      catalog_(model_->info->name),
      executor_({.name = "worker", .threads = cores}),
      timer_(clock_),
      service_(catalog_, {.executor = executor_, .timer = timer_, .clock = clock_, .metrics = metrics_}, {}) {
  catalog_.set_ready(model_);
}

}  // namespace bascule::app
