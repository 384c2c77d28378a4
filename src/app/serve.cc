#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands.h"
#include "app/metrics_listener.h"
#include "backend/onnxruntime/onnxruntime_backend.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/timer.h"
#include "catalog/catalog.h"
#include "catalog/loader.h"
#include "catalog/source.h"
#include "http/server.h"
#include "metrics/metrics.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"

namespace bascule::app {
namespace {

constexpr Duration kGrace = std::chrono::seconds(30);

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

// What was asked for: paths on the command line, then the file's, which are relative to its folder.
Result<std::vector<catalog::ModelPath>> wanted_models(const config::Parsed& parsed,
                                                      const std::vector<config::ModelEntry>& entries) {
  std::vector<catalog::ModelPath> paths;
  for (const std::string& path : parsed.positionals) paths.push_back({.path = path});
  for (const config::ModelEntry& entry : entries) {
    const auto folder = std::filesystem::path(parsed.values.text("config")).parent_path();
    paths.push_back({.path = folder / entry.path, .name = entry.name});
  }
  if (paths.empty()) {
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

void load_all(const std::vector<catalog::ModelSource>& sources, const backend::Backend& backend,
              const catalog::LoaderOptions& options, const Clock& clock, catalog::Catalog& catalog,
              metrics::Metrics& metrics) {
  for (const catalog::ModelSource& source : sources) {
    if (end_is_asked()) return;
    const TimePoint start = clock.now();
    auto model = catalog::load_model(source, backend, options, clock);
    metrics.load_done(source.name, model.has_value());
    if (!source.note.empty()) log::info("{}: {}", source.name, source.note);
    if (model) {
      log::info("{} version {}: {}, ready in {:.0f} ms", source.name, source.version,
                describe(*(*model)->info), to_ms(clock.now() - start));
      catalog.set_ready(*std::move(model));
    } else {
      log::error("{} version {} is not served: {}", source.name, source.version, model.error().message);
      catalog.set_failed(source.name, source.version, model.error().message);
    }
  }
}

// What a person at the terminal wants to see first.
void greet(const std::string& url, const std::string& metrics_url, const catalog::Catalog& catalog) {
  fmt::print("Serving on {}\n", url);
  if (!metrics_url.empty()) fmt::print("Metrics on {}/metrics\n", metrics_url);
  std::string picture_route;
  std::string tensor_model;
  for (const content::ModelStatus& status : catalog.list()) {
    const auto model = catalog.pin(status.name, status.version);
    if (!model) {
      fmt::print("  {:<24} failed: {}\n", status.name, status.reason);
      continue;
    }
    fmt::print("  {:<24} {}\n", status.name, describe(*(*model)->info));
    if ((*model)->task != nullptr) {
      picture_route = picture_route.empty() ? fmt::format("/models/{}/predict", status.name) : picture_route;
    } else {
      tensor_model = tensor_model.empty() ? status.name : tensor_model;
    }
  }
  if (catalog.pin("", "", true)) picture_route = "/predict";
  if (!picture_route.empty()) fmt::print("Try: curl -F file=@picture.jpg {}{}\n", url, picture_route);
  if (picture_route.empty()) fmt::print("Try: curl {}/v2/models/{}\n", url, tensor_model);
  std::fflush(stdout);
}

serving::InferenceOptions inference_options(const config::Values& values) {
  return {.limits = {.max_queue_size = static_cast<std::size_t>(values.integer("max_queue_size")),
                     .queue_budget = std::chrono::milliseconds(values.integer("queue_budget_ms"))},
          .max_queue_delay = std::chrono::microseconds(values.integer("max_queue_delay_microseconds"))};
}

struct Parts {
  SteadyClock clock;
  metrics::Metrics metrics;
  catalog::Catalog catalog;
  ThreadPool executor;
  TimerThread timer;
  serving::InferenceService inference;
  serving::ControlService control;

  Parts(const config::Values& values, std::size_t workers)
      : catalog(values.has("default_model") ? values.text("default_model") : ""),
        executor({.name = "worker", .threads = workers}),
        timer(clock),
        inference(catalog, {.executor = executor, .timer = timer, .clock = clock, .metrics = metrics},
                  inference_options(values)),
        control(catalog, clock) {}
};

// Connections first, then the work they may have left; the server object outlives both, since answers go to
// it.
void stop(http::Server& server, Parts& parts, Duration grace) {
  server.stop(grace);
  parts.timer.stop();
  parts.executor.drain();
}

http::ServerOptions http_options(const config::Values& values) {
  return {.host = values.text("host"),
          .port = static_cast<std::uint16_t>(values.integer("http_port")),
          .io_threads = std::max<std::size_t>(cpu_budget() / 4, 1),
          .max_json_bytes = static_cast<std::uint64_t>(values.integer("max_json_bytes")),
          .max_binary_bytes = static_cast<std::uint64_t>(values.integer("max_binary_bytes")),
          .max_connections = static_cast<std::size_t>(values.integer("max_connections")),
          .idle_timeout = std::chrono::milliseconds(values.integer("idle_timeout_ms")),
          .read_timeout = std::chrono::milliseconds(values.integer("read_timeout_ms")),
          .access_log = values.has("access_log") ? values.text("access_log") : "",
          .server_version = std::string(kVersion)};
}

std::string url_of(const http::ServerOptions& options, std::uint16_t port) {
  const bool ipv6 = options.host.find(':') != std::string::npos && !options.host.starts_with('[');
  return fmt::format("http://{}{}{}:{}", ipv6 ? "[" : "", options.host, ipv6 ? "]" : "", port);
}

int run(const config::Values& values, const std::vector<catalog::ModelSource>& sources,
        const backend::Backend& backend) {
  const auto threads = static_cast<std::size_t>(values.integer("threads"));
  Parts parts(values, std::max<std::size_t>(cpu_budget() / threads, 1));
  parts.metrics.set_build_info(kVersion);
  for (const catalog::ModelSource& source : sources) parts.catalog.set_loading(source.name, source.version);

  const http::ServerOptions options = http_options(values);
  const http::Services services{
      .inference = parts.inference, .control = parts.control, .metrics = parts.metrics, .clock = parts.clock};
  auto server = http::Server::listen(options, services);
  if (!server) return fail(server.error(), kFailed);
  auto metrics_server = listen_for_metrics(values, options, services);
  if (!metrics_server) {
    return fail(metrics_server.error(),
                metrics_server.error().code == Code::kInvalidArgument ? kUsage : kFailed);
  }
  (*server)->start();
  if (*metrics_server) (*metrics_server)->start();
  load_all(sources, backend,
           {.load = {.threads = static_cast<int>(threads)},
            .task = {.max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels"))},
            .max_batch_size = static_cast<std::size_t>(values.integer("max_batch_size"))},
           parts.clock, parts.catalog, parts.metrics);
  if (auto ready = parts.control.ready(); !ready && !end_is_asked()) {
    stop(**server, parts, Duration{});
    return fail(ready.error(), kFailed);
  }
  if (!end_is_asked()) {
    greet(url_of(options, (*server)->port()),
          *metrics_server ? url_of(options, (*metrics_server)->port()) : "", parts.catalog);
  }
  const int number = wait_for_end();
  log::info("{}: finishing the requests in flight", number == SIGINT ? "Interrupted" : "Asked to stop");
  stop(**server, parts, kGrace);
  log::info("Stopped");
  return kOk;
}

}  // namespace

int serve(config::Parsed parsed) {
  // Before any thread is made, the engine's own too: one that does not block them would end the process.
  block_signals();
  auto entries = complete_values(command("serve"), parsed.values);
  if (!entries) return fail(entries.error(), kUsage);
  const auto backend = backend::make_onnxruntime_backend();
  const auto paths = wanted_models(parsed, *entries);
  if (!paths) return fail(paths.error(), kUsage);
  const auto sources = catalog::find_models(*paths, *backend);
  if (!sources) return fail(sources.error(), kUsage);
  if (auto checked = check_default(parsed.values, *sources); !checked) return fail(checked.error(), kUsage);
  return run(parsed.values, *sources, *backend);
}

}  // namespace bascule::app
