#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/application_config.h"
#include "app/refresh.h"
#include "applications/service.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/option.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"

namespace bascule::app {

// What applications run on; all outlive them.
// Thread-safety: immutable.
struct HostParts {
  const config::Values& values;
  serving::InferenceService& inference;
  serving::ControlService& control;
  const Clock& clock;
};

// The applications of a file with all that they are made of: each has an outbox in a folder of its own, a
// judge, sinks and a source.
// Thread-safety: external (one thread), but for the service, which is thread-safe.
class ApplicationHost {
 public:
  // Makes their folders below `--state-dir`, else beside the file as NAME.state. Errors: of Outbox::open,
  // Judge::make, of sinks; kInvalidArgument with its place for a source that cannot be.
  static Result<std::unique_ptr<ApplicationHost>> open(const ApplicationFile& file, const HostParts& parts);
  ApplicationHost();  // without any
  ~ApplicationHost();
  ApplicationHost(const ApplicationHost&) = delete;
  ApplicationHost& operator=(const ApplicationHost&) = delete;

  [[nodiscard]] applications::ApplicationService& service() { return *service_; }
  void start() { service_->start_all(); }
  // Sources first, then sinks; what was not delivered waits for the next start.
  void stop();

 private:
  struct Hosted;
  struct Counted;
  static std::vector<Counted> counted_of(const config::ApplicationYaml& yaml,
                                         const applications::Scene& scene);
  static Result<std::shared_ptr<Hosted>> make(const ApplicationFile& file,
                                              const config::ApplicationYaml& application,
                                              const HostParts& parts);
  static Result<applications::Application> assemble(const std::shared_ptr<Hosted>& one,
                                                    const HostParts& parts, std::uint64_t seed);

  std::vector<std::shared_ptr<Hosted>> hosted_;
  std::unique_ptr<Refresh> refresh_;                           // of price lists
  std::unique_ptr<applications::ApplicationService> service_;  // goes first: its runners use the others
};

// The name that an application's model is served under: one of the file's `models`, or the model file's own.
[[nodiscard]] std::string served_name(const ApplicationFile& file,
                                      const config::ApplicationYaml& application);

}  // namespace bascule::app
