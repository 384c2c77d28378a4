#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "applications/source.h"
#include "applications/sources/push_source.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/application_yaml.h"
#include "config/option.h"

namespace bascule::app {

// What a source is opened with.
// Thread-safety: a value; `values` and `clock` outlive it.
struct SourceParts {
  const config::Values& values;
  const Clock& clock;
  std::filesystem::path folder;                // that its paths are relative to
  std::filesystem::path state;                 // where it may keep what it must remember
  std::shared_ptr<applications::PushBox> box;  // of a source that is pushed to; else null
  std::uint64_t seed = 1;                      // of the waits between tries
};

using OpenSource = std::function<Result<std::unique_ptr<applications::Source>>(std::uint64_t after)>;

// How an application's source is opened behind a frame. What can be seen to be wrong is told now; what may
// pass is tried again by the source itself. Errors: kInvalidArgument with its place.
Result<OpenSource> source_of(const config::ApplicationYaml& application, SourceParts parts);

// What is said of its rate: the most frames in a second that are looked at; 0: no limit.
[[nodiscard]] double max_fps_of(const config::ApplicationYaml::Channel& source);

}  // namespace bascule::app
