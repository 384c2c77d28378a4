#include "http/access_log.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::http {
namespace {

using ::testing::HasSubstr;

TEST(AccessLog, WritesOneObjectPerLine) {
  const AccessEntry entry{.client = "127.0.0.1",
                          .method = "POST",
                          .path = "/v2/models/m/infer",
                          .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                          .status = 200,
                          .bytes_in = 12,
                          .bytes_out = 345,
                          .took = std::chrono::microseconds(1500)};
  EXPECT_EQ(access_line(entry, std::chrono::milliseconds(1'700'000'000'007)),
            R"({"time":"2023-11-14T22:13:20.007Z","client":"127.0.0.1","method":"POST",)"
            R"("path":"/v2/models/m/infer","status":200,"bytes_in":12,"bytes_out":345,"ms":1.500,)"
            R"("traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})"
            "\n");
}

TEST(AccessLog, KeepsWhatCameFromOutsideOnItsLine) {
  const std::string line = access_line({.method = "G\"ET", .path = "/a\nb\x01\xff"}, {});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, HasSubstr(R"(G\"ET)"));
  EXPECT_LT(access_line({.path = std::string(100'000, 'a')}, {}).size(), 2000U);
}

TEST(AccessLog, AppendsWholeLines) {
  const auto path = std::filesystem::path(testing::TempDir()) / "bascule_access_log_test.jsonl";
  std::filesystem::remove(path);
  for (int opened = 0; opened < 2; ++opened) {
    auto log = AccessLog::open(path.string());
    ASSERT_TRUE(log);
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&log] {
        for (int i = 0; i < 100; ++i) (*log)->write({.method = "GET", .path = "/", .status = 200});
      });
    }
  }
  std::ifstream file(path);
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    EXPECT_TRUE(line.starts_with(R"({"time":")") && line.ends_with("}")) << line;
  }
  EXPECT_EQ(lines, 800);
  std::filesystem::remove(path);
}

TEST(AccessLog, SaysWhyItCannotBeOpened) {
  const auto log = AccessLog::open("/no/such/folder/log");
  ASSERT_FALSE(log);
  EXPECT_THAT(log.error().message, HasSubstr("'/no/such/folder/log'"));
}

}  // namespace
}  // namespace bascule::http
