#include "protocol/body.h"

#include <gtest/gtest.h>

namespace bascule::protocol {
namespace {

TEST(HttpStatus, IsWhatEachDialectsClientsExpect) {
  struct Case {
    Code code;
    Reason reason;
    unsigned v2;
    unsigned ultralytics;
  };
  const std::vector<Case> cases = {
      {Code::kInvalidArgument, Reason::kShapeMismatch, 400, 400},
      {Code::kAlreadyExists, Reason::kNone, 400, 400},
      {Code::kNotFound, Reason::kUnknownModel, 404, 404},
      {Code::kNotFound, Reason::kUnknownRoute, 404, 404},
      {Code::kPayloadTooLarge, Reason::kBodyTooLarge, 413, 413},
      {Code::kUnsupported, Reason::kMethodNotAllowed, 405, 405},
      {Code::kUnsupported, Reason::kUnsupportedMedia, 415, 400},
      {Code::kUnsupported, Reason::kNone, 501, 400},
      {Code::kFailedPrecondition, Reason::kModelNotReady, 503, 503},
      {Code::kResourceExhausted, Reason::kQueueFull, 429, 429},
      {Code::kDeadlineExceeded, Reason::kNone, 504, 503},
      {Code::kCancelled, Reason::kNone, 499, 503},
      {Code::kUnavailable, Reason::kNone, 503, 503},
      {Code::kUnauthenticated, Reason::kNone, 401, 401},
      {Code::kInternal, Reason::kNone, 500, 500},
  };
  for (const Case& c : cases) {
    const Error error{.code = c.code, .message = "m", .reason = c.reason};
    EXPECT_EQ(http_status(error, Dialect::kV2), c.v2) << to_string(c.code) << to_string(c.reason);
    EXPECT_EQ(http_status(error, Dialect::kUltralytics), c.ultralytics) << to_string(c.code);
  }
}

TEST(ErrorBody, HasTheTextsThatClientsLookFor) {
  const Error unknown{.code = Code::kNotFound,
                      .message = "No model 'x' is loaded; loaded are: y.",
                      .reason = Reason::kUnknownModel,
                      .fields = {.name = "x"}};
  EXPECT_EQ(
      error_body(unknown),
      R"({"error":"Request for unknown model: 'x' is not found. No model 'x' is loaded; loaded are: y."})");
  EXPECT_EQ(error_body(unknown, Dialect::kUltralytics),
            R"({"error":"No model 'x' is loaded; loaded are: y."})");
  const Error twice{.message = "m", .reason = Reason::kDuplicateOutput, .fields = {.name = "OUTPUT0"}};
  EXPECT_EQ(error_body(twice), R"({"error":"output 'OUTPUT0' already exists in request"})");
  const auto version = [](std::string got) {
    return error_text(
        {.message = "m", .reason = Reason::kUnknownVersion, .fields = {.name = "x", .got = std::move(got)}});
  };
  EXPECT_EQ(version("9"), "Request for unknown model: 'x' version 9 is not found. m");
  EXPECT_EQ(version("nine"), "failed to get model version from specified version string 'nine'. m");
}

TEST(ErrorBody, IsJsonWhateverTheMessageHolds) {
  EXPECT_EQ(error_body(invalid_argument("a \"b\"\n\xFF")), "{\"error\":\"a \\\"b\\\"\\n\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace bascule::protocol
