#include "base/compression.h"

#include <cstdint>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace bascule {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

Bytes packed(const Bytes& bytes, Compression compression) {
  const std::span<const std::byte> pieces[] = {std::span(bytes).first(bytes.size() / 3),
                                               std::span(bytes).subspan(bytes.size() / 3)};
  return compress(pieces, compression).value();
}

class Both : public testing::TestWithParam<Compression> {};
INSTANTIATE_TEST_SUITE_P(Compression, Both, testing::Values(Compression::kGzip, Compression::kDeflate));

TEST_P(Both, ComesBackAsItWas) {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same bytes every time
  for (const std::size_t size : {0U, 1U, 1000U, 65536U, 1000000U}) {
    Bytes bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 11);
    EXPECT_EQ(decompress(packed(bytes, GetParam()), GetParam(), size).value(), bytes) << size;
  }
}

TEST_P(Both, RefusesWhatIsLargerThanTheLimit) {
  const Bytes bomb = packed(Bytes(50'000'000), GetParam());
  EXPECT_LT(bomb.size(), 300'000U);
  for (const std::size_t limit : {0U, 1U, 65535U, 65536U, 65537U, 49'999'999U}) {
    const auto refused = decompress(bomb, GetParam(), limit);
    ASSERT_FALSE(refused) << limit;
    EXPECT_EQ(refused.error().code, Code::kPayloadTooLarge);
    EXPECT_EQ(refused.error().reason, Reason::kBodyTooLarge);
    EXPECT_EQ(refused.error().fields.limit, std::to_string(limit));
  }
  EXPECT_EQ(decompress(bomb, GetParam(), 50'000'000)->size(), 50'000'000U);
}

TEST_P(Both, RefusesEveryPrefixAndWhatFollowsTheEnd) {
  Bytes bytes = packed(bytes_of("some words that are worth packing, some words that are not"), GetParam());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto refused = decompress(std::span(bytes).first(size), GetParam(), 1000);
    ASSERT_FALSE(refused) << size;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
  bytes.push_back(std::byte{0});
  EXPECT_NE(decompress(bytes, GetParam(), 1000).error().message.find("1 bytes after its end"),
            std::string::npos);
}

TEST_P(Both, SurvivesMutations) {
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp)
  const Bytes good = packed(bytes_of(std::string(3000, 'x') + "and an end"), GetParam());
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = good;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      bytes[random() % bytes.size()] ^= static_cast<std::byte>(1U << (random() % 8));
    }
    const auto result = decompress(bytes, GetParam(), 4000);
    EXPECT_TRUE(!result || result->size() <= 4000);
  }
}

TEST(ParseCompression, KnowsTheNamesOfHttp) {
  EXPECT_EQ(parse_compression("gzip"), Compression::kGzip);
  EXPECT_EQ(parse_compression("X-GZip"), Compression::kGzip);
  EXPECT_EQ(parse_compression("DEFLATE"), Compression::kDeflate);
  EXPECT_EQ(parse_compression("br"), std::nullopt);
  EXPECT_EQ(parse_compression(""), std::nullopt);
}

}  // namespace
}  // namespace bascule
