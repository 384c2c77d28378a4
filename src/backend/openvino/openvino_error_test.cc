#include "backend/openvino/openvino_error.h"

#include <gtest/gtest.h>

namespace bascule::backend::openvino {
namespace {

TEST(OpenVinoWords, LeaveOutPlacesAndConditions) {
  EXPECT_EQ(plain_words("Exception from src/inference/src/cpp/infer_request.cpp:116:\n"
                        "Check '::getPort(port, name)' failed at src/inference/src/cpp/x.cpp:12:\n"
                        "The tensor size is not equal to the model.\n\n"),
            "The tensor size is not equal to the model.");
  EXPECT_EQ(plain_words("Exception from src/a.cpp:1: Port is missing"), "Port is missing.");
  EXPECT_EQ(plain_words("Cannot open /srv/models/a.bin"), "Cannot open a.bin.");
  EXPECT_EQ(plain_words(""), "no reason was given.");
}

}  // namespace
}  // namespace bascule::backend::openvino
