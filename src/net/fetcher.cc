#include "net/fetcher.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "net/transfer.h"
#include "net/url.h"

namespace bascule::net {
namespace {

using Answered = std::expected<std::vector<std::byte>, Failure>;

Error not_allowed(const FetcherOptions& options, const Url& url, std::size_t redirects) {
  if (options.allowed.empty()) {
    return invalid_argument(
        fmt::format("URLs are not fetched here: '{}' is asked only by a server started with --allow-url {}. "
                    "Send the picture itself as 'file'.",
                    url.shown(), url.shown()));
  }
  return invalid_argument(
      fmt::format("{} '{}', which --allow-url does not name. Send the picture itself, or name one of the "
                  "hosts that may be asked.",
                  redirects == 0 ? "The URL is of" : "The URL leads on to", url.shown()));
}

Failure refused(Error error) { return {.error = std::move(error), .outcome = FetchOutcome::kRefused}; }

// One fetch on its thread.
// Thread-safety: external (one thread).
class Fetch {
 public:
  Fetch(const FetcherOptions& options, const Clock& clock, FetchRequest request, TimePoint asked)
      : options_(options), clock_(clock), request_(std::move(request)), end_(asked + options.time_limit) {
    if (request_.deadline) end_ = std::min(end_, *request_.deadline);
  }

  Answered run(const std::atomic<bool>& stopping) {
    std::string text = request_.url;
    for (std::size_t redirects = 0;; ++redirects) {
      Result<Url> url = Url::parse(text);
      if (!url) return std::unexpected(refused(std::move(url).error()));
      const bool typed = request_.typed && (redirects == 0 || url->host() == typed_host_);
      if (redirects == 0) typed_host_ = url->host();
      if (!typed && !options_.allowed.allows(url->host(), url->port())) {
        return std::unexpected(refused(not_allowed(options_, *url, redirects)));
      }
      if (redirects > options_.max_redirects) {
        return std::unexpected(Failure{.error = invalid_argument(fmt::format(
                                           "The URL leads on more than {} times, the limit; name the one "
                                           "that it ends at.",
                                           options_.max_redirects))});
      }
      if (auto ended = ended_by_caller(stopping)) return std::unexpected(*std::move(ended));
      auto answer = transfer(*url,
                             {.max_bytes = options_.max_bytes,
                              .end = end_,
                              .time_limit = options_.time_limit,
                              .connect_limit = options_.connect_limit,
                              .allow_private = options_.allow_private || typed,
                              .stop = [&] { return stopping || is_cancelled(); }},
                             clock_);
      if (auto ended = ended_by_caller(stopping)) return std::unexpected(*std::move(ended));
      if (!answer) return std::unexpected(std::move(answer).error());
      if (answer->redirect.empty()) return std::move(answer->body);
      text = std::move(answer->redirect);
    }
  }

 private:
  [[nodiscard]] bool is_cancelled() const { return request_.cancelled != nullptr && *request_.cancelled; }

  [[nodiscard]] std::optional<Failure> ended_by_caller(const std::atomic<bool>& stopping) const {
    if (stopping)
      return Failure{.error = {.code = Code::kUnavailable, .message = "The server is shutting down."}};
    if (is_cancelled()) {
      return Failure{.error = {.code = Code::kCancelled,
                               .message = "The caller went away before what the URL names had come."}};
    }
    if (request_.deadline && clock_.now() >= *request_.deadline) {
      return Failure{.error = {.code = Code::kDeadlineExceeded,
                               .message = "The request's time was over before what the URL names had come."}};
    }
    return std::nullopt;
  }

  const FetcherOptions& options_;
  const Clock& clock_;
  const FetchRequest request_;
  TimePoint end_;
  std::string typed_host_;
};

}  // namespace

Fetcher::Fetcher(FetcherOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      pool_({.name = "fetch", .threads = options_.threads, .max_queue = options_.max_queue}) {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counted; by this version on safe to call at any time
}

Fetcher::~Fetcher() {
  stopping_ = true;
  pool_.drain();
  curl_global_cleanup();
}

void Fetcher::fetch(FetchRequest request, Done done) {
  if (!request.typed) {  // known without waiting
    const Result<Url> url = Url::parse(request.url);
    if (!url) return done(url.error(), FetchOutcome::kRefused);
    if (!options_.allowed.allows(url->host(), url->port())) {
      return done(not_allowed(options_, *url, 0), FetchOutcome::kRefused);
    }
  }
  // Both the work and the refusal of it may be what answers.
  auto answer = std::make_shared<Done>(std::move(done));
  const TimePoint asked = clock_.now();
  const auto posted = pool_.post([this, request = std::move(request), asked, answer]() mutable {
    Answered got = Fetch(options_, clock_, std::move(request), asked).run(stopping_);
    if (got) {
      (*answer)(*std::move(got), FetchOutcome::kFetched);
    } else {
      (*answer)(std::move(got.error().error), got.error().outcome);
    }
  });
  if (!posted) {
    Error error = posted.error();
    if (error.code == Code::kResourceExhausted) {
      error.message =
          fmt::format("{} URLs wait to be fetched, the limit. Try again later.", options_.max_queue);
    }
    (*answer)(std::move(error), FetchOutcome::kFailed);
  }
}

}  // namespace bascule::net
