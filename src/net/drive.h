#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"

namespace bascule::net {

struct FreeEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeMulti {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Multi = std::unique_ptr<CURLM, FreeMulti>;

// For curl's options: rounded up, at least 1.
[[nodiscard]] long milliseconds(Duration duration);

// Runs the one transfer of `multi` until curl is done, the time is over, or `stop` says that nobody wants it
// any more; nothing in the last two cases. Waits.
std::optional<CURLcode> drive(CURLM* multi, TimePoint end, const std::function<bool()>& stop,
                              const Clock& clock);

}  // namespace bascule::net
