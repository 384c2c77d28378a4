#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/fetcher.h"
#include "net/url.h"

namespace bascule::net {

// The guard in curl's way: opens a socket for an address, or does not.
// Thread-safety: external (one transfer).
struct AddressGuard {
  bool allow_private = false;
  bool refused = false;  // it was asked for an address that it did not open
};
// CURLOPT_OPENSOCKETFUNCTION; `guard` is an AddressGuard.
curl_socket_t open_guarded(void* guard, curlsocktype purpose, curl_sockaddr* address);

// What one request got, redirects not followed.
// Thread-safety: a value.
struct Answer {
  std::vector<std::byte> body;
  std::string redirect;  // where to; empty: it is no redirect
};

// Why there is none.
struct Failure {
  Error error;
  FetchOutcome outcome = FetchOutcome::kFailed;
};

// What a transfer may take.
// Thread-safety: a value.
struct TransferLimits {
  std::uint64_t max_bytes = 0;
  TimePoint end;  // of the whole fetch
  Duration time_limit{};
  Duration connect_limit{};
  bool allow_private = false;
  std::function<bool()> stop;  // asked now and then: whether nobody wants it any more
};

// Asks `url` once. Waits.
std::expected<Answer, Failure> transfer(const Url& url, const TransferLimits& limits, const Clock& clock);

}  // namespace bascule::net
