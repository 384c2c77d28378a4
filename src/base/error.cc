#include "base/error.h"

namespace bascule {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kNotFound: return "not_found";
    case Code::kAlreadyExists: return "already_exists";
    case Code::kPayloadTooLarge: return "payload_too_large";
    case Code::kUnsupported: return "unsupported";
    case Code::kFailedPrecondition: return "failed_precondition";
    case Code::kResourceExhausted: return "resource_exhausted";
    case Code::kDeadlineExceeded: return "deadline_exceeded";
    case Code::kCancelled: return "cancelled";
    case Code::kUnavailable: return "unavailable";
    case Code::kUnauthenticated: return "unauthenticated";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kNone: return "none";
    case Reason::kUnknownModel: return "unknown_model";
    case Reason::kUnknownVersion: return "unknown_version";
    case Reason::kModelNotReady: return "model_not_ready";
    case Reason::kMissingInput: return "missing_input";
    case Reason::kUnknownInput: return "unknown_input";
    case Reason::kDuplicateInput: return "duplicate_input";
    case Reason::kUnknownOutput: return "unknown_output";
    case Reason::kDuplicateOutput: return "duplicate_output";
    case Reason::kShapeMismatch: return "shape_mismatch";
    case Reason::kDatatypeMismatch: return "datatype_mismatch";
    case Reason::kDataSizeMismatch: return "data_size_mismatch";
    case Reason::kValueOutOfRange: return "value_out_of_range";
    case Reason::kNotInJson: return "not_in_json";
    case Reason::kJsonSyntax: return "json_syntax";
    case Reason::kJsonDepth: return "json_depth";
    case Reason::kBodyTooLarge: return "body_too_large";
    case Reason::kBadPicture: return "bad_picture";
    case Reason::kWrongKind: return "wrong_kind";
    case Reason::kQueueFull: return "queue_full";
    case Reason::kMethodNotAllowed: return "method_not_allowed";
    case Reason::kLoadFailed: return "load_failed";
    case Reason::kUnloadFailed: return "unload_failed";
    case Reason::kNoModelControl: return "no_model_control";
    case Reason::kForbidden: return "forbidden";
    case Reason::kRateExceeded: return "rate_exceeded";
    case Reason::kUnknownRoute: return "unknown_route";
    case Reason::kUnsupportedMedia: return "unsupported_media";
  }
  return "none";
}

Error invalid_argument(std::string message, Reason reason) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .reason = reason};
}

Error not_found(std::string message, Reason reason) {
  return {.code = Code::kNotFound, .message = std::move(message), .reason = reason};
}

Error internal_error(std::string message) { return {.code = Code::kInternal, .message = std::move(message)}; }

}  // namespace bascule
