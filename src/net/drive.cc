#include "net/drive.h"

#include <algorithm>
#include <chrono>

namespace bascule::net {
namespace {

constexpr int kLookEveryMs = 50;  // whether it is still wanted

}  // namespace

long milliseconds(Duration duration) {
  return static_cast<long>(std::max<Duration>(std::chrono::ceil<std::chrono::milliseconds>(duration),
                                              std::chrono::milliseconds(1)) /
                           std::chrono::milliseconds(1));
}

std::optional<CURLcode> drive(CURLM* multi, TimePoint end, const std::function<bool()>& stop,
                              const Clock& clock) {
  while (true) {
    int running = 0;
    if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    int left = 0;
    if (const CURLMsg* const message = curl_multi_info_read(multi, &left)) return message->data.result;
    const TimePoint now = clock.now();
    if (stop() || now >= end) return std::nullopt;
    const auto wait = std::min<long>(kLookEveryMs, milliseconds(end - now));
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait), nullptr);
  }
}

}  // namespace bascule::net
