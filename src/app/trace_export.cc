#include "app/trace_export.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/commands.h"
#include "base/check.h"
#include "base/date.h"
#include "base/log.h"
#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/percent.h"
#include "tracing/mix.h"
#include "tracing/retry.h"

namespace bascule::app {
namespace {

constexpr std::string_view kPath = "/v1/traces";
constexpr Duration kOneTry = std::chrono::seconds(10);
constexpr Duration kAllTries = std::chrono::seconds(60);
constexpr Duration kTellEvery = std::chrono::minutes(1);
constexpr std::size_t kMaxField = 8192;

bool is_field_name(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view value) {
  return value.size() <= kMaxField && std::ranges::none_of(value, [](char c) {
           return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
         });
}

std::uint64_t seed() {
  std::uint64_t out = 0;
  if (::getrandom(&out, sizeof out, 0) == sizeof out) return out;
  return static_cast<std::uint64_t>(unix_time().count()) ^ static_cast<std::uint64_t>(::getpid());
}

tracing::Resource resource() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const char* const name = std::getenv("OTEL_SERVICE_NAME");
  return {.service = name != nullptr && *name != '\0' ? name : "bascule",
          .version = std::string(kVersion),
          .host = host.data()};
}

// How many spans a receiver that answers 200 has not taken: the `rejectedSpans` of its answer, and what it
// says.
std::pair<std::size_t, std::string> rejected(std::string_view body) {
  std::pair<std::size_t, std::string> out;
  protocol::JsonReader json(body, "the receiver's answer");
  const auto read_count = [&] {
    protocol::JsonReader::Kind kind{};
    std::string_view text;
    bool integer = false;
    if (!json.peek(kind)) return false;
    // JSON of protobuf writes 64 bits as a string, and may read a number.
    const bool ok = kind == protocol::JsonReader::Kind::kString ? json.read_string(text)
                                                                : json.read_number(text, integer);
    out.first = static_cast<std::size_t>(std::max<std::int64_t>(text::parse_int(text).value_or(0), 0));
    return ok;
  };
  const auto read_success = [&] {
    bool more = false;
    if (!json.begin_object()) return false;
    while (json.next_member(more) && more) {
      if (json.key() == "rejectedSpans") {
        if (!read_count()) return false;
      } else if (json.key() == "errorMessage") {
        std::string_view text;
        if (!json.read_string(text)) return false;
        out.second = text;
      } else if (!json.skip_value()) {
        return false;
      }
    }
    return !json.failed();
  };
  bool more = false;
  if (!json.begin_object()) return out;
  while (json.next_member(more) && more) {
    if (!(json.key() == "partialSuccess" ? read_success() : json.skip_value())) return out;
  }
  return out;
}

tracing::TracerOptions tracer_options(const config::Values& values,
                                      std::function<void(std::size_t)> dropped) {
  return {.ratio = values.number("trace_sample"),
          .max_queue = static_cast<std::size_t>(values.integer("trace_queue")),
          .seed = seed(),
          .dropped = std::move(dropped)};
}

}  // namespace

std::string traces_url(const std::string& endpoint) {
  const std::size_t query = std::min(endpoint.find('?'), endpoint.size());
  std::string path = endpoint.substr(0, query);
  while (path.ends_with('/')) path.pop_back();
  if (!path.ends_with(kPath)) path += kPath;
  return path + endpoint.substr(query);
}

Result<std::vector<std::string>> header_fields(std::span<const std::string> entries) {
  std::vector<std::string> fields;
  for (const std::string& entry : entries) {
    const std::size_t equals = std::min(entry.find('='), entry.size());
    const std::string_view name = text::trimmed(std::string_view(entry).substr(0, equals));
    const std::string value = protocol::percent_decoded(
        text::trimmed(std::string_view(entry).substr(std::min(equals + 1, entry.size()))), false);
    if (equals == entry.size() || !is_field_name(name) || !is_field_value(value)) {
      return invalid_argument(fmt::format(
          "--otlp-headers: entry {} is not NAME=VALUE with the name of a header field and a value "
          "of printable characters, at most {}.",
          fields.size() + 1, kMaxField));
    }
    fields.push_back(fmt::format("{}: {}", name, value));
  }
  return fields;
}

