#include "app/sources.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "app/videos.h"
#include "base/cpu.h"

namespace bascule::app {
namespace {

constexpr std::size_t kWaitingVideos = 8;  // for each that is read
constexpr std::size_t kMostAhead = 8;      // frames in memory for each video

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

Inlets::Inlets(net::FetcherOptions options, std::size_t max_videos, const Clock& clock)
    : fetcher(std::move(options), clock),
      videos({.name = "video", .threads = max_videos, .max_queue = kWaitingVideos * max_videos}) {}

http::Sources sources_of(const config::Values& values, Inlets& inlets, metrics::Metrics& metrics,
                         const Clock& clock) {
  http::Sources sources;
  sources.fetch = [&fetcher = inlets.fetcher, &metrics](http::UrlCall call, http::Sources::Fetched fetched) {
    fetcher.fetch(
        {.url = std::move(call.url), .deadline = call.deadline, .cancelled = std::move(call.cancelled)},
        [&metrics, fetched = std::move(fetched)](Result<std::vector<std::byte>> body,
                                                 net::FetchOutcome outcome) mutable {
          metrics.url_fetched(outcome_name(outcome));
          fetched(std::move(body));
        });
  };
  sources.open_video = [&values, &clock](http::VideoCall call) -> Result<serving::NextFrame> {
    BASCULE_ASSIGN(video::ReaderOptions options, reader_options(values));
    options.stride = static_cast<std::uint64_t>(call.stride);
    options.max_frames = static_cast<std::uint64_t>(values.integer("max_video_frames"));
    options.time_limit = std::chrono::seconds(values.integer("max_video_seconds"));
    BASCULE_ASSIGN(video::Descriptor file, video::sealed_copy(call.bytes));
    return open_frames(std::move(file), std::move(options),
                       {.deadline = call.deadline,
                        .gone = [gone = std::move(call.cancelled)] { return gone != nullptr && *gone; }},
                       clock);
  };
  sources.videos = &inlets.videos;
  sources.frames_ahead = std::clamp<std::size_t>(cpu_budget() + 1, 2, kMostAhead);
  return sources;
}

}  // namespace bascule::app
