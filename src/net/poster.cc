#include "net/poster.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "net/drive.h"
#include "net/url.h"

namespace bascule::net {
namespace {

constexpr Duration kConnectLimit = std::chrono::seconds(5);

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

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

}  // namespace

struct Poster::State {
  State(Url parsed, const Clock& its_clock, std::size_t max_answer)
      : url(std::move(parsed)), shown(url.shown()), clock(its_clock), answer{.most = max_answer} {}
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
    set(CURLOPT_HTTPHEADER, fields.get());
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&answer));
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(kConnectLimit));
    return ok;
  }

  const Url url;
  const std::string shown;
  const Clock& clock;
  std::unique_ptr<curl_slist, FreeList> fields;
  Kept answer;
  Multi multi;
  Easy easy;  // goes before `multi`, which keeps its connection
};

Poster::Poster(std::unique_ptr<State> state) : state_(std::move(state)) {}
Poster::~Poster() = default;
Poster::Poster(Poster&&) noexcept = default;
Poster& Poster::operator=(Poster&&) noexcept = default;

const std::string& Poster::shown() const { return state_->shown; }

Result<Poster> Poster::open(const std::string& url, const std::vector<std::string>& fields,
                            const Clock& clock, std::size_t max_answer) {
  BASCULE_ASSIGN(Url parsed, Url::parse(url));
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counted
  auto state = std::make_unique<State>(std::move(parsed), clock, max_answer);
  state->multi.reset(curl_multi_init());
  state->easy.reset(curl_easy_init());
  bool ok = true;
  const auto add = [&](const std::string& field) {
    curl_slist* const longer = curl_slist_append(state->fields.get(), field.c_str());
    ok = ok && longer != nullptr;
    if (longer == nullptr || longer == state->fields.get()) return;
    static_cast<void>(state->fields.release());  // it is the front of `longer`
    state->fields.reset(longer);
  };
  for (const std::string& field : fields) add(field);
  add("Expect:");  // bodies are sent at once
  if (!ok || !state->configure()) return internal_error("The library that sends to URLs could not begin.");
  return Result<Poster>(Poster(std::move(state)));
}

Result<PostAnswer> Poster::post(std::string_view body, TimePoint end, const std::function<bool()>& stop) {
  State& state = *state_;
  state.answer.body.clear();
  CURL* const easy = state.easy.get();
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  if (curl_multi_add_handle(state.multi.get(), easy) != CURLM_OK) {
    return internal_error("The library that sends to URLs could not begin.");
  }
  const std::optional<CURLcode> code = drive(state.multi.get(), end, stop, state.clock);
  curl_multi_remove_handle(state.multi.get(), easy);
  if (!code) return no_answer(state.shown, "did not answer in time");
  if (*code == CURLE_COULDNT_CONNECT) return no_answer(state.shown, "takes no connection");
  if (*code != CURLE_OK) {
    return no_answer(state.shown, fmt::format("could not be sent to: {}", curl_easy_strerror(*code)));
  }
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
