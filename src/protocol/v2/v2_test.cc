#include "protocol/v2/v2.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

// A body in memory of its own, aligned to 64 bytes and `shift` bytes on.
RequestBody body_of(std::string_view text, std::size_t shift = 0) {
  auto memory = std::make_shared<std::vector<std::byte>>(text.size() + 64 + shift);
  const auto address = reinterpret_cast<std::uintptr_t>(memory->data());
  std::byte* start = memory->data() + (64 - address % 64) % 64 + shift;
  if (!text.empty()) std::memcpy(start, text.data(), text.size());
  return {.bytes = {start, text.size()}, .owner = memory};
}

Result<InferCall> parse(std::string_view text) { return parse_infer(body_of(text), std::nullopt); }

std::string request_with(std::string_view type, std::string_view shape, std::string_view data) {
  return fmt::format(R"({{"inputs":[{{"name":"x","datatype":"{}","shape":{},"data":{}}}]}})", type, shape,
                     data);
}

template <class T>
std::vector<T> values_of(const tensor::Tensor& tensor) {
  const auto elements = tensor.elements<T>();
  return {elements.begin(), elements.end()};
}

TEST(ParseInfer, ReadsEveryPartOfARequest) {
  const auto call = parse(R"({"id":"42","parameters":{"binary_data_output":true,"priority":1,"note":"a"},
      "inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,-2.5,3e2,0.1]},
                {"name":"y","shape":[1],"datatype":"BYTES","data":["h\u00e9\ud83d\ude00"]}],
      "outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":false}}],"other":[{"x":[null]}]})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.id, "42");
  EXPECT_EQ(call->request.dialect, "v2");
  EXPECT_TRUE(call->binary_outputs);
  ASSERT_EQ(call->request.inputs.size(), 2U);
  EXPECT_EQ(call->request.inputs[0].name, "x");
  EXPECT_THAT(call->request.inputs[0].tensor.shape, ElementsAre(2, 2));
  EXPECT_THAT(values_of<float>(call->request.inputs[0].tensor), ElementsAre(1.0F, -2.5F, 300.0F, 0.1F));
  const auto strings = tensor::string_elements(call->request.inputs[1].tensor);
  ASSERT_TRUE(strings);
  EXPECT_THAT(*strings, ElementsAre("h\xC3\xA9\xF0\x9F\x98\x80"));
  EXPECT_THAT(call->request.outputs, ElementsAre("a", "b"));
  EXPECT_TRUE(call->outputs[0].binary);
  EXPECT_FALSE(call->outputs[1].binary);
}

TEST(ParseInfer, TakesMembersInAnyOrder) {
  const auto call = parse(
      R"({"outputs":[{"parameters":{"binary_data":true},"name":"o"}],
          "inputs":[{"data":[[1,2],[3,4]],"datatype":"INT8","shape":[2,2],"name":"x"}],"id":"i"})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_THAT(values_of<std::int8_t>(call->request.inputs[0].tensor), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(call->outputs[0].binary);
}

struct Refusal {
  std::string body;
  Reason reason;
  std::string says;
};

