#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "access/route_class.h"
#include "http/reply.h"
#include "http/request.h"
#include "protocol/body.h"

namespace bascule::http {

enum class Endpoint {
  kInfer,
  kPredict,
  kGenerate,
  kGenerateStream,
  kDeploymentHealth,
  kLive,
  kReady,
  kServerMetadata,
  kModelList,
  kModelMetadata,
  kModelConfig,
  kModelReady,
  kStatistics,
  kMetrics,
  kRepositoryIndex,
  kModelLoad,
  kModelUnload,
  kSharedMemoryStatus,
  kSharedMemoryRegister,
  kSharedMemoryUnregister,
  kCudaMemoryStatus,
  kCudaMemoryRegister,
  kCudaMemoryUnregister,
  kLogging,
  kTraceSetting,
  kIndex,
  kOpenApi,
  kApplicationList,
  kApplication,
  kApplicationFrame,
  kApplicationEvents,
  kApplicationDays,
  kApplicationPush,
  kApplicationStart,
  kApplicationStop,
  kApplicationSendAgain,
  kBasketBegin,
  kBasket,
  kBasketReceipt,
  kBasketFrame,
  kBasketLine,
  kBasketAnswer,
  kBasketRemove,
  kBasketClose,
  kPreflight,
};

// One line of the route table. In `pattern` a segment in braces takes any one segment of a path.
// Thread-safety: immutable.
struct Route {
  Method method;  // kGet answers HEAD too
  std::string_view pattern;
  Endpoint endpoint;
  protocol::Dialect dialect;
  std::string_view label;  // of the dialect, for metrics
  access::RouteClass who;  // may ask for it
};

// Everything that is served, in one place.
[[nodiscard]] std::span<const Route> routes();
// Where a browser's question goes whether a page of another origin may ask; not in the table.
[[nodiscard]] const Route& preflight();

// A route and what its braces took, percent-decoded; nothing in them is trusted or used as a path.
struct Match {
  const Route* route = nullptr;
  std::string model;    // empty: the route has none
  std::string version;  // empty: the latest
  std::string region;   // of shared memory; empty: all
  std::string app;      // an application's name; empty: the route has none
  std::string basket;   // of a till, its number
  std::string line;     // of a basket, its number
};

// Errors: 404 for an unknown path, 405 with `error.fields.expected` the methods that are allowed, 400 for bad
// percent-encoding.
std::expected<Match, Refusal> match_route(const RequestHead& head);

}  // namespace bascule::http
