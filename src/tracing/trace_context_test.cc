#include "tracing/trace_context.h"

#include <string>

#include <gtest/gtest.h>

namespace bascule::tracing {
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

TEST(TraceContext, TellsTheTraceTheCallerAndWhetherItRecords) {
  const auto parent = parse_traceparent(kGood);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace, (TraceId{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21,
                                    0x1c, 0x80, 0x31, 0x9c}));
  EXPECT_EQ(parent->span, (SpanId{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}));
  EXPECT_TRUE(parent->sampled);
  const std::string front = kGood.substr(0, 53);
  EXPECT_FALSE(parse_traceparent(front + "00")->sampled);
  EXPECT_FALSE(parse_traceparent(front + "02")->sampled);  // the flag of random ids alone
  EXPECT_TRUE(parse_traceparent(front + "03")->sampled);
  EXPECT_FALSE(parse_traceparent("nonsense"));
}

TEST(TraceContext, PassesOnAStateThatIsOne) {
  EXPECT_EQ(kept_tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(kept_tracestate(std::string(512, 'a')).size(), 512U);
  EXPECT_EQ(kept_tracestate(std::string(513, 'a')), "");
  EXPECT_EQ(kept_tracestate("a=\x01"), "");
  EXPECT_EQ(kept_tracestate("a=\xc3\xa4"), "");
}

}  // namespace
}  // namespace bascule::tracing
