#pragma once

#include <cstddef>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "config/option.h"
#include "http/sources.h"
#include "metrics/metrics.h"
#include "net/fetcher.h"

namespace bascule::app {

// Which URLs the server fetches, and how much of them. Errors: kInvalidArgument for an entry of --allow-url
// that names no host.
Result<net::FetcherOptions> fetcher_options(const config::Values& values);

// What reads and fetches for requests, on threads of its own; ends before what answers them does.
// Thread-safety: thread-safe.
struct Inlets {
  net::Fetcher fetcher;
  ThreadPool videos;

  Inlets(net::FetcherOptions options, std::size_t max_videos, const Clock& clock);
};

// What HTTP requests may name, or hold in a form that is read elsewhere; all outlive it.
[[nodiscard]] http::Sources sources_of(const config::Values& values, Inlets& inlets,
                                       metrics::Metrics& metrics, const Clock& clock);

}  // namespace bascule::app
