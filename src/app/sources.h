#pragma once

#include "base/result.h"
#include "config/option.h"
#include "http/sources.h"
#include "metrics/metrics.h"
#include "net/fetcher.h"

namespace bascule::app {

// Which URLs the server fetches, and how much of them. Errors: kInvalidArgument for an entry of --allow-url
// that names no host.
Result<net::FetcherOptions> fetcher_options(const config::Values& values);

// What HTTP requests may name instead of holding it; both outlive it.
[[nodiscard]] http::Sources sources_of(net::Fetcher& fetcher, metrics::Metrics& metrics);

}  // namespace bascule::app
