#include "protocol/v2/messages.h"

#include <cstring>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <grpc_service.pb.h>

namespace bascule::protocol::v2 {
namespace {

using inference::ModelInferRequest;
using ::testing::HasSubstr;

constexpr std::size_t kLimit = 1 << 20;

// The bytes at an address that suits any element, or one byte behind it.
RequestBody body_of(const std::string& bytes, std::size_t shift = 0) {
  const auto memory =
      std::make_shared<std::vector<std::max_align_t>>(bytes.size() / sizeof(std::max_align_t) + 2);
  auto* const at = reinterpret_cast<std::byte*>(memory->data()) + shift;
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return {.bytes = {at, bytes.size()}, .owner = memory};
}

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

ModelInferRequest request_of(const std::string& type, std::initializer_list<std::int64_t> shape) {
  ModelInferRequest wire;
  wire.set_model_name("m");
  wire.set_model_version("3");
  wire.set_id("42");
  auto& input = *wire.add_inputs();
  input.set_name("x");
  input.set_datatype(type);
  input.mutable_shape()->Add(shape.begin(), shape.end());
  return wire;
}

std::string why(const ModelInferRequest& wire, std::size_t limit = kLimit) {
  const auto call = parse_infer_message(body_of(wire.SerializeAsString()), limit);
  return call ? "it was read" : call.error().message;
}

TEST(InferMessage, RawContentsStayInTheMessageWhereTheyAreAligned) {
  ModelInferRequest wire = request_of("FP32", {1, 3});
  wire.add_raw_input_contents(floats({1, 2, 3}));
  wire.add_outputs()->set_name("y");
  const std::string bytes = wire.SerializeAsString();
  std::size_t in_place = 0;
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const RequestBody body = body_of(bytes, shift);
    const auto call = parse_infer_message(body, kLimit);
    ASSERT_TRUE(call) << call.error().message;
    EXPECT_EQ(call->request.model, "m");
    EXPECT_EQ(call->request.version, "3");
    EXPECT_EQ(call->request.id, "42");
    EXPECT_EQ(call->request.outputs, std::vector<std::string>{"y"});
    const tensor::Tensor& tensor = call->request.inputs.at(0).tensor;
    EXPECT_EQ(tensor.shape, (tensor::Shape{1, 3}));
    EXPECT_THAT(tensor.elements<float>(), ::testing::ElementsAre(1, 2, 3));
    in_place += static_cast<std::size_t>(tensor.owner == body.owner);
  }
  EXPECT_EQ(in_place, 1U);
}

TEST(InferMessage, TypedContentsBecomeElements) {
  ModelInferRequest wire = request_of("INT8", {2});
  wire.mutable_inputs(0)->mutable_contents()->add_int_contents(-128);
  wire.mutable_inputs(0)->mutable_contents()->add_int_contents(127);
  auto call = parse_infer_message(body_of(wire.SerializeAsString()), kLimit);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_THAT(call->request.inputs[0].tensor.elements<std::int8_t>(), ::testing::ElementsAre(-128, 127));

  wire = request_of("BYTES", {2});
  wire.mutable_inputs(0)->mutable_contents()->add_bytes_contents("a");
  wire.mutable_inputs(0)->mutable_contents()->add_bytes_contents("");
  call = parse_infer_message(body_of(wire.SerializeAsString()), kLimit);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_THAT(*tensor::string_elements(call->request.inputs[0].tensor), ::testing::ElementsAre("a", ""));

  wire = request_of("BOOL", {1});
  wire.mutable_inputs(0)->mutable_contents()->add_bool_contents(true);
  call = parse_infer_message(body_of(wire.SerializeAsString()), kLimit);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.inputs[0].tensor.bytes[0], std::byte{1});
}

TEST(InferMessage, ParametersAreTaken) {
  ModelInferRequest wire = request_of("FP32", {1});
  wire.add_raw_input_contents(floats({1}));
  (*wire.mutable_parameters())["priority"].set_uint64_param(2);
  (*wire.mutable_parameters())["timeout"].set_int64_param(1500);
  (*wire.mutable_parameters())["note"].set_string_param("kept by nobody");
  const auto call = parse_infer_message(body_of(wire.SerializeAsString()), kLimit);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.priority, 2U);
  EXPECT_EQ(call->timeout, std::chrono::microseconds(1500));
  (*wire.mutable_parameters())["priority"].set_int64_param(-1);
  EXPECT_THAT(why(wire), HasSubstr("'priority' of the request must be a whole number"));
}

