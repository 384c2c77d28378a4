#include "protocol/v2/shared_memory.h"

#include <string>

#include <gmock/gmock.h>
#include <grpc_service.pb.h>
#include <gtest/gtest.h>

#include "protocol/v2/messages.h"

namespace bascule::protocol::v2 {
namespace {

using ::testing::HasSubstr;

RequestBody body_of(const std::string& text) {
  const auto memory = std::make_shared<const std::string>(text);
  return {.bytes = std::as_bytes(std::span(*memory)), .owner = memory};
}

// A request whose only input and output have these parameters.
std::string request_with(const std::string& input, const std::string& output = "",
                         const std::string& type = "FP32") {
  return R"({"inputs":[{"name":"x","shape":[1,2],"datatype":")" + type + R"(","parameters":{)" + input +
         R"(}}],"outputs":[{"name":"y","parameters":{)" + output + "}}]}";
}

const std::string kPlace =
    R"("shared_memory_region":"r","shared_memory_offset":8,"shared_memory_byte_size":8)";

Result<void> allowed(const content::SharedPart& /*part*/) { return {}; }
// Two floats, or what was given.
Result<tensor::Tensor> floats(const content::SharedPart& part) {
  EXPECT_EQ(part.region, "r");
  EXPECT_EQ(part.offset, 8U);
  constexpr float kValues[] = {1.5F, 2.5F};
  return tensor::copy_tensor<std::byte>(tensor::DataType::kUint8, {8}, std::as_bytes(std::span(kValues)));
}

TEST(SharedMemoryDialect, InputsComeOutOfTheirRegion) {
  auto call = parse_infer(body_of(request_with(kPlace, kPlace)), std::nullopt);
  ASSERT_TRUE(call) << call.error().message;
  ASSERT_EQ(call->shared_inputs.size(), 1U);
  ASSERT_TRUE(read_shared(*call, floats, allowed));
  EXPECT_THAT(call->request.inputs.at(0).tensor.elements<float>(), ::testing::ElementsAre(1.5F, 2.5F));
  ASSERT_TRUE(call->outputs.at(0).shared);
  EXPECT_EQ(call->outputs[0].shared->byte_size, 8U);
}

TEST(SharedMemoryDialect, TheSameOverGrpcBesideRawContents) {
  inference::ModelInferRequest wire;
  for (const char* const name : {"in_memory", "raw"}) {
    auto& input = *wire.add_inputs();
    input.set_name(name);
    input.set_datatype("FP32");
    input.add_shape(2);
  }
  auto& parameters = *wire.mutable_inputs(0)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param("r");
  parameters["shared_memory_offset"].set_int64_param(8);
  parameters["shared_memory_byte_size"].set_int64_param(8);
  wire.add_raw_input_contents(std::string(8, '\0'));
  auto call = parse_infer_message(body_of(wire.SerializeAsString()), 1000);
  ASSERT_TRUE(call) << call.error().message;
  ASSERT_TRUE(read_shared(*call, floats, allowed));
  EXPECT_THAT(call->request.inputs.at(0).tensor.elements<float>(), ::testing::ElementsAre(1.5F, 2.5F));
  EXPECT_THAT(call->request.inputs.at(1).tensor.elements<float>(), ::testing::ElementsAre(0, 0));

  parameters["shared_memory_offset"].set_int64_param(-1);
  EXPECT_THAT(parse_infer_message(body_of(wire.SerializeAsString()), 1000).error().message,
              HasSubstr("'shared_memory_offset'"));
  parameters.erase("shared_memory_offset");
  parameters.erase("shared_memory_byte_size");
  EXPECT_THAT(parse_infer_message(body_of(wire.SerializeAsString()), 1000).error().message,
              HasSubstr("without shared_memory_byte_size"));
}

TEST(SharedMemoryDialect, RefusesWhatDoesNotFit) {
  const std::pair<std::string, std::string> cases[] = {
      {request_with(R"("shared_memory_region":"r")"), "without shared_memory_byte_size"},
      {request_with(R"("shared_memory_byte_size":8)"), "without shared_memory_region"},
      {request_with(R"("shared_memory_region":"r","shared_memory_byte_size":-8)"), "-8"},
      {request_with(R"("shared_memory_region":"r","shared_memory_byte_size":18446744073709551616)"),
       "18446744073709551616"},
      {request_with(R"("shared_memory_region":7,"shared_memory_byte_size":8)"), "must be a string"},
      {request_with(kPlace + R"(,"shared_memory_offset":9)"), "stands twice"},
      {request_with(kPlace + R"(,"binary_data_size":8)"), "one place"},
      {request_with(kPlace, R"("shared_memory_region":"r")"), "without shared_memory_byte_size"},
  };
  for (const auto& [text, why] : cases) {
    const auto call = parse_infer(body_of(text), std::nullopt);
    ASSERT_FALSE(call) << text;
    EXPECT_THAT(call.error().message, HasSubstr(why));
  }
}

TEST(SharedMemoryDialect, NothingIsReadForATensorOfAnotherSize) {
  auto call = parse_infer(body_of(request_with(kPlace, "", "FP64")), std::nullopt);
  ASSERT_TRUE(call);
  const auto never = [](const content::SharedPart&) -> Result<tensor::Tensor> {
    ADD_FAILURE() << "it was read";
    return internal_error("");
  };
  EXPECT_THAT(read_shared(*call, never, allowed).error().message,
              HasSubstr("has a shared_memory_byte_size of 8; FP64 of shape [1,2] needs 16"));
}

TEST(SharedMemoryDialect, TextsAreCheckedAsThoseOfABody) {
  auto call = parse_infer(body_of(request_with(kPlace, "", "BYTES")), std::nullopt);
  ASSERT_TRUE(call);
  EXPECT_THAT(read_shared(*call, floats, allowed).error().message, HasSubstr("BYTES data"));
}

TEST(SharedMemoryDialect, OutputsGoToTheirPlaceAndTheAnswerSaysSo) {
  constexpr float kValues[] = {3, 4};
  content::InferResponse response;
  response.outputs.push_back(
      {.name = "y", .tensor = *tensor::copy_tensor<float>(tensor::DataType::kFp32, {2}, kValues)});
  const ReplyChoice choice{
      .outputs = {
          {.name = "y", .shared = content::SharedPart{.region = "r", .offset = 4, .byte_size = 100}}}};
  std::size_t written = 0;
  ASSERT_TRUE(
      write_shared(response, choice, [&](const content::SharedPart& part, std::span<const std::byte> bytes) {
        EXPECT_EQ(part.offset, 4U);
        written = bytes.size();
        return Result<void>();
      }));
  EXPECT_EQ(written, 8U);
  const auto json = write_infer(response, choice);
  EXPECT_EQ(json->head,
            R"({"outputs":[{"name":"y","datatype":"FP32","shape":[2],"parameters":{)"
            R"("shared_memory_region":"r","shared_memory_offset":4,"shared_memory_byte_size":8}}]})");
  const auto message = write_infer_message(response, choice);
  std::string bytes = message->head;
  for (const auto& part : message->parts)
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  inference::ModelInferResponse wire;
  ASSERT_TRUE(wire.ParseFromString(bytes));
  ASSERT_EQ(wire.raw_output_contents_size(), 1);
  EXPECT_TRUE(wire.raw_output_contents(0).empty());
  EXPECT_EQ(wire.outputs(0).parameters().at("shared_memory_byte_size").int64_param(), 8);
}

TEST(SharedMemoryDialect, RegionsAreReadAndWritten) {
  const auto region = parse_register_request("r", body_of(R"({"key":"/k","offset":3,"byte_size":64})"));
  ASSERT_TRUE(region);
  EXPECT_EQ(write_regions({*region}), R"([{"name":"r","key":"/k","offset":3,"byte_size":64}])");
  EXPECT_THAT(parse_register_request("r", body_of(R"({"byte_size":64})")).error().message,
              HasSubstr("'key'"));
  EXPECT_THAT(parse_register_request("r", body_of(R"({"key":"/k"})")).error().message,
              HasSubstr("'byte_size'"));
  for (const char* const bad : {R"({"key":"/k","byte_size":-1})", R"({"key":"/k","byte_size":1.5})",
                                R"({"key":"/k","byte_size":"64"})", R"({"key":5,"byte_size":1})", "[]", "",
                                R"({"key":"/k","byte_size":18446744073709551616})"}) {
    EXPECT_FALSE(parse_register_request("r", body_of(bad))) << bad;
  }
}

}  // namespace
}  // namespace bascule::protocol::v2
