#include "net/transfer.h"

#include <sys/socket.h>

#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "net/address.h"
#include "net/drive.h"

namespace bascule::net {
namespace {

constexpr std::size_t kMaxHeader = 64ULL << 10U;

// What curl's callbacks write to.
// Thread-safety: external (one thread).
struct Incoming {
  std::uint64_t max_bytes;
  std::vector<std::byte> body;
  std::size_t header = 0;
  bool too_large = false;
  bool long_header = false;
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* to) {
  auto& in = *static_cast<Incoming*>(to);
  const std::size_t bytes = size * count;
  if (bytes > in.max_bytes - in.body.size()) {
    in.too_large = true;
    return 0;  // ends the transfer
  }
  const auto* const from = reinterpret_cast<const std::byte*>(data);
  in.body.insert(in.body.end(), from, from + bytes);
  return bytes;
}

std::size_t take_header(char* /*data*/, std::size_t size, std::size_t count, void* to) {
  auto& in = *static_cast<Incoming*>(to);
  in.header += size * count;
  in.long_header = in.header > kMaxHeader;
  return in.long_header ? 0 : size * count;
}

bool configure(CURL* easy, const Url& url, const TransferLimits& limits, AddressGuard& guard, Incoming& in) {
  bool ok = true;
  const auto set = [&](CURLoption option, auto value) {
    ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  set(CURLOPT_CURLU, url.handle());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);  // each hop is looked at, by the caller
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_PROXY, "");  // none, whatever the environment says
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  set(CURLOPT_USERAGENT, "bascule");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, open_guarded);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&guard));
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&in));
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&in));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.max_bytes));
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limits.connect_limit));
  return ok;
}

Failure failed(std::string message) { return {.error = invalid_argument(std::move(message))}; }

Failure too_large(const Url& url, std::uint64_t limit) {
  return {
      .error = {.code = Code::kPayloadTooLarge,
                .message = fmt::format("What '{}' sends has more than {} bytes, the limit. Name a smaller "
                                       "file.",
                                       url.shown(), limit),
                .reason = Reason::kBodyTooLarge,
                .fields = {.limit = std::to_string(limit)}}};
}

Failure too_slow(const Url& url, const TransferLimits& limits) {
  return failed(fmt::format("'{}' did not send it within {:g} s, the limit.", url.shown(),
                            to_seconds(limits.time_limit)));
}

Failure refused_address(const Url& url) {
  return {.error = invalid_argument(
              fmt::format("'{}' has an address that is none of the public internet, and those are not "
                          "connected to; --allow-private-urls allows them.",
                          url.shown())),
          .outcome = FetchOutcome::kRefused};
}

Failure failure_of(CURLcode code, const Url& url, const TransferLimits& limits, const Incoming& in) {
  const std::string host = url.shown();
  if (in.too_large || code == CURLE_FILESIZE_EXCEEDED) return too_large(url, limits.max_bytes);
  if (in.long_header) {
    return failed(
        fmt::format("'{}' answers with a header of more than {} bytes, the limit.", host, kMaxHeader));
  }
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return failed(fmt::format("The host '{}' is not found; is it spelt right?", host));
    case CURLE_COULDNT_CONNECT: return failed(fmt::format("'{}' takes no connection.", host));
    case CURLE_OPERATION_TIMEDOUT:
      return failed(fmt::format("'{}' takes no connection within {:g} s, the limit.", host,
                                to_seconds(limits.connect_limit)));
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
      return failed(fmt::format("'{}' ended the connection before all of its answer came.", host));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
      return failed(
          fmt::format("No safe connection to '{}' can be made: {}.", host, curl_easy_strerror(code)));
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return failed(fmt::format("What listens at '{}' does not answer in HTTP.", host));
    default: return failed(fmt::format("'{}' could not be asked: {}.", host, curl_easy_strerror(code)));
  }
}

std::expected<Answer, Failure> answer_of(CURL* easy, const Url& url, Incoming& in) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) return Answer{.body = std::move(in.body), .redirect = {}};
  char* redirect = nullptr;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
  if (status >= 300 && status < 400 && redirect != nullptr) return Answer{.body = {}, .redirect = redirect};
  return std::unexpected(
      failed(fmt::format("'{}' answers with status {}, not with what the URL names.", url.shown(), status)));
}

}  // namespace

curl_socket_t open_guarded(void* guard, curlsocktype purpose, curl_sockaddr* address) {
  auto& mine = *static_cast<AddressGuard*>(guard);
  const std::string_view use = special_use(address->addr, static_cast<socklen_t>(address->addrlen));
  if (purpose != CURLSOCKTYPE_IPCXN || use == "unknown" || (!mine.allow_private && !use.empty())) {
    mine.refused = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::expected<Answer, Failure> transfer(const Url& url, const TransferLimits& limits, const Clock& clock) {
  AddressGuard guard{.allow_private = limits.allow_private};
  Incoming in{.max_bytes = limits.max_bytes, .body = {}};
  const Multi multi(curl_multi_init());
  const Easy easy(curl_easy_init());
  if (multi == nullptr || easy == nullptr || !configure(easy.get(), url, limits, guard, in) ||
      curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK) {
    return std::unexpected(Failure{.error = internal_error("The library that asks URLs could not begin.")});
  }
  const std::optional<CURLcode> code = drive(multi.get(), limits.end, limits.stop, clock);
  std::expected<Answer, Failure> answer = std::unexpected(too_slow(url, limits));
  if (code == CURLE_OK) {
    answer = answer_of(easy.get(), url, in);
  } else if (code && guard.refused &&
             (*code == CURLE_COULDNT_CONNECT || *code == CURLE_COULDNT_RESOLVE_HOST)) {
    answer = std::unexpected(refused_address(url));
  } else if (code) {
    answer = std::unexpected(failure_of(*code, url, limits, in));
  }
  curl_multi_remove_handle(multi.get(), easy.get());
  return answer;
}

}  // namespace bascule::net
