#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "net/allow_list.h"

namespace bascule::net {

struct FetcherOptions {
  AllowList allowed;           // hosts that may be asked, those of redirects too
  bool allow_private = false;  // addresses that are none of the public internet may be connected to
  std::uint64_t max_bytes = 64ULL << 20U;
  std::size_t max_redirects = 3;
  Duration time_limit = std::chrono::seconds(10);  // from the asking to the last byte, redirects included
  Duration connect_limit = std::chrono::seconds(5);
  std::size_t threads = 4;     // fetches at once
  std::size_t max_queue = 64;  // that wait; more are refused
};

struct FetchRequest {
  std::string url;
  std::optional<TimePoint> deadline;                        // beside the time limit
  std::shared_ptr<const std::atomic<bool>> cancelled = {};  // may be null
  // A person gave this very URL: its host may be asked whatever the list says, and may have any address.
  bool typed = false;
};

enum class FetchOutcome {
  kFetched,
  kRefused,  // by a rule: the list, an address, the form of the URL
  kFailed    // by the host, the network, or a limit
};

// Fetches what URLs name, by GET, with nothing sent along: no name, cookie or proxy comes out of the
// environment. Every address is looked at when it is connected to, so that a name that resolves to one thing
// first and another later gains nothing. What comes is taken as it is, never unpacked.
// Thread-safety: thread-safe.
class Fetcher {
 public:
  // Called once, on one of the fetcher's threads, or on the caller's where it is refused at once.
  // Errors: kInvalidArgument for what is refused, and where the host does not give a whole answer of status
  // 200 in time; kPayloadTooLarge beyond `max_bytes`; kResourceExhausted where too many wait;
  // kDeadlineExceeded and kCancelled for the request's own. The sentence names the host, and says nothing of
  // what lies at an address that was refused.
  using Done = std::move_only_function<void(Result<std::vector<std::byte>> body, FetchOutcome outcome)>;

  // `clock` outlives the fetcher.
  Fetcher(FetcherOptions options, const Clock& clock);
  // Cuts off what is under way.
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  void fetch(FetchRequest request, Done done);

 private:
  const FetcherOptions options_;
  const Clock& clock_;
  std::atomic<bool> stopping_ = false;
  ThreadPool pool_;
};

}  // namespace bascule::net
