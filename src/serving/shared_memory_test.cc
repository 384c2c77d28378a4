#include "serving/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::serving {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

// Shared memory as a client makes it. Thread-safety: external (one thread).
class Memory {
 public:
  explicit Memory(std::size_t size)
      : key_(fmt::format("/bascule-test-{}-{}", ::getpid(), reinterpret_cast<std::uintptr_t>(this))),
        descriptor_(::shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600)) {
    resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<char>(i);
      EXPECT_EQ(::pwrite(descriptor_, &byte, 1, static_cast<off_t>(i)), 1);
    }
  }
  ~Memory() {
    ::close(descriptor_);
    ::shm_unlink(key_.c_str());
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  [[nodiscard]] const std::string& key() const { return key_; }
  void resize(std::size_t size) { EXPECT_EQ(::ftruncate(descriptor_, static_cast<off_t>(size)), 0); }
  [[nodiscard]] int at(std::size_t offset) const {
    unsigned char byte = 0;
    return ::pread(descriptor_, &byte, 1, static_cast<off_t>(offset)) == 1 ? byte : -1;
  }

 private:
  const std::string key_;
  const int descriptor_;
};

content::SharedRegion region_of(const Memory& memory, std::uint64_t offset, std::uint64_t size) {
  return {.name = "r", .key = memory.key(), .offset = offset, .byte_size = size};
}

TEST(SharedMemory, ReadsAndWritesAPartOfARegion) {
  const Memory memory(64);
  SharedMemory table(true);
  ASSERT_TRUE(table.add(region_of(memory, 16, 32)));
  const auto bytes = table.read({.region = "r", .offset = 4, .byte_size = 3});
  ASSERT_TRUE(bytes);
  EXPECT_THAT(bytes->elements<std::uint8_t>(), ::testing::ElementsAre(20, 21, 22));
  const std::byte answer[] = {std::byte{200}, std::byte{201}};
  EXPECT_TRUE(table.write({.region = "r", .offset = 30, .byte_size = 2}, answer));
  EXPECT_EQ(memory.at(46), 200);
  EXPECT_EQ(memory.at(47), 201);
  EXPECT_EQ(memory.at(45), 45);
  EXPECT_EQ(memory.at(48), 48);
  EXPECT_THAT(table.write({.region = "r", .offset = 0, .byte_size = 1}, answer).error().message,
              HasSubstr("has 2 bytes; shared_memory_byte_size in region 'r' is 1"));
}

TEST(SharedMemory, RefusesPartsBeyondTheRegion) {
  const Memory memory(64);
  SharedMemory table(true);
  ASSERT_TRUE(table.add(region_of(memory, 0, 32)));
  const std::pair<std::uint64_t, std::uint64_t> parts[] = {{0, 33},   {32, 1},      {33, 0},      {kMax, 1},
                                                           {1, kMax}, {kMax, kMax}, {kMax - 3, 8}};
  for (const auto& [offset, size] : parts) {
    const content::SharedPart part{.region = "r", .offset = offset, .byte_size = size};
    EXPECT_EQ(table.check(part).error().code, Code::kInvalidArgument) << offset << ' ' << size;
    EXPECT_FALSE(table.read(part));
    EXPECT_FALSE(table.write(part, {}));
  }
  EXPECT_TRUE(table.check({.region = "r", .offset = 32, .byte_size = 0}));
}

TEST(SharedMemory, RefusesRegionsThatCannotBe) {
  const Memory memory(64);
  SharedMemory table(true);
  const std::pair<std::uint64_t, std::uint64_t> places[] = {
      {0, 65}, {64, 1}, {0, 0}, {kMax, kMax}, {1, kMax}, {kMax, 1}, {1ULL << 63U, 1}, {1, 1ULL << 63U}};
  for (const auto& [offset, size] : places) {
    const auto refused = table.add(region_of(memory, offset, size));
    ASSERT_FALSE(refused) << offset << ' ' << size;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
  using namespace std::string_literals;
  for (const std::string& key : {""s, "/"s, "/."s, "/.."s, "no-slash"s, "/a/b"s, "/../etc/passwd"s, "//x"s,
                                 memory.key() + "\0x"s, "/"s + std::string(255, 'x'), "/nothing-is-here"s}) {
    const auto refused = table.add({.name = "r", .key = key, .byte_size = 1});
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    const bool tells = key.size() > 3 && refused.error().message.find(key) != std::string::npos;
    EXPECT_FALSE(tells) << refused.error().message;
  }
  EXPECT_FALSE(table.add({.name = "", .key = memory.key(), .byte_size = 1}));
  EXPECT_FALSE(table.add({.name = std::string(257, 'n'), .key = memory.key(), .byte_size = 1}));
  EXPECT_TRUE(table.list("")->empty());
}

TEST(SharedMemory, ANameIsTakenOnce) {
  const Memory memory(64);
  SharedMemory table(true);
  ASSERT_TRUE(table.add(region_of(memory, 0, 32)));
  EXPECT_EQ(table.add(region_of(memory, 0, 16)).error().code, Code::kAlreadyExists);
  EXPECT_EQ(table.list("r")->at(0).byte_size, 32U);
  table.remove("other");
  table.remove("r");
  EXPECT_EQ(table.read({.region = "r", .byte_size = 1}).error().code, Code::kNotFound);
  EXPECT_EQ(table.list("r").error().code, Code::kNotFound);
  EXPECT_TRUE(table.add(region_of(memory, 0, 16)));
  table.remove_all();
  EXPECT_TRUE(table.list("")->empty());
}

TEST(SharedMemory, AClientThatShrinksItsMemoryGetsAnError) {
  Memory memory(64);
  SharedMemory table(true);
  ASSERT_TRUE(table.add(region_of(memory, 0, 64)));
  memory.resize(10);
  EXPECT_TRUE(table.read({.region = "r", .byte_size = 10}));
  EXPECT_THAT(table.read({.region = "r", .byte_size = 11}).error().message, HasSubstr("become smaller"));
}

TEST(SharedMemory, RegionsAreLimited) {
  const Memory memory(64);
  SharedMemory table(true);
  for (std::size_t i = 0; i < SharedMemory::kMaxRegions; ++i) {
    content::SharedRegion region = region_of(memory, 0, 8);
    region.name = std::to_string(i);
    const auto added = table.add(region);
    if (!added && i > 200) GTEST_SKIP() << "this process may open " << i << " files only";
    ASSERT_TRUE(added) << added.error().message;
  }
  EXPECT_EQ(table.add(region_of(memory, 0, 8)).error().code, Code::kResourceExhausted);
}

TEST(SharedMemory, IsOffUnlessAllowed) {
  const Memory memory(64);
  SharedMemory table(false);
  const auto refused = table.add(region_of(memory, 0, 8));
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("--allow-client-shm"));
  EXPECT_EQ(table.check({.region = "r"}).error().code, Code::kUnsupported);
  EXPECT_TRUE(table.list("")->empty());
}

}  // namespace
}  // namespace bascule::serving