Result<std::unique_ptr<TraceExport>> TraceExport::open(const config::Values& values,
                                                       metrics::Metrics& metrics, const Clock& clock) {
  if (!values.has("otlp_endpoint")) return std::unique_ptr<TraceExport>();
  BASCULE_ASSIGN(std::vector<std::string> fields, header_fields(values.items("otlp_headers")));
  fields.emplace_back("Content-Type: application/json");
  auto poster = net::Poster::open(traces_url(values.text("otlp_endpoint")), {.fields = fields}, clock);
  if (!poster) {
    return invalid_argument(
        fmt::format("{}: {}", values.source("otlp_endpoint").place, poster.error().message));
  }
  log::info("Traces of requests are sent to '{}'", poster->shown());
  return std::make_unique<TraceExport>(values, *std::move(poster), metrics, clock);
}

TraceExport::TraceExport(const config::Values& values, net::Poster poster, metrics::Metrics& metrics,
                         const Clock& clock)
    : metrics_(metrics),
      clock_(clock),
      resource_(resource()),
      poster_(std::move(poster)),
      jitter_seed_(seed()),
      tracer_(tracer_options(values,
                             [this](std::size_t spans) {
                               metrics_.spans_dropped(spans);
                               not_told_.fetch_add(spans, std::memory_order_relaxed);
                             })),
      pool_({.name = "otlp"}) {
  const auto posted = pool_.post([this] { run(); });
  BASCULE_CHECK(posted.has_value());
}

TraceExport::~TraceExport() { stop(Duration{}); }

void TraceExport::stop(Duration grace) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    end_ = clock_.now() + grace;
    wake_.notify_all();
  }
  tracer_.stop();
  pool_.drain();
}

bool TraceExport::is_over() const { return clock_.now() >= end_.load(); }

void TraceExport::run() {
  while (true) {
    const std::vector<tracing::TracedRequest> batch = tracer_.take();
    if (batch.empty()) return;
    send(batch);
  }
}

void TraceExport::send(std::span<const tracing::TracedRequest> batch) {
  std::size_t spans = 0;
  for (const tracing::TracedRequest& request : batch) spans += tracing::span_count(request);
  const Duration offset = unix_time() - clock_.now().time_since_epoch();
  const std::string body = tracing::write_spans(batch, resource_, offset);
  const auto failed = try_until_taken(body, spans);
  if (failed) return drop(spans, *failed);
  if (not_told_ > 0) drop(0, {.message = "more came than could be sent, and --trace-queue was full"});
}

// Why it was not; nothing where it was.
std::optional<Error> TraceExport::try_until_taken(const std::string& body, std::size_t spans) {
  const TimePoint last = clock_.now() + kAllTries;
  for (std::uint32_t tries = 1;; ++tries) {
    if (is_over()) return Error{.message = "the server stopped before they could be sent"};
    const auto answer = poster_.post(body, clock_.now() + kOneTry, [this] { return is_over(); });
    const unsigned status = answer ? answer->status : 0;
    std::optional<Error> why = answer ? judge(*answer, spans) : answer.error();
    if (!why || !tracing::is_worth_another(status)) return why;
    const double jitter = static_cast<double>(tracing::mix(jitter_seed_, ++tries_) >> 11U) / 0x1p53;
    const Duration pause =
        tracing::wait_before_next(tries, answer ? answer->retry_after : std::nullopt, jitter);
    if (clock_.now() + pause > last || !wait(pause)) return why;
  }
}

std::optional<Error> TraceExport::judge(const net::PostAnswer& answer, std::size_t spans) {
  if (answer.status < 200 || answer.status > 299) {
    return Error{.message = fmt::format("'{}' answers {}: {}", poster_.shown(), answer.status,
                                        text::shortened(answer.body, 200))};
  }
  const auto [count, message] = rejected(answer.body);
  const std::size_t refused = std::min(count, spans);
  metrics_.spans_sent(spans - refused);
  if (refused > 0) {
    drop(refused, {.message = fmt::format("'{}' did not take them: {}", poster_.shown(),
                                          text::shortened(message, 200))});
  }
  return std::nullopt;
}

// False: the server stops; one more try is made then, at once.
bool TraceExport::wait(Duration duration) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  wake_.wait_for(mutex_, duration, [this]() BASCULE_REQUIRES(mutex_) { return stopping_; });
  return true;
}

void TraceExport::drop(std::size_t spans, const Error& why) {
  if (spans > 0) metrics_.spans_dropped(spans);
  not_told_ += spans;
  const TimePoint now = clock_.now();
  if (told_ != TimePoint{} && now - told_ < kTellEvery) return;
  told_ = now;
  log::warning("{} spans of traces were dropped: {}", not_told_.exchange(0), why.message);
}

}  // namespace bascule::app
