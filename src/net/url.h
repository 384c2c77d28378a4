#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace bascule::net {

// A URL that may be asked at all: http or https, no name or password in it, a host of plain letters. It is
// taken apart once, by the library that will ask it, so that no two readers can disagree about its host.
// Thread-safety: external (one owner).
class Url {
 public:
  // Errors: kInvalidArgument with the part that is wrong, never with what a password may be.
  static Result<Url> parse(const std::string& text);

  [[nodiscard]] const std::string& host() const { return host_; }  // small letters, IPv6 without brackets
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // "pictures.example:8080", for messages; the port where it is not the scheme's own.
  [[nodiscard]] std::string shown() const;
  // For CURLOPT_CURLU; valid as long as this.
  [[nodiscard]] CURLU* handle() const { return handle_.get(); }

 private:
  struct Free {
    void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
  };
  std::unique_ptr<CURLU, Free> handle_;
  std::string host_;
  std::uint16_t port_ = 0;
  bool own_port_ = false;  // another than the scheme's
};

inline constexpr std::size_t kMaxUrl = 4096;

}  // namespace bascule::net
