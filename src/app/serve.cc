#include <malloc.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/application_host.h"
#include "app/commands.h"
#include "app/keys.h"
#include "app/listeners.h"
#include "app/model_config.h"
#include "app/model_override.h"
#include "app/model_settings.h"
#include "app/refresh.h"
#include "app/sources.h"
#include "app/trace_export.h"
#include "app/tune.h"
#include "app/watch.h"
#include "base/background.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/text.h"
#include "base/timer.h"
#include "catalog/catalog.h"
#include "catalog/loader.h"
#include "catalog/manager.h"
#include "catalog/source.h"
#include "metrics/metrics.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"

namespace bascule::app {
namespace {

constexpr Duration kQuickTune = std::chrono::seconds(8);
constexpr Duration kRefreshEvery = std::chrono::milliseconds(500);
constexpr Duration kGrace = std::chrono::seconds(30);
constexpr Duration kFlush = std::chrono::seconds(3);  // of traces that were not sent yet
constexpr std::string_view kNoModel = "none";         // of --load-model
constexpr std::size_t kMaxLoads = 64;                 // waiting for the loader

// Memory that the C library keeps at the end of each of its arenas for what comes next. Requests would pay a
// page fault for each page that it gave back; but what models leave there would never go, and resident memory
// would wander by a tenth from one reload to the next.
constexpr int kKept = 32 << 20;
constexpr int kKeptWhileFreeing = 64 << 10;
// Larger blocks come from the kernel and go back to it at once: a body that grows leaves no row of outgrown
// ones behind. A picture's tensor of 640 x 640 is smaller.
constexpr int kOnItsOwn = 6 << 20;

// Left to itself the C library moves both bounds with what it frees.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, kOnItsOwn);
  mallopt(M_TRIM_THRESHOLD, kKept);
}

// After `kKeptWhileFreeing` was set and models were freed.
void give_back_memory() {
  // Freed at the end of this thread's own arena, this has it looked at: what a load left there goes, too.
  {
    const std::vector<char> last(std::size_t{2} * kKeptWhileFreeing);
  }
  malloc_trim(0);
  mallopt(M_TRIM_THRESHOLD, kKept);
}

// The signals that end the server, blocked in every thread and waited for by the main one.
sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

void block_signals() {
  const sigset_t set = end_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

// Such a signal is waiting: loading stops for it between two models.
bool end_is_asked() {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

int wait_for_end() {
  const sigset_t set = end_signals();
  int number = 0;
  while (sigwait(&set, &number) != 0) {
  }
  return number;
}

// The models of applications that are files beside theirs, each once, and not one that is wanted anyway.
void add_models_of(const std::optional<ApplicationFile>& file, std::vector<catalog::ModelPath>& paths) {
  if (!file) return;
  for (const config::ApplicationYaml& one : file->applications) {
    const std::string name = served_name(*file, one);
    const auto listed = [&](const catalog::ModelPath& path) {
      return path.name == name || std::filesystem::path(path.path).stem() == name;
    };
    if (one.model.empty() || std::ranges::any_of(paths, listed)) continue;
    const std::filesystem::path model = file->model_of(one);
    std::error_code code;
    if (std::filesystem::exists(model, code)) paths.push_back({.path = model, .name = name});
  }
}

// What was asked for: paths on the command line, then the file's, which are relative to its folder, then
// those of applications. `settings_reader` goes by this order.
Result<std::vector<catalog::ModelPath>> wanted_models(const config::Parsed& parsed,
                                                      const std::vector<config::ModelEntry>& entries,
                                                      const std::optional<ApplicationFile>& applications) {
  std::vector<catalog::ModelPath> paths;
  for (const std::string& path : parsed.positionals) paths.push_back({.path = path});
  for (const config::ModelEntry& entry : entries) {
    paths.push_back({.path = config_folder(parsed.values) / entry.path, .name = entry.name});
  }
  add_models_of(applications, paths);
  if (paths.empty() && !applications) {
    return invalid_argument("No model was given. Try: bascule serve MODEL.onnx (see: bascule serve --help)");
  }
  if (parsed.values.has("name")) {
    if (paths.size() != 1) {
      return invalid_argument(
          fmt::format("--name gives one model its name, but {} paths were given.", paths.size()));
    }
    paths[0].name = parsed.values.text("name");
  }
  return paths;
}

// A slip in the name would only show when the first request without a name fails.
Result<void> check_default(const config::Values& values, const std::vector<catalog::ModelSource>& sources) {
  if (!values.has("default_model")) return {};
  const std::string& wanted = values.text("default_model");
  std::vector<std::string> names;
  for (const catalog::ModelSource& source : sources) names.push_back(source.name);
  if (std::ranges::find(names, wanted) != names.end()) return {};
  const auto near = text::nearest(wanted, names);
  return invalid_argument(fmt::format(
      "--default-model: there is no model '{}'{}", text::shortened(wanted),
      near ? fmt::format("; did you mean '{}'?", *near) : fmt::format(" among {}.", fmt::join(names, ", "))));
}

std::string describe(const content::ModelInfo& model) {
  if (model.task.empty())
    return fmt::format("{} inputs, {} outputs", model.inputs.size(), model.outputs.size());
  return fmt::format("{}, {} classes", model.task, model.class_names.size());
}

// Tells how a load went; what it counts is what /metrics shows.
void report(const catalog::ModelSource& source, const Result<catalog::Handle>& model, Duration took,
            const catalog::Catalog& catalog, metrics::Metrics& metrics) {
  if (!model && end_is_asked()) return;
  if (!source.note.empty()) log::info("{}: {}", source.name, source.note);
  if (source.config != nullptr && !source.config->not_done.empty()) {
    log::warning("{}: {}", source.name, not_done_text(*source.config));
  }
  metrics.load_done(source.name, model.has_value());
  if (model) {
    log::info("{} version {}: {}, ready in {:.0f} ms", source.name, source.version, describe(*(*model)->info),
              to_ms(took));
  } else if (catalog.pin(source.name, source.version)) {
    log::error("{} version {}: the reload failed, what was loaded before still serves: {}", source.name,
               source.version, model.error().message);
  } else {
    log::error("{} version {} is not served: {}", source.name, source.version, model.error().message);
  }
}

// The names of --load-model; empty: all.
std::set<std::string> names_at_start(const config::Values& values) {
  std::set<std::string> names;
  std::string_view rest = values.text("load_model");
  if (rest == "*" && values.flag("load_on_use")) return {std::string(kNoModel)};
  if (rest == "*") return names;
  while (true) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    names.emplace(text::trimmed(rest.substr(0, comma)));
    if (comma == rest.size()) return names;
    rest.remove_prefix(comma + 1);
  }
}

Result<void> check_names(const std::set<std::string>& names,
                         const std::vector<catalog::ModelSource>& sources) {
  for (const std::string& name : names) {
    if (name == kNoModel || std::ranges::find(sources, name, &catalog::ModelSource::name) != sources.end())
      continue;
    return invalid_argument(fmt::format(
        "--load-model names '{}', but no path that was given holds a model of that name. Give names with "
        "commas between them, * for all, or none.",
        text::shortened(name)));
  }
  return {};
}

// What a person at the terminal wants to see first.
void greet(const Listeners& listeners, const catalog::Catalog& catalog) {
  const std::string url = listeners.url();
  fmt::print("Serving on {}\n", url);
  if (const std::string grpc = listeners.grpc_address(); !grpc.empty()) fmt::print("gRPC on {}\n", grpc);
  if (const std::string metrics = listeners.metrics_url(); !metrics.empty()) {
    fmt::print("Metrics on {}/metrics\n", metrics);
  }
  std::string picture_route;
  std::string tensor_model;
  for (const content::ModelStatus& status : catalog.list()) {
    const auto model = catalog.pin(status.name, status.version);
    if (!model) {
      const bool waits = status.on_use && status.state != content::ModelState::kFailed;
      fmt::print("  {:<24} {}: {}\n", status.name,
                 waits || status.state == content::ModelState::kUnloaded ? "not loaded" : "failed",
                 waits ? "it loads on first use" : status.reason);
      continue;
    }
    fmt::print("  {:<24} {}\n", status.name, describe(*(*model)->info));
    if ((*model)->task != nullptr) {
      picture_route = picture_route.empty() ? fmt::format("/models/{}/predict", status.name) : picture_route;
    } else {
      tensor_model = tensor_model.empty() ? status.name : tensor_model;
    }
  }
  if (catalog.pin("", "", content::Kind::kPicture)) picture_route = "/predict";
  if (!picture_route.empty()) fmt::print("Try: curl -F file=@picture.jpg {}{}\n", url, picture_route);
  if (picture_route.empty() && !tensor_model.empty())
    fmt::print("Try: curl {}/v2/models/{}\n", url, tensor_model);
  std::fflush(stdout);
}

// What was asked to be served.
struct Wanted {
  std::vector<catalog::ModelPath> paths;
  catalog::Look look;
  catalog::Found found;
  std::set<std::string> names;  // loaded at the start; empty: all
  SettingsReader settings;
  std::optional<ApplicationFile> applications;
};

// In the order in which each needs those above it.
struct Parts {
  SteadyClock clock;
  metrics::Metrics metrics;
  BackgroundExecutor loader;
  catalog::Catalog catalog;
  catalog::Manager manager;
  ThreadPool executor;
  TimerThread timer;
  serving::InferenceService inference;
  serving::ControlService control;
  serving::SharedMemory shared_memory;
  // Told when models have come or gone. Outside of it nobody is.
  Guarded<std::function<void()>> on_change;

  Parts(const config::Values& values, const Wanted& wanted, const Engines& engines)
      : loader("loader", kMaxLoads),
        catalog(values.has("default_model") ? values.text("default_model") : ""),
        manager(manager_options(values, wanted, engines), clock, catalog, loader),
        executor({.name = "worker", .threads = cpu_budget(), .brief = true, .computes = true}),
        timer(clock),
        inference(catalog,
                  {.executor = executor,
                   .timer = timer,
                   .clock = clock,
                   .metrics = metrics,
                   .background = &loader,
                   .manager = &manager},
                  {.max_parked = static_cast<std::size_t>(values.integer("max_queue_size"))}),
        control(catalog, clock, values.text("model_control_mode") == "explicit" ? &manager : nullptr),
        shared_memory(values.flag("allow_client_shm")) {}

  void tell_change() {
    on_change.with([](const std::function<void()>& tell) {
      if (tell) tell();
    });
  }

 private:
  catalog::ManagerOptions manager_options(const config::Values& values, const Wanted& wanted,
                                          const Engines& engines) {
    const tasks::TaskOptions task{.max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels"))};
    const bool limited = values.integer("memory_budget_mb") > 0;  // then no model is loaded twice
    return {.scan = [paths = wanted.paths, look = wanted.look,
                     &engines] { return catalog::scan_models(paths, look, engines.of_files()); },
            .wanted = [names = wanted.names](
                          const std::string& name) { return names.empty() || names.contains(name); },
            .load = [&engines, task, limited,
                     settings = wanted.settings](const auto& source) -> Result<catalog::Handle> {
              if (end_is_asked()) {
                return Error{.code = Code::kUnavailable, .message = "The server is shutting down."};
              }
              BASCULE_ASSIGN(ReadSettings read, settings.read(source));
              if (limited && read.values.text("lone_threads") == "auto") read.settings.lone_threads = 1;
              return catalog::load_model(
                  source, engines.of(source),
                  {.task = task, .settings = std::move(read.settings), .read_sample = read_sample},
                  ThreadTimeClock());
            },
            .override_sources =
                [&wanted, &engines, strict = values.flag("strict_config")](
                    const std::string& name, const content::LoadOverride& with) {
                  return overridden_sources(
                      name, with, {.paths = wanted.paths, .look = wanted.look, .strict = strict}, engines);
                },
            .loaded = [this](const auto& source, const auto& model,
                             Duration took) { report(source, model, took, catalog, metrics); },
            .changed = [this] { tell_change(); },
            .freeing = [] { mallopt(M_TRIM_THRESHOLD, kKeptWhileFreeing); },
            .freed = [] { give_back_memory(); },
            .load_on_use = values.flag("load_on_use"),
            .memory_budget = static_cast<std::uint64_t>(values.integer("memory_budget_mb")) * 1'000'000,
            // Without what the allocator keeps for later: else a model would seem smaller after another.
            .resident =
                [] {
                  malloc_trim(0);
                  return metrics::private_bytes();
                },
            .evicted = [this](const std::string& name) { metrics.evicted(name); }};
  }
};

// Connections first, then the work they may have left; the server object outlives both, since answers go to
// it.
void stop(Listeners& listeners, ApplicationHost* applications, Inlets& inlets, Parts& parts, Duration grace) {
  if (applications != nullptr) applications->stop();
  listeners.stop(grace);
  inlets.videos.drain();  // their callers have gone, or have their answer
  parts.timer.stop();
  parts.executor.drain();
  parts.loader.drain();
  parts.manager.stop();
}

// Returns when the models wanted at the start are loaded, or failed.
void load_at_start(catalog::Manager& manager, const catalog::Found& found) {
  std::promise<void> promise;
  const std::future<void> loaded = promise.get_future();
  manager.start(
      found, [promise = std::move(promise)](const Result<void>& /*logged*/) mutable { promise.set_value(); });
  loaded.wait();
}

// Looks at the paths again where that was asked for.
std::unique_ptr<Watch> watch(const config::Values& values, const Wanted& wanted, catalog::Manager& manager) {
  WatchOptions options{.events = values.flag("watch")};
  if (values.text("model_control_mode") == "poll") {
    options.every = std::chrono::seconds(values.integer("repository_poll_secs"));
  }
  if (!options.events && options.every == Duration{}) return nullptr;
  for (const catalog::ModelPath& path : wanted.paths) options.paths.push_back(path.path);
  for (const catalog::ModelSource& source : wanted.found.sources) {
    std::ranges::move(wanted.settings.also_read(source), std::back_inserter(options.paths));
  }
  options.look = [&manager] {
    std::promise<bool> promise;
    std::future<bool> settled = promise.get_future();
    manager.rescan([promise = std::move(promise)](bool done) mutable { promise.set_value(done); });
    return settled.get();
  };
  return std::make_unique<Watch>(std::move(options));
}

// Who may ask for what.
Result<std::shared_ptr<access::Gate>> open_gate(const config::Values& values, const Clock& clock) {
  auto gate =
      std::make_shared<access::Gate>(clock, access::GateOptions{.origins = values.items("cors_origin")});
  if (values.has("api_keys")) {
    BASCULE_ASSIGN(const auto keys, read_keys(values.text("api_keys")));
    gate->set_keys(keys);
  }
  return Result<std::shared_ptr<access::Gate>>(std::move(gate));
}

// Null without --tls-cert.
Result<std::shared_ptr<http::Tls>> open_tls(const config::Values& values) {
  if (!values.has("tls_cert") || !values.has("tls_key")) {
    for (const std::string_view name : {"tls_cert", "tls_key", "tls_client_ca"}) {
      if (values.has(name)) {
        return invalid_argument("TLS takes both --tls-cert and --tls-key; --tls-client-ca goes with them.");
      }
    }
    return std::shared_ptr<http::Tls>();
  }
  return http::Tls::open(
      {.certificate = values.text("tls_cert"),
       .key = values.text("tls_key"),
       .client_authority = values.has("tls_client_ca") ? values.text("tls_client_ca") : ""});
}

Result<Guards> open_guards(const config::Values& values, const Clock& clock) {
  Guards guards;
  BASCULE_ASSIGN(guards.gate, open_gate(values, clock));
  BASCULE_ASSIGN(guards.tls, open_tls(values));
  return guards;
}

// Files that are read again when they change. One that is wrong then leaves what was read before in force.
std::vector<Refreshed> refreshed(const config::Values& values, const Guards& guards) {
  std::vector<Refreshed> all;
  if (values.has("api_keys")) {
    const std::string& file = values.text("api_keys");
    all.push_back({.files = {file}, .load = [file, gate = guards.gate] {
                     const auto keys = read_keys(file);
                     if (!keys) {
                       return log::error("The keys were not read again, those from before hold: {}",
                                         keys.error().message);
                     }
                     gate->set_keys(*keys);
                     log::info("{}: {} keys", file, keys->size());
                   }});
  }
  if (guards.tls != nullptr) {
    const http::TlsFiles& files = guards.tls->files();
    Refreshed tls{.files = {files.certificate, files.key}, .load = [tls = guards.tls] {
                    const auto done = tls->reload();
                    if (!done) {
                      return log::error("The certificate was not read again, the one from before holds: {}",
                                        done.error().message);
                    }
                    log::info("{}: a new certificate for new connections", tls->files().certificate);
                  }};
    if (!files.client_authority.empty()) tls.files.push_back(files.client_authority);
    all.push_back(std::move(tls));
  }
  return all;
}

// Null where the file has none.
Result<std::unique_ptr<ApplicationHost>> open_applications(const config::Values& values, const Wanted& wanted,
                                                           Parts& parts) {
  if (!wanted.applications) return std::unique_ptr<ApplicationHost>();
  return ApplicationHost::open(
      *wanted.applications,
      {.values = values, .inference = parts.inference, .control = parts.control, .clock = parts.clock});
}

int run(const config::Values& values, const Wanted& wanted, const Engines& engines) {
  Parts parts(values, wanted, engines);
  parts.metrics.set_build_info(kVersion);
  const auto traces = TraceExport::open(values, parts.metrics, parts.clock);
  if (!traces) return fail(traces.error(), kUsage);
  auto guards = open_guards(values, parts.clock);
  if (!guards) return fail(guards.error(), kUsage);
  if (*traces != nullptr) guards->tracer = &(*traces)->tracer();
  auto fetching = fetcher_options(values);
  if (!fetching) return fail(fetching.error(), kUsage);
  auto applications = open_applications(values, wanted, parts);
  if (!applications) return fail(applications.error(), kUsage);
  if (*applications != nullptr) guards->applications = &(*applications)->service();
  Inlets inlets(*std::move(fetching), static_cast<std::size_t>(values.integer("max_videos")), parts.clock);
  const Refresh refresh(refreshed(values, *guards), kRefreshEvery);
  auto listeners = Listeners::open(values,
                                   {.inference = parts.inference,
                                    .control = parts.control,
                                    .metrics = parts.metrics,
                                    .shared_memory = parts.shared_memory,
                                    .clock = parts.clock,
                                    .executor = parts.executor},
                                   *guards, sources_of(values, inlets, parts.metrics, parts.clock));
  if (!listeners) {
    return fail(listeners.error(), listeners.error().code == Code::kInvalidArgument ? kUsage : kFailed);
  }
  listeners->start();
  load_at_start(parts.manager, wanted.found);
  parts.loader.yield();  // a load takes a core for long; requests come first
  const bool none_wanted = wanted.names.contains(std::string(kNoModel)) || wanted.paths.empty();
  if (auto ready = parts.control.ready(); !ready && !none_wanted && !end_is_asked()) {
    stop(*listeners, applications->get(), inlets, parts, Duration{});
    return fail(ready.error(), kFailed);
  }
  auto watching = watch(values, wanted, parts.manager);
  const auto tell_ready = [&] { listeners->set_ready(parts.control.ready().has_value()); };
  parts.on_change.with([&](auto& tell) { tell = tell_ready; });
  parts.tell_change();
  if (*applications != nullptr) (*applications)->start();
  if (!end_is_asked()) greet(*listeners, parts.catalog);
  const int number = wait_for_end();
  watching.reset();
  parts.on_change.with([](auto& tell) { tell = nullptr; });
  log::info("{}: finishing the requests in flight", number == SIGINT ? "Interrupted" : "Asked to stop");
  stop(*listeners, applications->get(), inlets, parts, kGrace);
  if (*traces != nullptr) (*traces)->stop(kFlush);
  log::info("Stopped");
  return kOk;
}

SettingsReader settings_reader(const config::Parsed& parsed, const std::vector<config::ModelEntry>& entries) {
  std::vector<config::Values> said(parsed.positionals.size());
  for (const config::ModelEntry& entry : entries) said.push_back(entry.values);
  return {parsed.values, std::move(said), config_folder(parsed.values)};
}

Result<Wanted> wanted_of(const config::Parsed& parsed, const std::vector<config::ModelEntry>& entries,
                         const Engines& engines) {
  Wanted wanted{.settings = settings_reader(parsed, entries)};
  if (parsed.values.has("config")) {
    BASCULE_ASSIGN(wanted.applications, applications_of(parsed.values.text("config")));
  }
  BASCULE_ASSIGN(wanted.paths, wanted_models(parsed, entries, wanted.applications));
  BASCULE_ASSIGN(wanted.look.versions, catalog::parse_version_policy(parsed.values.text("version_policy")));
  wanted.look.versions_win = parsed.values.source("version_policy").origin != config::Origin::kDefault;
  wanted.look.read_config = config_reader(parsed.values.flag("strict_config"));
  wanted.look.read_ensemble = ensemble_reader();
  wanted.look.also_read = [settings = wanted.settings](const catalog::ModelSource& source) {
    return settings.also_read(source);
  };
  wanted.found = catalog::scan_models(wanted.paths, wanted.look, engines.of_files());
  if (!wanted.found.problems.empty()) return wanted.found.problems.front();
  wanted.names = names_at_start(parsed.values);
  BASCULE_TRY(check_names(wanted.names, wanted.found.sources));
  BASCULE_TRY(check_default(parsed.values, wanted.found.sources));
  return wanted;
}

}  // namespace

int serve(config::Parsed parsed) {
  // Before any thread is made, the engine's own too: one that does not block them would end the process.
  block_signals();
  keep_freed_memory();
  auto entries = complete_values(command("serve"), parsed.values);
  if (!entries) return fail(entries.error(), kUsage);
  const auto engines = std::make_shared<const Engines>(engine_options(parsed.values));
  auto wanted = wanted_of(parsed, *entries, *engines);
  if (!wanted) return fail(wanted.error(), kUsage);
  if (parsed.values.text("tune") == "quick") {
    tune_quickly(engines, wanted->found.sources, wanted->settings,
                 {.max_pixels = static_cast<std::uint64_t>(parsed.values.integer("max_pixels")),
                  .cores = cpu_budget()},
                 {.time = kQuickTune, .state_dir = engine_options(parsed.values).state_dir});
    // With the tune files that there are now: they are no change.
    wanted->found = catalog::scan_models(wanted->paths, wanted->look, engines->of_files());
  }
  return run(parsed.values, *wanted, *engines);
}

}  // namespace bascule::app
