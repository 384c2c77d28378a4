#include "net/poster.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "net/drive.h"
#include "net/transfer.h"
#include "net/url.h"

namespace bascule::net {
namespace {

constexpr Duration kConnectLimit = std::chrono::seconds(5);

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

bool add(List& list, const std::string& field) {
  curl_slist* const longer = curl_slist_append(list.get(), field.c_str());
  if (longer == nullptr) return false;
  if (list == nullptr) list.reset(longer);  // else it is the same list
  return true;
}

// What has come of an answer.
// Thread-safety: external (one thread).
struct Kept {
  std::size_t most;  // bytes
  std::string body = {};
};

// More than is kept ends the transfer.
std::size_t take_body(char* data, std::size_t size, std::size_t count, void* to) {
  auto& kept = *static_cast<Kept*>(to);
  const std::size_t bytes = size * count;
  if (bytes > kept.most - kept.body.size()) return 0;
  kept.body.append(data, bytes);
  return bytes;
}

Error no_answer(const std::string& host, std::string_view why) {
  return {.code = Code::kUnavailable, .message = fmt::format("'{}' {}.", host, why)};
}

Error why_not(std::optional<CURLcode> code, const AddressGuard& guard, const std::string& host) {
  if (!code) return no_answer(host, "did not answer in time");
  if (guard.refused) {
    return no_answer(
        host,
        "has an address that is none of the public internet, and those are connected to only where "
        "allow_private says so");
  }
  switch (*code) {
    case CURLE_COULDNT_RESOLVE_HOST: return no_answer(host, "is not found; look how it is spelt");
    case CURLE_COULDNT_CONNECT: return no_answer(host, "takes no connection");
    case CURLE_PEER_FAILED_VERIFICATION:
      return no_answer(host,
                       "shows a certificate that is not trusted; it is for another name, too old, or of an "
                       "authority that ca_file has to name");
    case CURLE_SSL_CACERT_BADFILE:
      return no_answer(host, "cannot be sent to: the certificates of ca_file cannot be read");
    default: return no_answer(host, fmt::format("could not be sent to: {}", curl_easy_strerror(*code)));
  }
}

}  // namespace

struct Poster::State {
  State(Url parsed, PosterOptions its_options, const Clock& its_clock)
      : url(std::move(parsed)),
        shown(url.shown()),
        options(std::move(its_options)),
        clock(its_clock),
        answer{.most = options.max_answer} {
    guard.allow_private = options.allow_private;
  }
  ~State() {
    easy.reset();
    multi.reset();
    curl_global_cleanup();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  bool configure() {
    bool ok = easy != nullptr && multi != nullptr;
    const auto set = [&](CURLoption option, auto value) {
      ok = ok && curl_easy_setopt(easy.get(), option, value) == CURLE_OK;
    };
    set(CURLOPT_CURLU, url.handle());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
    set(CURLOPT_USERAGENT, "bascule");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_POST, 1L);
    set(CURLOPT_OPENSOCKETFUNCTION, open_guarded);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&guard));
    if (!options.ca_file.empty()) {
      set(CURLOPT_CAINFO, options.ca_file.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // no other authority than those
    }
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&answer));
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(kConnectLimit));
    return ok;
  }

  const Url url;
  const std::string shown;
  const PosterOptions options;
  const Clock& clock;
  AddressGuard guard;
  Kept answer;
  Multi multi;
  Easy easy;  // goes before `multi`, which keeps its connection
};

Poster::Poster(std::unique_ptr<State> state) : state_(std::move(state)) {}
Poster::~Poster() = default;
Poster::Poster(Poster&&) noexcept = default;
Poster& Poster::operator=(Poster&&) noexcept = default;

const std::string& Poster::shown() const { return state_->shown; }

Result<Poster> Poster::open(const std::string& url, const PosterOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(Url parsed, Url::parse(url));
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counted
  auto state = std::make_unique<State>(std::move(parsed), options, clock);
  state->multi.reset(curl_multi_init());
  state->easy.reset(curl_easy_init());
  if (!state->configure()) return internal_error("The library that sends to URLs could not begin.");
  return Result<Poster>(Poster(std::move(state)));
}

Result<PostAnswer> Poster::post(std::string_view body, TimePoint end, const std::function<bool()>& stop,
                                std::span<const std::string> fields) {
  State& state = *state_;
  state.answer.body.clear();
  state.guard.refused = false;
  CURL* const easy = state.easy.get();
  List list;
  bool ok = true;
  for (const std::string& field : fields) ok = ok && add(list, field);
  for (const std::string& field : state.options.fields) ok = ok && add(list, field);
  ok = ok && add(list, "Expect:");  // bodies are sent at once
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                   body.data());  // NOLINT(bugprone-suspicious-stringview-data-usage): size above
  if (!ok || curl_multi_add_handle(state.multi.get(), easy) != CURLM_OK) {
    return internal_error("The library that sends to URLs could not begin.");
  }
  const std::optional<CURLcode> code = drive(state.multi.get(), end, stop, state.clock);
  curl_multi_remove_handle(state.multi.get(), easy);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return why_not(code, state.guard, state.shown);
  PostAnswer answer{.body = state.answer.body};
  long status = 0;
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<unsigned>(status);
  if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
    // Whoever asks for longer than this asks for never.
    answer.retry_after = std::chrono::seconds(std::min<curl_off_t>(seconds, 86400));
  }
  return answer;
}

}  // namespace bascule::net
