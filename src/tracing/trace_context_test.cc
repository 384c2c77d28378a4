#include "http/trace_context.h"

#include <string>

#include <gtest/gtest.h>

namespace bascule::http {
namespace {

const std::string kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, TakesWhatTheStandardDescribes) {
  EXPECT_TRUE(is_traceparent(kGood));
  EXPECT_TRUE(is_traceparent("00-00000000000000000000000000000001-0000000000000001-00"));
  EXPECT_TRUE(is_traceparent("cc" + kGood.substr(2) + "-what-the-future-says"));
}

TEST(TraceContext, RefusesWhatItForbids) {
  EXPECT_FALSE(is_traceparent(""));
  EXPECT_FALSE(is_traceparent(kGood.substr(1)));
  EXPECT_FALSE(is_traceparent(kGood + "-more"));  // not in version 00
  EXPECT_FALSE(is_traceparent("ff" + kGood.substr(2)));
  EXPECT_FALSE(is_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
  EXPECT_FALSE(is_traceparent("cc" + kGood.substr(2) + "x"));
  EXPECT_FALSE(is_traceparent("cc" + kGood.substr(2) + "-a b"));
  EXPECT_FALSE(is_traceparent("cc" + kGood.substr(2) + "-" + std::string(200, 'a')));
  for (std::size_t i = 0; i < kGood.size(); ++i) {
    std::string bad = kGood;
    bad[i] = 'G';
    EXPECT_FALSE(is_traceparent(bad)) << i;
  }
}

}  // namespace
}  // namespace bascule::http