TEST(ParseInfer, RefusesWithPlaceAndValue) {
  const std::vector<Refusal> cases = {
      {request_with("UINT8", "[3]", "[1,256,2]"), Reason::kValueOutOfRange,
       "Input 'x' (UINT8), element 1: 256 is out of range (0 to 255)."},
      {request_with("UINT8", "[1]", "[-1]"), Reason::kValueOutOfRange, "-1 is out of range (0 to 255)"},
      {request_with("INT64", "[1]", "[9223372036854775808]"), Reason::kValueOutOfRange,
       "9223372036854775808 is out of range (-9223372036854775808 to 9223372036854775807)"},
      {request_with("INT32", "[1]", "[1.5]"), Reason::kValueOutOfRange, "1.5 has a fraction"},
      {request_with("FP32", "[1]", "[1e39]"), Reason::kValueOutOfRange, "1e39 is out of range"},
      {request_with("FP64", "[1]", "[-1e400]"), Reason::kValueOutOfRange, "-1e400 is out of range"},
      {request_with("BOOL", "[1]", "[2]"), Reason::kValueOutOfRange, "neither true nor false"},
      {request_with("BOOL", "[1]", "[\"true\"]"), Reason::kDatatypeMismatch, "a string stands where"},
      {request_with("BYTES", "[1]", "[7]"), Reason::kDatatypeMismatch, "a number stands where a string"},
      {request_with("FP32", "[1]", "[null]"), Reason::kDatatypeMismatch, "null stands where a number"},
      {request_with("FP32", "[2]", "[1,NaN]"), Reason::kNotInJson, "binary data"},
      {request_with("FP32", "[2]", "[1,-Infinity]"), Reason::kNotInJson, "binary data"},
      {request_with("FP16", "[1]", "[1]"), Reason::kNotInJson,
       "FP16 data via JSON is not supported; send it as binary data (binary_data_size)"},
      {request_with("BF16", "[1]", "[1]"), Reason::kNotInJson, "BF16 data via JSON is not supported"},
      {request_with("FP31", "[1]", "[1]"), Reason::kDatatypeMismatch, "unknown datatype 'FP31'"},
      {request_with("FP32", "[3]", "[1,2]"), Reason::kDataSizeMismatch, "has 2 elements; shape [3] needs 3"},
      {request_with("FP32", "[1]", "[1,2]"), Reason::kDataSizeMismatch, "too many elements"},
      {request_with("FP32", "[2,2]", "[[1,2],[3]]"), Reason::kDataSizeMismatch, "ragged"},
      {request_with("FP32", "[2,2]", "[[1,2],3,4]"), Reason::kDataSizeMismatch, "outside an array"},
      {request_with("FP32", "[2,2]", "[[[1,2]],[[3,4]]]"), Reason::kDataSizeMismatch, "an array at depth 2"},
      {request_with("FP32", "[4]", "[1,[2,3],4]"), Reason::kDatatypeMismatch,
       "an array stands where a number"},
      {request_with("FP32", "[1]", "7"), Reason::kDataSizeMismatch, "is not an array"},
      {request_with("FP32", "[1000000000]", "[1]"), Reason::kDataSizeMismatch, "cannot be there"},
      {request_with("FP32", "[-1]", "[1]"), Reason::kShapeMismatch, "-1 as dimension 0"},
      {request_with("FP32", "[1.0]", "[1]"), Reason::kShapeMismatch, "1.0 as dimension 0"},
      {request_with("FP32", "[4611686018427387904,4]", "[1]"), Reason::kShapeMismatch, "2^48"},
      {request_with("FP32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1]"), Reason::kShapeMismatch, "16 dim"},
      {"", Reason::kJsonSyntax, "ends where an object"},
      {"[]", Reason::kJsonSyntax, "an object"},
      {"{}", Reason::kNone, "no \"inputs\""},
      {R"({"inputs":[]} x)", Reason::kJsonSyntax, "something follows the end"},
      {R"({"inputs":[],"inputs":[]})", Reason::kJsonSyntax, "\"inputs\" stands twice"},
      {R"({"inputs":[{"name":"x","name":"x"}]})", Reason::kJsonSyntax, "\"name\" stands twice"},
      {R"({"inputs":[{"name":"x","data":[1],"data":[1]}]})", Reason::kJsonSyntax, "\"data\" stands twice"},
      {R"({"inputs":[{"shape":[1]}]})", Reason::kNone, "no \"name\""},
      {R"({"inputs":[{"name":"x"}]})", Reason::kNone, "Input 'x' has no \"shape\""},
      {R"({"inputs":[{"name":"x","shape":[1]}]})", Reason::kNone, "Input 'x' has no \"datatype\""},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]})", Reason::kDataSizeMismatch,
       "Input 'x' has no values"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4}}]})",
       Reason::kDataSizeMismatch, "both"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})",
       Reason::kDataSizeMismatch, "Inference-Header-Content-Length"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":-4}}]})",
       Reason::kDataSizeMismatch, "-4 is not"},
      {R"({"inputs":[{"name":"x","shape":[0],"datatype":"FP32","data":[]},{"name":"x","shape":[0],"datatype":"FP32","data":[]}]})",
       Reason::kDuplicateInput, "Input 'x' stands twice"},
      {R"({"inputs":[],"outputs":[{"name":"o"},{"name":"o"}]})", Reason::kDuplicateOutput,
       "'o' stands twice"},
      {R"({"inputs":[],"outputs":[{"name":"o","parameters":{"classification":3}}]})", Reason::kNone,
       "classification, which this server does not offer yet"},
      {R"({"inputs":[{"name":"x","parameters":{"shared_memory_region":"r"}}]})", Reason::kNone,
       "shared memory"},
      {R"({"inputs":[],"parameters":{"a":{}}})", Reason::kNone, "Parameter 'a'"},
      {R"({"inputs":[],"parameters":{"binary_data_output":1}})", Reason::kNone, "true or false"},
      {R"({"inputs":[],"id":7})", Reason::kNone, "\"id\" of the request must be a string"},
      {"{\"inputs\":[],\"a\":\"\xFF\"}", Reason::kJsonSyntax, "UTF-8"},
      {R"({"inputs":[],"deep":)" + std::string(100, '[') + std::string(100, ']') + "}", Reason::kJsonDepth,
       "JSON nesting depth exceeds maximum allowed limit (100)"},
  };
  for (const Refusal& refusal : cases) {
    const auto call = parse(refusal.body);
    ASSERT_FALSE(call) << refusal.body;
    EXPECT_EQ(call.error().code, Code::kInvalidArgument) << refusal.body;
    EXPECT_EQ(to_string(call.error().reason), to_string(refusal.reason)) << call.error().message;
    EXPECT_THAT(call.error().message, HasSubstr(refusal.says)) << refusal.body;
  }
}

}  // namespace
}  // namespace bascule::protocol::v2
