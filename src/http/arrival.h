#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "http/connection_count.h"

namespace bascule::http {

// A socket on its way to its loop, and its place in the count.
// Thread-safety: external (one owner).
class Arrival {
 public:
  Arrival(int native, ConnectionCount& open) : native_(native), open_(&open) {}
  Arrival(Arrival&& other) noexcept : native_(std::exchange(other.native_, -1)), open_(other.open_) {}
  Arrival& operator=(Arrival&&) = delete;
  ~Arrival() {
    if (native_ < 0) return;
    ::close(native_);
    open_->remove();
  }
  [[nodiscard]] int native() const { return native_; }
  [[nodiscard]] bool is_ipv6() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(native_, reinterpret_cast<sockaddr*>(&address), &size);
    return address.ss_family == AF_INET6;
  }
  int release() { return std::exchange(native_, -1); }

 private:
  int native_;
  ConnectionCount* open_;
};

}  // namespace bascule::http
