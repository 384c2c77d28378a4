#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace bascule {

// What kind of failure it is. The set is closed: detail goes into the message, and only `protocol/` maps a
// code to a status of some dialect.
enum class Code : std::uint8_t {
  kInvalidArgument,     // the caller sent something wrong
  kNotFound,            // no such model, version, route or file
  kAlreadyExists,       //
  kPayloadTooLarge,     // a size limit refused it before anything was allocated
  kUnsupported,         // understood, but not offered (datatype, media type, method)
  kFailedPrecondition,  // right request, wrong state (model not ready)
  kResourceExhausted,   // a queue or budget is full; try again later
  kDeadlineExceeded,    //
  kCancelled,           // the caller went away
  kUnavailable,         // shutting down, or a part is missing
  kUnauthenticated,     // no or wrong credentials
  kInternal,            // our fault
};

// Finer cause, set only where some dialect owes its clients an exact text or status. `kNone` almost
// everywhere.
enum class Reason : std::uint8_t {
  kNone,
  kUnknownModel,
  kUnknownVersion,
  kModelNotReady,
  kMissingInput,
  kUnknownInput,
  kDuplicateInput,
  kUnknownOutput,
  kDuplicateOutput,
  kShapeMismatch,
  kDatatypeMismatch,
  kDataSizeMismatch,
  kValueOutOfRange,
  kNotInJson,  // a datatype or value that JSON cannot carry (FP16, BF16, NaN)
  kJsonSyntax,
  kJsonDepth,
  kBodyTooLarge,
  kBadPicture,
  kWrongKind,  // a picture for a model of tables, and the like
  kQueueFull,
  kMethodNotAllowed,
  kLoadFailed,      // a model that was asked to load did not
  kUnloadFailed,    // likewise to unload
  kNoModelControl,  // the server was started so that models are not loaded on request
  kForbidden,       // whoever asks is known, or where they ask from, and may not
  kRateExceeded,    // a key asks more often than it may
  kUnknownRoute,
  kUnsupportedMedia,  // a Content-Type or Content-Encoding that is not read
};

// The few values a dialect may need to write its own text for a `Reason`; empty where they do not apply.
struct ErrorFields {
  std::string name;        // of the model, input, output or route
  std::string expected;    // what would have been accepted
  std::string got;         // what was there
  std::string limit;       // the limit that was passed
  Duration retry_after{};  // when it is worth asking again; 0: not known
};

// A failure that may be shown to whoever caused it. `message` is a sentence with the value, the limit and
// what to do; it never holds secrets, addresses or internal names. Thread-safety: immutable value.
struct Error {
  Code code = Code::kInternal;
  std::string message;
  Reason reason = Reason::kNone;
  ErrorFields fields = {};
};

// "invalid_argument", … : for logs and metric labels.
std::string_view to_string(Code code);
std::string_view to_string(Reason reason);

// Shorthands for the common ones.
[[nodiscard]] Error invalid_argument(std::string message, Reason reason = Reason::kNone);
[[nodiscard]] Error not_found(std::string message, Reason reason = Reason::kNone);
[[nodiscard]] Error internal_error(std::string message);

}  // namespace bascule
