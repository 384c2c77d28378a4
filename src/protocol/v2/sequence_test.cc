#include <grpc_service.pb.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "content/sequence.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/v2.h"

// Where a request stands in a sequence, in both forms of the protocol.
namespace bascule::protocol::v2 {
namespace {

using content::SequenceId;
using inference::ModelInferRequest;
using testing::HasSubstr;

RequestBody body_of(std::string_view text) {
  auto kept = std::make_shared<std::string>(text);
  return {.bytes = std::as_bytes(std::span(*kept)), .owner = kept};
}

Result<InferCall> from_json(std::string_view parameters) {
  return parse_infer(body_of(fmt::format(R"({{"inputs":[],"parameters":{{{}}}}})", parameters)),
                     std::nullopt);
}

Result<InferCall> from_message(const ModelInferRequest& wire) {
  return parse_infer_message(body_of(wire.SerializeAsString()), 1000);
}

TEST(SequenceStep, IsReadFromJson) {
  auto call = from_json(R"("sequence_id":18446744073709551615,"sequence_start":true,"sequence_end":false)");
  ASSERT_TRUE(call) << call.error().message;
  ASSERT_TRUE(call->request.sequence);
  EXPECT_EQ(call->request.sequence->id, SequenceId(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_TRUE(call->request.sequence->start);
  EXPECT_FALSE(call->request.sequence->end);

  call = from_json(R"("sequence_end":true,"sequence_id":"a-1")");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.sequence->id, SequenceId("a-1"));
  EXPECT_FALSE(call->request.sequence->start);
  EXPECT_TRUE(call->request.sequence->end);

  EXPECT_FALSE(from_json(R"("sequence":1)")->request.sequence);
}

TEST(SequenceStep, RefusalsOfJsonSayWhatIsWrong) {
  const std::string longest(content::kMaxSequenceId, 'a');
  EXPECT_TRUE(from_json(fmt::format(R"("sequence_id":"{}")", longest)));
  const struct {
    std::string parameters;
    std::string_view says;
  } cases[] = {
      {R"("sequence_id":-1)", "must be a string, or a whole number, 0 or more; -1 is not"},
      {R"("sequence_id":1.5)", "1.5 is not"},
      {R"("sequence_id":18446744073709551616)", "18446744073709551616 is not"},
      {R"("sequence_id":true)", "whole number"},
      {R"("sequence_id":1,"sequence_id":2)", "\"sequence_id\" stands twice"},
      {R"("sequence_start":1)", "\"sequence_start\" of the request's parameters must be true or false"},
      {R"("sequence_end":"true")", "\"sequence_end\" of the request's parameters must be true or false"},
      {fmt::format(R"("sequence_id":"{}b")", longest), "has 129 bytes; the limit is 128"},
  };
  for (const auto& [parameters, says] : cases) {
    const auto call = from_json(parameters);
    ASSERT_FALSE(call) << parameters;
    EXPECT_EQ(call.error().code, Code::kInvalidArgument);
    EXPECT_THAT(call.error().message, HasSubstr(says)) << parameters;
  }
}

TEST(SequenceStep, IsReadFromAMessage) {
  ModelInferRequest wire;
  auto& parameters = *wire.mutable_parameters();
  parameters["sequence_id"].set_int64_param(42);
  parameters["sequence_start"].set_bool_param(true);
  parameters["sequence_end"].set_bool_param(true);
  auto call = from_message(wire);
  ASSERT_TRUE(call) << call.error().message;
  ASSERT_TRUE(call->request.sequence);
  EXPECT_EQ(call->request.sequence->id, SequenceId(std::uint64_t{42}));
  EXPECT_TRUE(call->request.sequence->start);
  EXPECT_TRUE(call->request.sequence->end);

  parameters["sequence_id"].set_uint64_param(43);
  EXPECT_EQ(from_message(wire)->request.sequence->id, SequenceId(std::uint64_t{43}));
  parameters["sequence_id"].set_string_param("43");
  EXPECT_EQ(from_message(wire)->request.sequence->id, SequenceId("43"));
  EXPECT_FALSE(from_message({})->request.sequence);
}

TEST(SequenceStep, RefusalsOfMessagesSayWhatIsWrong) {
  const auto refusal = [](std::string_view key, const auto& set) {
    ModelInferRequest wire;
    set((*wire.mutable_parameters())[std::string(key)]);
    const auto call = from_message(wire);
    return call ? std::string() : call.error().message;
  };
  EXPECT_THAT(refusal("sequence_id", [](auto& value) { value.set_int64_param(-1); }),
              HasSubstr("'sequence_id' of the request must be a whole number, 0 or more"));
  EXPECT_THAT(refusal("sequence_id", [](auto& value) { value.set_bool_param(true); }),
              HasSubstr("must be a whole number"));
  EXPECT_THAT(refusal("sequence_id", [](auto& value) { value.set_string_param(std::string(129, 'a')); }),
              HasSubstr("has 129 bytes; the limit is 128"));
  EXPECT_THAT(refusal("sequence_start", [](auto& value) { value.set_int64_param(1); }),
              HasSubstr("'sequence_start' of the request must be true or false"));
  EXPECT_THAT(refusal("sequence_end", [](auto& value) { value.set_string_param("true"); }),
              HasSubstr("'sequence_end' of the request must be true or false"));
}

}  // namespace
}  // namespace bascule::protocol::v2
