#include "http/route.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::http {
namespace {

using enum Endpoint;
using Who = access::RouteClass;
constexpr auto kV2 = protocol::Dialect::kV2;
constexpr auto kUltralytics = protocol::Dialect::kUltralytics;
constexpr auto kHub = protocol::Dialect::kHub;
constexpr auto kHubFirst = protocol::Dialect::kHubFirst;

// The most used first.
constexpr Route kRoutes[] = {
    {Method::kPost, "/v2/models/{model}/infer", kInfer, kV2, "v2", Who::kInfer},
    {Method::kPost, "/v2/models/{model}/versions/{version}/infer", kInfer, kV2, "v2", Who::kInfer},
    {Method::kPost, "/v2/models/{model}/generate", kGenerate, kV2, "v2", Who::kInfer},
    {Method::kPost, "/v2/models/{model}/versions/{version}/generate", kGenerate, kV2, "v2", Who::kInfer},
    {Method::kPost, "/v2/models/{model}/generate_stream", kGenerateStream, kV2, "v2", Who::kInfer},
    {Method::kPost, "/v2/models/{model}/versions/{version}/generate_stream", kGenerateStream, kV2, "v2",
     Who::kInfer},
    {Method::kPost, "/predict", kPredict, kUltralytics, "ultralytics", Who::kInfer},
    {Method::kPost, "/models/{model}/predict", kPredict, kUltralytics, "ultralytics", Who::kInfer},
    {Method::kPost, "/api/models/{owner}/{project}/{model}/predict", kPredict, kUltralytics, "ultralytics",
     Who::kInfer},
    {Method::kPost, "/api/deployments/{owner}/{deployment}/predict", kPredict, kUltralytics, "ultralytics",
     Who::kInfer},
    {Method::kGet, "/api/deployments/{owner}/{deployment}/health", kDeploymentHealth, kUltralytics,
     "ultralytics", Who::kMetadata},
    {Method::kPost, "/", kPredict, kHub, "hub", Who::kInfer},  // the form names the model
    {Method::kPost, "/v1/predict/{model}", kPredict, kHubFirst, "hub", Who::kInfer},
    {Method::kGet, "/v2/health/live", kLive, kV2, "v2", Who::kHealth},
    {Method::kGet, "/v2/health/ready", kReady, kV2, "v2", Who::kHealth},
    {Method::kGet, "/v2", kServerMetadata, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models", kModelList, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/stats", kStatistics, kV2, "v2",
     Who::kStatistics},  // before a model of that name, as in Triton
    {Method::kGet, "/v2/models/{model}", kModelMetadata, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/{model}/versions/{version}", kModelMetadata, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/{model}/config", kModelConfig, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/{model}/versions/{version}/config", kModelConfig, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/{model}/ready", kModelReady, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/{model}/versions/{version}/ready", kModelReady, kV2, "v2", Who::kMetadata},
    {Method::kGet, "/v2/models/{model}/stats", kStatistics, kV2, "v2", Who::kStatistics},
    {Method::kGet, "/v2/models/{model}/versions/{version}/stats", kStatistics, kV2, "v2", Who::kStatistics},
    {Method::kPost, "/v2/repository/index", kRepositoryIndex, kV2, "v2", Who::kMetadata},
    {Method::kPost, "/v2/repository/models/{model}/load", kModelLoad, kV2, "v2", Who::kControl},
    {Method::kPost, "/v2/repository/models/{model}/unload", kModelUnload, kV2, "v2", Who::kControl},
    {Method::kGet, "/v2/systemsharedmemory/status", kSharedMemoryStatus, kV2, "v2", Who::kControl},
    {Method::kGet, "/v2/systemsharedmemory/region/{region}/status", kSharedMemoryStatus, kV2, "v2",
     Who::kControl},
    {Method::kPost, "/v2/systemsharedmemory/region/{region}/register", kSharedMemoryRegister, kV2, "v2",
     Who::kControl},
    {Method::kPost, "/v2/systemsharedmemory/unregister", kSharedMemoryUnregister, kV2, "v2", Who::kControl},
    {Method::kPost, "/v2/systemsharedmemory/region/{region}/unregister", kSharedMemoryUnregister, kV2, "v2",
     Who::kControl},
    {Method::kGet, "/v2/cudasharedmemory/status", kCudaMemoryStatus, kV2, "v2", Who::kControl},
    {Method::kGet, "/v2/cudasharedmemory/region/{region}/status", kCudaMemoryStatus, kV2, "v2",
     Who::kControl},
    {Method::kPost, "/v2/cudasharedmemory/region/{region}/register", kCudaMemoryRegister, kV2, "v2",
     Who::kControl},
    {Method::kPost, "/v2/cudasharedmemory/unregister", kCudaMemoryUnregister, kV2, "v2", Who::kControl},
    {Method::kPost, "/v2/cudasharedmemory/region/{region}/unregister", kCudaMemoryUnregister, kV2, "v2",
     Who::kControl},
    {Method::kGet, "/v2/logging", kLogging, kV2, "v2", Who::kLogs},
    {Method::kPost, "/v2/logging", kLogging, kV2, "v2", Who::kLogs},
    {Method::kGet, "/v2/trace/setting", kTraceSetting, kV2, "v2", Who::kTrace},
    {Method::kPost, "/v2/trace/setting", kTraceSetting, kV2, "v2", Who::kTrace},
    {Method::kGet, "/v2/models/{model}/trace/setting", kTraceSetting, kV2, "v2", Who::kTrace},
    {Method::kPost, "/v2/models/{model}/trace/setting", kTraceSetting, kV2, "v2", Who::kTrace},
    {Method::kGet, "/apps", kApplicationList, kV2, "apps", Who::kStatistics},
    {Method::kGet, "/apps/{app}", kApplication, kV2, "apps", Who::kApplications},
    {Method::kGet, "/apps/{app}/frame", kApplicationFrame, kV2, "apps", Who::kApplications},
    {Method::kGet, "/apps/{app}/events", kApplicationEvents, kV2, "apps", Who::kApplications},
    {Method::kGet, "/apps/{app}/days", kApplicationDays, kV2, "apps", Who::kApplications},
    {Method::kPost, "/apps/{app}/frames", kApplicationPush, kV2, "apps", Who::kInfer},
    {Method::kPost, "/apps/{app}/start", kApplicationStart, kV2, "apps", Who::kControl},
    {Method::kPost, "/apps/{app}/stop", kApplicationStop, kV2, "apps", Who::kControl},
    {Method::kPost, "/apps/{app}/send_again", kApplicationSendAgain, kV2, "apps", Who::kControl},
    {Method::kPost, "/apps/{app}/baskets", kBasketBegin, kV2, "apps", Who::kInfer},
    {Method::kGet, "/apps/{app}/baskets/{basket}", kBasket, kV2, "apps", Who::kInfer},
    {Method::kGet, "/apps/{app}/baskets/{basket}/receipt", kBasketReceipt, kV2, "apps", Who::kInfer},
    {Method::kPost, "/apps/{app}/baskets/{basket}/frames", kBasketFrame, kV2, "apps", Who::kInfer},
    {Method::kPost, "/apps/{app}/baskets/{basket}/lines", kBasketLine, kV2, "apps", Who::kInfer},
    {Method::kPost, "/apps/{app}/baskets/{basket}/lines/{line}", kBasketAnswer, kV2, "apps", Who::kInfer},
    {Method::kPost, "/apps/{app}/baskets/{basket}/lines/{line}/remove", kBasketRemove, kV2, "apps",
     Who::kInfer},
    {Method::kPost, "/apps/{app}/baskets/{basket}/close", kBasketClose, kV2, "apps", Who::kInfer},
    {Method::kGet, "/metrics", kMetrics, kV2, "http", Who::kStatistics},
    {Method::kGet, "/openapi.json", kOpenApi, kV2, "http", Who::kMetadata},
    {Method::kGet, "/", kIndex, kV2, "http", Who::kMetadata},
};

// What a browser asks before a page of another origin may ask: of no route.
constexpr Route kPreflightRoute = {Method::kOther, "*", Endpoint::kPreflight, kV2, "http", Who::kHealth};

constexpr std::size_t kMaxCaptures = 3;

// What the braces of a pattern took: name and still encoded value.
struct Captures {
  std::array<std::pair<std::string_view, std::string_view>, kMaxCaptures> items;
  std::size_t count = 0;
};

// Takes the next "/segment" off the front of `rest`.
std::string_view next_segment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

std::optional<Captures> match_pattern(std::string_view pattern, std::string_view path) {
  Captures captures;
  while (!pattern.empty() && path.starts_with('/')) {
    const std::string_view expected = next_segment(pattern);
    const std::string_view segment = next_segment(path);
    if (expected.starts_with('{')) {
      if (segment.empty() || captures.count == kMaxCaptures) return std::nullopt;
      captures.items[captures.count++] = {expected.substr(1, expected.size() - 2), segment};
    } else if (expected != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return captures;
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view encoded) {
  std::string out;
  out.reserve(encoded.size());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      out += encoded[i];
      continue;
    }
    if (i + 2 >= encoded.size()) return std::nullopt;
    const int high = hex_value(encoded[i + 1]);
    const int low = hex_value(encoded[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// ^[a-z0-9]+(?:-[a-z0-9]+)*$
bool is_slug(std::string_view text) {
  bool after_hyphen = true;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!plain && (c != '-' || after_hyphen)) return false;
    after_hyphen = !plain;
  }
  return !after_hyphen;
}

Refusal not_served(const RequestHead& head) {
  return {.status = 404,
          .error = not_found(
              fmt::format("Nothing is served at '{}'; GET / lists what is.", text::shortened(head.path)),
              Reason::kUnknownRoute)};
}

Refusal wrong_method(const RequestHead& head, std::string allowed) {
  return {.status = 405,
          .error = {.code = Code::kUnsupported,
                    .message = fmt::format("{} is not a method of '{}'; use {}.",
                                           text::shortened(head.method_name, 20), text::shortened(head.path),
                                           allowed),
                    .reason = Reason::kMethodNotAllowed,
                    .fields = {.expected = std::move(allowed)}}};
}

std::expected<Match, Refusal> decode(const Route& route, const Captures& captures) {
  Match match{.route = &route};
  for (std::size_t i = 0; i < captures.count; ++i) {
    const auto& [name, encoded] = captures.items[i];
    std::optional<std::string> value = percent_decoded(encoded);
    if (!value) {
      return std::unexpected(
          Refusal{.status = 400,
                  .error = invalid_argument(
                      fmt::format("'{}' in the path is not percent-encoded properly: two hexadecimal digits "
                                  "must follow each '%'.",
                                  text::shortened(encoded))),
                  .dialect = route.dialect,
                  .label = route.label});
    }
    if (name == "model" || name == "deployment") {  // a deployment is called as its model
      match.model = *std::move(value);
    } else if (name == "version") {
      match.version = *std::move(value);
    } else if (name == "region") {
      match.region = *std::move(value);
    } else if (name == "app") {
      match.app = *std::move(value);
    } else if (name == "basket") {
      match.basket = *std::move(value);
    } else if (name == "line") {
      match.line = *std::move(value);
    } else if (!is_slug(*value) || (name == "owner" && (value->size() < 4 || value->size() > 32))) {
      return std::unexpected(Refusal{
          .status = 404,
          .error = not_found(
              fmt::format("'{}' is not a name of an {}: small letters and digits in groups "
                          "with one hyphen between{}.",
                          text::shortened(*value), name, name == "owner" ? ", 4 to 32 characters" : ""),
              Reason::kUnknownRoute),
          .dialect = route.dialect,
          .label = route.label});
    }
  }
  return match;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

const Route& preflight() { return kPreflightRoute; }

std::expected<Match, Refusal> match_route(const RequestHead& head) {
  const Method method = head.method == Method::kHead ? Method::kGet : head.method;
  std::string allowed;
  for (const Route& route : kRoutes) {
    const std::optional<Captures> captures = match_pattern(route.pattern, head.path);
    if (!captures) continue;
    if (route.method == method) return decode(route, *captures);
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == Method::kGet ? "GET, HEAD" : "POST";
  }
  return std::unexpected(allowed.empty() ? not_served(head) : wrong_method(head, std::move(allowed)));
}

void set_target(RequestHead& head, std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      target.remove_prefix(scheme + 3);
      target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
      if (target.empty()) target = "/";
    }
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  head.path = target.substr(0, question);
  head.query = question < target.size() ? target.substr(question + 1) : std::string_view{};
}

}  // namespace bascule::http
