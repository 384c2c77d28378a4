#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "tracing/traced_request.h"

namespace bascule::tracing {

// Whose spans these are.
// Thread-safety: a value.
struct Resource {
  std::string service;  // "bascule"
  std::string version;
  std::string host;
};

// The spans of these requests as an OTLP ExportTraceServiceRequest in JSON (OTLP 1.5: protobuf's JSON mapping
// with ids in hexadecimal). Each request becomes a server span and one for each stage of its answer that
// there was, of an ensemble one for each step with its stages below. Names and attributes: OpenTelemetry's
// semantic conventions for HTTP and RPC (1.40), and ours, which begin with "bascule."; docs/tracing.md has
// them all. `offset`: from the requests' clock to Unix time.
[[nodiscard]] std::string write_spans(std::span<const TracedRequest> requests, const Resource& resource,
                                      Duration offset);

}  // namespace bascule::tracing
