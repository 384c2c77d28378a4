#include "protocol/body.h"

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::protocol {
namespace {

// Texts that clients of one dialect look for; everything else is the error's own sentence.
std::string v2_text(const Error& error, bool triton) {
  switch (error.reason) {
    case Reason::kUnknownModel:
      // Triton's wording, which its clients and tests match.
      return fmt::format("Request for unknown model: '{}' is not found. {}", error.fields.name,
                         error.message);
    case Reason::kUnknownVersion:
      if (!text::parse_int(error.fields.got)) {
        return fmt::format("failed to get model version from specified version string '{}'. {}",
                           text::shortened(error.fields.got), error.message);
      }
      return fmt::format("Request for unknown model: '{}' version {} is not found. {}", error.fields.name,
                         error.fields.got, error.message);
    case Reason::kDuplicateOutput:
      return fmt::format("output '{}' already exists in request", error.fields.name);
    case Reason::kLoadFailed:
      return fmt::format(
          "failed to load '{}'{}: {}", error.fields.name,
          triton || error.code == Code::kNotFound ? ", failed to poll from model repository" : "",
          error.message);
    case Reason::kUnloadFailed:
      return fmt::format("failed to unload '{}': {}", error.fields.name, error.message);
    case Reason::kNoModelControl: return "explicit model load / unload is not allowed. " + error.message;
    default: return error.message;
  }
}

unsigned v2_status(const Error& error) {
  switch (error.reason) {
    case Reason::kMethodNotAllowed: return 405;
    case Reason::kBodyTooLarge: return 413;
    case Reason::kUnsupportedMedia: return 415;
    case Reason::kForbidden: return 403;
    default: break;
  }
  switch (error.code) {
    case Code::kInvalidArgument:
    case Code::kAlreadyExists: return 400;
    case Code::kNotFound: return 404;
    case Code::kPayloadTooLarge: return 413;
    case Code::kUnsupported: return 501;
    case Code::kFailedPrecondition:
    case Code::kUnavailable: return 503;
    case Code::kResourceExhausted: return 429;
    case Code::kDeadlineExceeded: return 504;
    case Code::kCancelled: return 499;
    case Code::kUnauthenticated: return 401;
    case Code::kInternal: return 500;
  }
  return 500;
}

bool speaks_v2(Dialect dialect) { return dialect == Dialect::kV2 || dialect == Dialect::kTriton; }

// Triton tells all clients to come back later by the same status, whether a queue is full or it cannot serve.
unsigned triton_status(const Error& error) {
  const unsigned status = v2_status(error);
  return status == 429 && error.reason != Reason::kRateExceeded ? 503 : status;
}

// The platform's OpenAPI file lists 400, 401, 404, 413, 429, 503 (and 500 in its pages): nothing else, but
// for the method, which HTTP itself wants.
unsigned ultralytics_status(const Error& error) {
  const unsigned status = v2_status(error);
  switch (status) {
    case 415:
    case 501: return 400;
    case 504:
    case 499: return 503;
    default: return status;
  }
}

}  // namespace

std::string error_text(const Error& error, Dialect dialect) {
  return speaks_v2(dialect) ? v2_text(error, dialect == Dialect::kTriton) : error.message;
}

std::string error_body(const Error& error, Dialect dialect) {
  std::string out = R"({"error":)";
  text::append_json_quoted(out, error_text(error, dialect));
  if (dialect == Dialect::kHubFirst) {
    out += R"(,"success":false,"message":)";
    text::append_json_quoted(out, error_text(error, dialect));
  }
  out += '}';
  return out;
}

unsigned http_status(const Error& error, Dialect dialect) {
  switch (dialect) {
    case Dialect::kV2: return v2_status(error);
    case Dialect::kTriton: return triton_status(error);
    case Dialect::kUltralytics:
    case Dialect::kHub:
    case Dialect::kHubFirst: return ultralytics_status(error);
  }
  return 500;
}

int grpc_status(const Error& error, Dialect dialect) {
  if (error.reason == Reason::kForbidden) return 7;     // PERMISSION_DENIED
  if (error.reason == Reason::kRateExceeded) return 8;  // RESOURCE_EXHAUSTED
  // As there.
  if (error.reason == Reason::kLoadFailed && dialect == Dialect::kTriton) return 13;  // INTERNAL
  switch (error.code) {
    case Code::kInvalidArgument: return 3;
    case Code::kNotFound: return 5;
    case Code::kAlreadyExists: return 6;
    case Code::kUnsupported: return 12;  // UNIMPLEMENTED
    case Code::kFailedPrecondition:
    case Code::kUnavailable: return 14;
    case Code::kPayloadTooLarge: return 8;
    case Code::kResourceExhausted: return dialect == Dialect::kTriton ? 14 : 8;
    case Code::kDeadlineExceeded: return 4;
    case Code::kCancelled: return 1;
    case Code::kUnauthenticated: return 16;
    case Code::kInternal: return 13;
  }
  return 2;
}

}  // namespace bascule::protocol
