#include "backend/onnxruntime/ort_error.h"

#include <array>
#include <new>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::backend::ort {
namespace {

struct Case {
  const char* message;
  const char* words;
};

TEST(LoadError, NamesTheLocaleThatIsMissing) {
  const Error error =
      load_error("m.onnx", ORT_FAIL,
                 "Exception during initialization: Failed to construct locale with "
                 "name:xx_YY:locale::facet::_S_create_c_locale name not valid:Please, install");
  EXPECT_EQ(
      error.message,
      "Model file 'm.onnx' works in the locale 'xx_YY', which this machine lacks; install it (the package "
      "locales-all has every one), or export the model with the locale 'C'.");
}

TEST(PlainWords, KeepsTheCauseAndDropsTheRest) {
  for (const auto& [message, words] : std::to_array<Case>({
           {"", "no reason was given."},
           {"Something broke.", "Something broke."},
           {"two\nlines\n\n", "two lines."},
           {"[ONNXRuntimeError] : 1 : FAIL : Load model from /srv/a b/m.onnx failed:It is odd", "It is odd."},
           {"Load model from /srv/m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:256 "
            "onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&) It is odd\n",
            "It is odd."},
           {"Non-zero status code returned while running Add node. Name:'n' Status Message: "
            "/onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:560 void "
            "onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was "
            "false. "
            "Attempting to broadcast an axis by a dimension other than 1. 2 by 3\n",
            "running Add node. Name:'n' Attempting to broadcast an axis by a dimension other than 1. 2 by "
            "3."},
           {"Exception during initialization: /onnxruntime_src/onnxruntime/core/optimizer/initializer.cc:51 "
            "onnxruntime::Initializer::Initializer(const onnx::TensorProto&) [ONNXRuntimeError] : 1 : FAIL : "
            "tensorprotoutils.cc:2201 GetExtDataFromTensorProto External initializer: w is out of bounds.\n",
            "External initializer: w is out of bounds."},
           {"cannot open /etc/secret/file.bin: denied", "cannot open file.bin: denied."},
           {"1/2 of the boxes, ratio a/b/c", "1/2 of the boxes, ratio a/b/c."},
       })) {
    EXPECT_EQ(plain_words(message), words);
  }
}

TEST(PlainWords, StaysShortAndOnOneLineWhateverComes) {
  for (const std::string& part :
       std::to_array<std::string>({"x.cc:1 ", "a.h:9 f(", "/", "[ONNXRuntimeError] : ", "(", "\x01\xff",
                                   ".cc:", "Load model from ", " was false. ", "Status Message: "})) {
    std::string message;
    while (message.size() < 20000) message += part;
    const std::string words = plain_words(message);
    EXPECT_LE(words.size(), 310U) << part;
    EXPECT_THAT(words, testing::Not(testing::HasSubstr("\n")));
  }
}

TEST(Guarded, TurnsEveryExceptionIntoAnError) {
  const auto explain = [](OrtErrorCode code, std::string_view message) -> Result<int> {
    return run_error(code, message);
  };
  EXPECT_EQ(guarded([]() -> Result<int> { return 7; }, explain).value(), 7);
  const auto refused =
      guarded([]() -> Result<int> { throw Ort::Exception("bad shape", ORT_INVALID_ARGUMENT); }, explain);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "The model refused these inputs: bad shape.");
  EXPECT_EQ(guarded([]() -> Result<int> { throw std::bad_alloc(); }, explain).error().code,
            Code::kResourceExhausted);
  EXPECT_EQ(
      guarded([]() -> Result<int> { throw Ort::Exception("odd", ORT_ENGINE_ERROR); }, explain).error().code,
      Code::kInternal);
  EXPECT_EQ(guarded([]() -> Result<int> { throw std::runtime_error("odd"); }, explain).error().message,
            "The model refused these inputs: odd.");
}

}  // namespace
}  // namespace bascule::backend::ort
