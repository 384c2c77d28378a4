#include "app/sources.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace bascule::app {
namespace {

std::string_view outcome_name(net::FetchOutcome outcome) {
  switch (outcome) {
    case net::FetchOutcome::kFetched: return "fetched";
    case net::FetchOutcome::kRefused: return "refused";
    case net::FetchOutcome::kFailed: break;
  }
  return "failed";
}

}  // namespace

Result<net::FetcherOptions> fetcher_options(const config::Values& values) {
  net::FetcherOptions options;
  auto allowed = net::AllowList::parse(values.items("allow_url"));
  if (!allowed) {
    return invalid_argument(fmt::format("{}: {}", values.source("allow_url").place, allowed.error().message));
  }
  options.allowed = *std::move(allowed);
  options.allow_private = values.flag("allow_private_urls");
  options.max_bytes = static_cast<std::uint64_t>(values.integer("max_binary_bytes"));
  options.time_limit = std::chrono::milliseconds(values.integer("url_timeout_ms"));
  options.connect_limit = std::min(options.connect_limit, options.time_limit);
  if (options.allowed.empty()) options.threads = 1;  // it only refuses
  return options;
}

http::Sources sources_of(net::Fetcher& fetcher, metrics::Metrics& metrics) {
  http::Sources sources;
  sources.fetch = [&](http::UrlCall call, http::Sources::Fetched fetched) {
    fetcher.fetch(
        {.url = std::move(call.url), .deadline = call.deadline, .cancelled = std::move(call.cancelled)},
        [&metrics, fetched = std::move(fetched)](Result<std::vector<std::byte>> body,
                                                 net::FetchOutcome outcome) mutable {
          metrics.url_fetched(outcome_name(outcome));
          fetched(std::move(body));
        });
  };
  return sources;
}

}  // namespace bascule::app
