#include "net/url.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::net {
namespace {

// A part of the URL; nothing where it has none.
std::optional<std::string> part(CURLU* handle, CURLUPart what, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, what, &text, flags) != CURLUE_OK) return std::nullopt;
  const std::unique_ptr<char, void (*)(void*)> owner(text, curl_free);
  return std::string(text);
}

bool is_host_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_ipv6_letter(char c) {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

}  // namespace

Result<Url> Url::parse(const std::string& text) {
  if (text.size() > kMaxUrl) {
    return invalid_argument(fmt::format("The URL has {} characters; the limit is {}.", text.size(), kMaxUrl));
  }
  if (text.find('\0') != std::string::npos) return invalid_argument("The URL has a zero byte in it.");
  Url url;
  url.handle_.reset(curl_url());
  if (url.handle_ == nullptr) return internal_error("There is no memory for a URL.");
  CURLU* const handle = url.handle_.get();
  if (const CURLUcode code = curl_url_set(handle, CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME);
      code != CURLUE_OK) {
    return invalid_argument(
        fmt::format("This is no URL that can be asked: {}. Write it as "
                    "https://HOST/PATH.",
                    curl_url_strerror(code)));
  }
  const std::string scheme = part(handle, CURLUPART_SCHEME).value_or("");
  if (scheme != "http" && scheme != "https") {
    return invalid_argument(fmt::format("URLs of '{}' are not asked; give one of http or https.",
                                        text::escape_controls(text::shortened(scheme, 20))));
  }
  if (part(handle, CURLUPART_USER) || part(handle, CURLUPART_PASSWORD)) {
    return invalid_argument("The URL holds a name or password; URLs with them are not asked.");
  }
  std::string host = text::to_lower(part(handle, CURLUPART_HOST).value_or(""));
  const bool ipv6 = host.starts_with('[') && host.ends_with(']');
  if (ipv6) host = host.substr(1, host.size() - 2);
  if (host.size() > 1 && host.ends_with('.')) host.pop_back();  // the same host
  if (host.empty() || host == "." || part(handle, CURLUPART_ZONEID) ||
      !std::ranges::all_of(host, ipv6 ? is_ipv6_letter : is_host_letter)) {
    return invalid_argument(
        fmt::format("The URL's host '{}' is not asked; write it in plain letters (xn--… for others), or as "
                    "an address.",
                    text::escape_controls(text::shortened(host))));
  }
  const auto port = text::parse_int(part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or(""));
  if (!port || *port < 1 || *port > 65535) return invalid_argument("The URL's port is none from 1 to 65535.");
  url.host_ = std::move(host);
  url.port_ = static_cast<std::uint16_t>(*port);
  url.own_port_ = url.port_ != (scheme == "https" ? 443 : 80);
  return Result<Url>(std::move(url));
}

std::string Url::shown() const {
  const std::string host = host_.find(':') != std::string::npos ? "[" + host_ + "]" : host_;
  return own_port_ ? fmt::format("{}:{}", host, port_) : host;
}

}  // namespace bascule::net
