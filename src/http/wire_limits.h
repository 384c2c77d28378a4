#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "http/route.h"

namespace bascule::http {

// What one connection may ask of the server's memory and patience, whatever the route.
inline constexpr std::size_t kMaxLine = 8ULL << 10U;    // the target, or one header field
inline constexpr std::size_t kMaxHead = 64ULL << 10U;   // all of them
inline constexpr std::size_t kReadSize = 16ULL << 10U;  // asked of the socket at once
inline constexpr std::size_t kSkippable =
    1ULL << 20U;  // an unwanted body this small is dropped as it comes, to keep the connection
inline constexpr std::size_t kKeptBody = 1ULL << 20U;  // body memory a connection keeps for its next request
inline constexpr std::size_t kJoinedBody = 16ULL << 10U;  // a reply this small is sent as one piece
inline constexpr std::size_t kDrainBytes = 64ULL
                                           << 20U;  // read and dropped after a refusal, so that it is seen
inline constexpr Duration kDrainTime = std::chrono::seconds(2);

// A refusal that HTTP itself asks for, before any route is known.
[[nodiscard]] inline Refusal refusal(unsigned status, Code code, std::string message,
                                     Reason reason = Reason::kNone) {
  return {.status = status, .error = {.code = code, .message = std::move(message), .reason = reason}};
}

// Of a request that ended, or of which nothing came for as long as `limit`.
[[nodiscard]] Refusal not_read(bool timed_out, Duration limit, std::string_view before);

}  // namespace bascule::http
