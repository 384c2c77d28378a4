#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "content/infer.h"
#include "tracing/trace_context.h"

namespace bascule::tracing {

enum class Front : std::uint8_t { kHttp, kGrpc };

// One request that is recorded, as its front end saw it, and the stages of its answer: what spans are made
// of. It is kept small and as it comes, so that who answers requests has little to do; spans are made by who
// sends them. Thread-safety: a value.
struct TracedRequest {
  TraceContext context;
  TimePoint started;
  TimePoint ended;
  Front front = Front::kHttp;
  std::string_view method;  // "POST"; of gRPC the full name of the method; outlives all requests
  std::string_view route;   // of HTTP, as in the route table; outlives all requests
  std::string path;         // of HTTP, as it came, without the query
  bool encrypted = false;
  int status = 0;     // of HTTP, or of gRPC
  std::string model;  // that was asked for; empty: none was named
  // Of an answer; null where there is none. Else all below is empty.
  std::shared_ptr<const content::ModelInfo> answered_by;
  std::string id;
  content::Stages stages;
  std::vector<content::StepTimes> steps;
};

// How many spans it becomes.
[[nodiscard]] std::size_t span_count(const TracedRequest& request);

}  // namespace bascule::tracing
