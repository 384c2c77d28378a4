#include "runs/server_asker.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"

namespace bascule::runs {
namespace {

using protocol::JsonReader;

constexpr std::string_view kBoundary = "bascule-batch-3f1d5c0b9a7e48d2a6c4e1f0b8d7953c";
constexpr std::size_t kMaxAnswer = std::size_t{64} << 20U;  // bytes
constexpr Duration kLookEvery = std::chrono::milliseconds(100);
constexpr int kMostServerErrors = 3;  // of one input: then the fault is taken to be the input's

std::string url_of(const std::string& url, const std::string& model) {
  const std::size_t host = url.find("://");
  const std::size_t path = url.find('/', host == std::string::npos ? 0 : host + 3);
  if (path != std::string::npos && path + 1 < url.size()) return url;
  return url.substr(0, path) + "/models/" + model + "/predict";
}

bool is_busy(unsigned status) { return status == 429 || status == 502 || status == 503 || status == 504; }

// The members of an object but `left_out`, as they stand there; true where the object is whole.
bool read_members(JsonReader& json, std::string_view text, std::string_view left_out, std::string& out) {
  bool more = false;
  if (!json.begin_object()) return false;
  while (json.next_member(more) && more) {
    const std::string key(json.key());
    const std::size_t from = json.offset();
    if (!json.skip_value()) return false;
    if (key == left_out) continue;
    if (!out.empty()) out += ',';
    text::append_json_quoted(out, key);
    out += ':';
    out += text::trimmed(text.substr(from, json.offset() - from));
  }
  return !json.failed();
}

// The objects of the list that the answer calls `list`, each as its members.
Result<std::vector<std::string>> read_list(std::string_view text, std::string_view list,
                                           std::string_view left_out) {
  BASCULE_TRY(protocol::check_utf8(text, "the server's answer"));
  JsonReader json(text, "the server's answer");
  std::vector<std::string> out;
  bool more = false;
  bool ok = json.begin_object();
  while (ok && json.next_member(more) && more) {
    if (json.key() != list) {
      ok = json.skip_value();
      continue;
    }
    bool next = false;
    ok = json.begin_array();
    while (ok && json.next_element(next) && next) {
      out.emplace_back();
      ok = read_members(json, text, left_out, out.back());
    }
  }
  if (!ok || json.failed() || !json.finish()) return internal_error(json.error().message);
  return out;
}

// What a server says of why it refuses.
std::string said(std::string_view body) {
  JsonReader json(body, "the answer");
  bool more = false;
  std::string text;
  if (!json.begin_object()) return {};
  while (json.next_member(more) && more) {
    const std::string key(json.key());
    JsonReader::Kind kind{};
    if (!json.peek(kind)) return {};
    std::string_view value;
    const bool told =
        kind == JsonReader::Kind::kString && (key == "error" || key == "detail" || key == "message");
    if (told ? !json.read_string(value) : !json.skip_value()) return {};
    if (told) text = value;
  }
  return text;
}

Error refusal(unsigned status, std::string_view body) {
  std::string message = said(body);
  if (message.empty()) message = fmt::format("The server answers with status {}.", status);
  switch (status) {
    case 401:
    case 403: return {.code = Code::kUnauthenticated, .message = std::move(message)};
    case 404: return not_found(std::move(message));
    case 413: return {.code = Code::kPayloadTooLarge, .message = std::move(message)};
    case 415: return {.code = Code::kUnsupported, .message = std::move(message)};
    default: return status >= 500 ? internal_error(std::move(message)) : invalid_argument(std::move(message));
  }
}

}  // namespace

Result<std::unique_ptr<ServerAsker>> ServerAsker::open(ServerOptions options, const Clock& clock) {
  auto asker = std::make_unique<ServerAsker>(std::move(options), clock);
  for (std::size_t i = 0; i < asker->options_.urls.size(); ++i) {
    BASCULE_TRY(asker->connection(i, Kind::kPicture));
  }
  return Result<std::unique_ptr<ServerAsker>>(std::move(asker));
}

ServerAsker::ServerAsker(ServerOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      servers_(options_.urls.size()),
      idle_(options_.urls.size()) {}

Result<net::Poster> ServerAsker::connection(std::size_t server, Kind kind) {
  {
    MutexLock lock(mutex_);
    std::vector<net::Poster>& idle = idle_[server][static_cast<std::size_t>(kind)];
    if (!idle.empty()) {
      net::Poster poster = std::move(idle.back());
      idle.pop_back();
      return Result<net::Poster>(std::move(poster));
    }
  }
  std::vector<std::string> fields = {"Accept: application/json"};
  switch (kind) {
    case Kind::kPicture:
      fields.push_back(fmt::format("Content-Type: multipart/form-data; boundary={}", kBoundary));
      break;
    case Kind::kJson: fields.emplace_back("Content-Type: application/json"); break;
    case Kind::kCsv: fields.emplace_back("Content-Type: text/csv");
  }
  if (!options_.key.empty()) fields.push_back("Authorization: Bearer " + options_.key);
  return net::Poster::open(url_of(options_.urls[server], options_.model),
                           {.fields = fields, .max_answer = kMaxAnswer}, clock_);
}

// Takes a place at the server that is to be asked.
Result<std::size_t> ServerAsker::wait_for_server() {
  MutexLock lock(mutex_);
  while (true) {
    const TimePoint now = clock_.now();
    if (options_.stop && options_.stop()) {
      return Error{.code = Code::kCancelled, .message = "The run was stopped."};
    }
    if (const auto server = choose(servers_, now)) {
      ++servers_[*server].in_flight;
      return *server;
    }
    if (failing_since_ && now - *failing_since_ > options_.give_up_after) {
      return Error{.code = Code::kUnavailable,
                   .message = fmt::format(
                       "No server has answered for {:.0f} s, which --give-up-after allows; the last "
                       "said: {}",
                       to_seconds(options_.give_up_after), last_failure_)};
    }
    const Duration most = std::clamp<Duration>(next_time(servers_) - now, Duration(1), kLookEvery);
    changed_.wait_for(mutex_, most,
                      [this, now]() BASCULE_REQUIRES(mutex_) { return choose(servers_, now).has_value(); });
  }
}

Result<net::PostAnswer> ServerAsker::post(std::size_t server, Kind kind, std::string_view body) {
  BASCULE_ASSIGN(net::Poster poster, connection(server, kind));
  auto answer = poster.post(body, clock_.now() + options_.time_limit, [] { return false; });
  if (answer) {
    MutexLock lock(mutex_);
    idle_[server][static_cast<std::size_t>(kind)].push_back(std::move(poster));
  }
  return answer;
}

void ServerAsker::end(std::size_t server, TimePoint sent, const Result<net::PostAnswer>& answer) {
  MutexLock lock(mutex_);
  const TimePoint now = clock_.now();
  --servers_[server].in_flight;
  if (answer && !is_busy(answer->status)) {
    note_success(servers_[server]);
    failing_since_.reset();
    changed_.notify_all();
    return;
  }
  if (!failing_since_) failing_since_ = now;
  note_failure(servers_[server], sent, now, answer ? answer->retry_after : std::nullopt);
  last_failure_ = answer ? fmt::format("status {}. {}", answer->status, text::shortened(said(answer->body)))
                         : answer.error().message;
}

Result<std::string> ServerAsker::ask(Kind kind, std::string_view body) {
  for (int errors = 0;;) {
    BASCULE_ASSIGN(const std::size_t server, wait_for_server());
    const TimePoint sent = clock_.now();
    auto answer = post(server, kind, body);
    end(server, sent, answer);
    if (!answer || is_busy(answer->status)) continue;
    if (answer->status == 200) return std::move(answer->body);
    if (answer->status >= 500 && ++errors < kMostServerErrors) continue;
    return refusal(answer->status, answer->body);
  }
}

Result<std::string> ServerAsker::ask_picture(const content::EncodedPicture& picture) {
  std::string body;
  body.reserve(picture.bytes.size() + 1024);
  for (const auto& [name, value] : options_.fields) {
    body += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", kBoundary, name,
                        value);
  }
  body += fmt::format(
      "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"picture\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n",
      kBoundary);
  body.append(reinterpret_cast<const char*>(picture.bytes.data()), picture.bytes.size());
  body += fmt::format("\r\n--{}--\r\n", kBoundary);
  BASCULE_ASSIGN(const std::string answer, ask(Kind::kPicture, body));
  BASCULE_ASSIGN(std::vector<std::string> images, read_list(answer, "images", "speed"));
  if (images.size() == 1) return std::move(images.front());
  return internal_error(fmt::format("The server answers for {} pictures; one was sent.", images.size()));
}

Result<std::vector<std::string>> ServerAsker::ask_rows(const RowsQuestion& question) {
  BASCULE_ASSIGN(const std::string answer, ask(question.csv ? Kind::kCsv : Kind::kJson, question.body));
  return read_list(answer, "rows", "");
}

}  // namespace bascule::runs
