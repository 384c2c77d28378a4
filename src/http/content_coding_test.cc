#include "http/content_coding.h"

#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "http/loopback.h"

namespace bascule::http {
namespace {

using ::testing::HasSubstr;
using enum Compression;

constexpr std::string_view kInfer = "/v2/models/add_one/infer";

std::string packed(std::string_view text, Compression coding = kGzip) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(text));
  const auto bytes = compress(std::span(&piece, 1), coding);
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

std::string unpacked(std::string_view text, Compression coding = kGzip) {
  const auto bytes = decompress(std::as_bytes(std::span(text)), coding, 64U << 20U);
  if (!bytes) return bytes.error().message;
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

WireReply ask(const Loopback& loopback, const std::string& request) {
  Client client = loopback.connect();
  return client.ask(request).value_or(WireReply{});
}

TEST(ContentCoding, IsChosenByWeight) {
  const struct {
    std::string_view accept;
    std::optional<Compression> chosen;
  } cases[] = {
      {"", std::nullopt},
      {"gzip", kGzip},
      {"deflate", kDeflate},
      {"gzip, deflate, br", kGzip},
      {"deflate, gzip", kGzip},
      {"deflate;q=1.0, gzip;q=0.5", kDeflate},
      {"deflate;q=0.3,gzip;q=0.30", kGzip},
      {"GZip ; Q=0.1", kGzip},
      {"x-gzip", kGzip},
      {"*", kGzip},
      {"*;q=0", std::nullopt},
      {"gzip;q=0, *", kDeflate},
      {"*, gzip;q=0, deflate;q=0", std::nullopt},
      {"gzip;q=0", std::nullopt},
      {"identity", std::nullopt},
      {"identity, gzip;q=0.5", std::nullopt},
      {"identity;q=0.5, gzip;q=0.5", kGzip},
      {"identity;q=0, *;q=0", std::nullopt},
      {"br", std::nullopt},
      {"gzip;q=2", std::nullopt},
      {"gzip;q=nan", std::nullopt},
      {"gzip;q=-1, deflate", kDeflate},
      {"gzip;q=", std::nullopt},
      {",,;;=,q=1,", std::nullopt},
      {"gzip;level=9;q=0.2, deflate;q=0.1", kGzip},
  };
  for (const auto& each : cases) EXPECT_EQ(choose_coding(each.accept), each.chosen) << each.accept;
}

TEST(ContentCoding, PackedBodiesAreReadAsIfTheyWereNot) {
  const Loopback loopback;
  for (const std::size_t count : {1U, 100'000U}) {  // here, and on a worker
    const std::string json = infer_json(std::vector<float>(count, 1.25F));
    for (const Compression coding : {kGzip, kDeflate}) {
      const WireReply reply = ask(
          loopback,
          post(kInfer, packed(json, coding), fmt::format("Content-Encoding: {}\r\n", coding_name(coding))));
      EXPECT_EQ(reply.status, 200) << reply.body;
      EXPECT_EQ(reply.body, ask(loopback, post(kInfer, json)).body);
    }
  }
  EXPECT_EQ(ask(loopback, get("/v2", "Content-Encoding: gzip\r\n")).status, 200);
}

TEST(ContentCoding, LengthsOfBinaryDataAreThoseOfWhatWasPacked) {
  const Loopback loopback;
  const std::vector<float> values(100'000, 1.5F);
  std::string body = fmt::format(
      R"({{"inputs":[{{"name":"x","shape":[{}],"datatype":"FP32","parameters":{{"binary_data_size":{}}}}}],)"
      R"("parameters":{{"binary_data_output":true}}}})",
      values.size(), values.size() * 4);
  const std::size_t json = body.size();
  body.append(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  const std::string length = fmt::format("Inference-Header-Content-Length: {}\r\n", json);
  const WireReply plain = ask(loopback, post(kInfer, body, length));
  ASSERT_EQ(plain.status, 200) << plain.body;
  EXPECT_EQ(plain.fields.at("vary"), "Accept-Encoding");
  const WireReply reply =
      ask(loopback, post(kInfer, packed(body, kDeflate),
                         length + "Content-Encoding: deflate\r\nAccept-Encoding: gzip\r\n"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.fields.at("content-encoding"), "gzip");
  EXPECT_EQ(reply.fields.at("vary"), "Accept-Encoding");
  EXPECT_EQ(reply.fields.at("content-type"), plain.fields.at("content-type"));
  EXPECT_EQ(reply.fields.at("inference-header-content-length"),
            plain.fields.at("inference-header-content-length"));
  EXPECT_LT(reply.body.size(), plain.body.size() / 10);
  EXPECT_EQ(unpacked(reply.body), plain.body);
}

TEST(ContentCoding, SmallAnswersAreNotPacked) {
  const Loopback loopback;
  const WireReply reply = ask(loopback, get("/v2/health/live", "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(reply.body, R"({"live":true})");
  EXPECT_EQ(reply.fields.count("content-encoding"), 0U);
  EXPECT_EQ(reply.fields.count("vary"), 0U);
}

TEST(ContentCoding, TheLimitIsOfWhatComesOut) {
  const Loopback loopback({.max_json_bytes = 100'000});
  const std::string fields = "Content-Encoding: gzip\r\n";
  std::string fits = infer_json({4});
  fits.resize(100'000, ' ');
  EXPECT_EQ(ask(loopback, post(kInfer, packed(fits), fields)).status, 200);
  const WireReply beyond = ask(loopback, post(kInfer, packed(fits + " "), fields));
  EXPECT_EQ(beyond.status, 413);
  EXPECT_THAT(beyond.body, HasSubstr("more than 100000 bytes; the limit for JSON is 100000"));
  const std::string bomb = packed(std::string(64U << 20U, ' '));
  ASSERT_LT(bomb.size(), 100'000U * 4);
  EXPECT_EQ(ask(loopback, post(kInfer, bomb.substr(0, 99'000), fields)).status, 413);
}

TEST(ContentCoding, DamagedBodiesAreToldSo) {
  const Loopback loopback;
  const std::string whole = packed(infer_json(std::vector<float>(50, 2)));
  std::string corrupt = whole;
  corrupt[whole.size() / 2] = static_cast<char>(~corrupt[whole.size() / 2]);
  Client client = loopback.connect();
  for (const std::string& body : {whole.substr(0, whole.size() - 1), whole.substr(0, 5), whole + "x",
                                  whole + whole, corrupt, std::string("{}")}) {
    const auto reply = client.ask(post(kInfer, body, "Content-Encoding: gzip\r\n"));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 400);
    EXPECT_THAT(reply->body, HasSubstr("gzip-compressed"));
  }
  // The connection goes on.
  EXPECT_EQ(client.ask(post(kInfer, whole, "Content-Encoding: gzip\r\n"))->status, 200);
  EXPECT_THAT(loopback.exposition(),
              HasSubstr(R"(code="invalid_argument",dialect="v2",model="",reason="none",version=""} 6)"));
}

}  // namespace
}  // namespace bascule::http