TEST(InferMessage, RefusalsNameTheInput) {
  ModelInferRequest wire = request_of("FP32", {2});
  EXPECT_THAT(why(wire), HasSubstr("Input 'x' has 0 values in its contents for FP32; shape [2] needs 2"));
  wire.add_raw_input_contents(floats({1}));
  EXPECT_THAT(why(wire), HasSubstr("Input 'x' has 4 bytes of binary data; FP32 of shape [2] needs 8"));
  wire.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(why(wire), HasSubstr("contents field must not be specified when using raw_input_contents for "
                                   "'x' for model '"));
  wire.mutable_inputs(0)->clear_contents();
  wire.add_raw_input_contents(floats({1}));
  EXPECT_THAT(why(wire), HasSubstr("1 inputs and 2 raw_input_contents"));

  wire = request_of("FP16", {1});
  wire.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(why(wire), HasSubstr("FP16, which has no typed contents"));
  wire = request_of("UINT8", {1});
  wire.mutable_inputs(0)->mutable_contents()->add_uint_contents(256);
  EXPECT_THAT(why(wire), HasSubstr("has the value 256, which UINT8 cannot hold"));
  EXPECT_THAT(why(request_of("FP33", {1})), HasSubstr("the datatype 'FP33'"));
  wire = request_of("FP32", {-1, 4});
  wire.add_raw_input_contents("");
  EXPECT_THAT(why(wire), HasSubstr("Input 'x' is wrong"));
  wire = request_of("FP32", {1LL << 40, 1LL << 40});
  wire.add_raw_input_contents("");
  EXPECT_THAT(why(wire), HasSubstr("Input 'x' is wrong"));
  wire = request_of("FP32", {1});
  *wire.add_inputs() = wire.inputs(0);
  wire.add_raw_input_contents(floats({1}));
  wire.add_raw_input_contents(floats({1}));
  EXPECT_THAT(why(wire), HasSubstr("Input 'x' stands twice"));
  (*wire.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_THAT(why(wire), HasSubstr("shared memory"));
}

TEST(InferMessage, OwnParametersHaveNamesOfTheirOwn) {
  ModelInferRequest wire = request_of("FP32", {1});
  wire.add_raw_input_contents(floats({1}));
  auto& parameters = *wire.mutable_parameters();
  parameters["mine"].set_string_param("a");
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  EXPECT_EQ(why(wire), "it was read");
  parameters["triton_mine"].set_string_param("a");
  EXPECT_THAT(why(wire), HasSubstr("'triton_mine' of the request has a name that is reserved"));
}

TEST(InferMessage, SizesAreLimited) {
  ModelInferRequest wire = request_of("FP32", {1});
  for (int i = 0; i < 5000; ++i) wire.add_raw_input_contents("");
  EXPECT_THAT(why(wire), HasSubstr("more than 1024 tensors"));
  wire = request_of("FP32", {1000});
  for (int i = 0; i < 1000; ++i) wire.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(why(wire, 1000), HasSubstr("more than 1000 bytes, the limit"));
}

TEST(InferMessage, DamagedMessagesAreErrors) {
  ModelInferRequest wire = request_of("FP32", {1, 3});
  wire.add_raw_input_contents(floats({1, 2, 3}));
  const std::string whole = wire.SerializeAsString();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    (void)parse_infer_message(body_of(whole.substr(0, size)), kLimit);
  }
  std::uint32_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = whole;
    random = random * 1664525 + 1013904223;
    damaged[random % damaged.size()] = static_cast<char>(random >> 24U);
    (void)parse_infer_message(body_of(damaged), kLimit);
  }
  EXPECT_FALSE(parse_infer_message(body_of("\xff\xff\xff"), kLimit));
}

content::InferResponse response() {
  auto info = std::make_shared<content::ModelInfo>();
  info->name = "m";
  info->version = "3";
  const std::vector<float> values = {1, 2, 3};
  content::InferResponse out{.model = std::move(info), .id = "42"};
  out.outputs.push_back({.name = "y",
                         .tensor = *tensor::copy_tensor<float>(tensor::DataType::kFp32, {1, 3},
                                                               std::span<const float>(values))});
  return out;
}

std::string bytes_of(const ReplyBody& reply) {
  std::string out = reply.head;
  for (const auto& part : reply.parts) out.append(reinterpret_cast<const char*>(part.data()), part.size());
  return out;
}

TEST(InferMessage, AnswersAreRaw) {
  const auto reply = write_infer_message(response());
  ASSERT_TRUE(reply);
  inference::ModelInferResponse wire;
  ASSERT_TRUE(wire.ParseFromString(bytes_of(*reply)));
  EXPECT_EQ(wire.model_name(), "m");
  EXPECT_EQ(wire.model_version(), "3");
  EXPECT_EQ(wire.id(), "42");
  EXPECT_EQ(wire.outputs(0).name(), "y");
  EXPECT_EQ(wire.outputs(0).datatype(), "FP32");
  EXPECT_EQ(wire.outputs(0).shape(1), 3);
  EXPECT_EQ(wire.raw_output_contents(0), floats({1, 2, 3}));

  inference::ModelStreamInferResponse stream;
  ASSERT_TRUE(stream.ParseFromString(bytes_of(wrap_stream_reply(*write_infer_message(response())))));
  EXPECT_EQ(stream.infer_response().raw_output_contents(0), floats({1, 2, 3}));
  EXPECT_EQ(stream.error_message(), "");
  ASSERT_TRUE(stream.ParseFromString(bytes_of(write_stream_error(not_found("No such."), "7"))));
  EXPECT_EQ(stream.error_message(), "No such.");
  EXPECT_EQ(stream.infer_response().id(), "7");
}

}  // namespace
}  // namespace bascule::protocol::v2
