#include "http/body_buffer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <gtest/gtest.h>

namespace bascule::http {
namespace {

// Fills the buffer with `size` bytes that tell their index, `step` at most at a time.
void fill(BodyBuffer& buffer, std::size_t size, std::size_t step) {
  while (buffer.size() < size) {
    const auto room = buffer.room();
    ASSERT_TRUE(room.has_value());
    const std::size_t count = std::min({room->size(), size - buffer.size(), step});
    for (std::size_t i = 0; i < count; ++i) (*room)[i] = static_cast<std::byte>((buffer.size() + i) % 251);
    buffer.commit(count);
  }
}

TEST(BodyBuffer, KeepsBytesAndPlaceAsItGrows) {
  for (const std::size_t aligned_at : {0U, 1U, 63U, 64U, 1000U}) {
    constexpr std::size_t kSize = 300'000;
    BodyBuffer buffer;
    buffer.reset({.aligned_at = aligned_at, .limit = kSize});
    fill(buffer, kSize, 777);
    const auto bytes = buffer.bytes();
    ASSERT_EQ(bytes.size(), kSize);
    for (std::size_t i = 0; i < kSize; ++i) ASSERT_EQ(bytes[i], static_cast<std::byte>(i % 251)) << i;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data() + aligned_at) % 64, 0U);
  }
}

TEST(BodyBuffer, HasReadableBytesBehind) {
  for (std::size_t size = 1; size < 300; ++size) {
    BodyBuffer buffer;
    buffer.reset({.aligned_at = size % 70, .announced = size, .limit = size});
    fill(buffer, size, size);
    std::byte copy[BodyBuffer::kReadableBehind];  // the sanitizer watches the read
    std::memcpy(copy, buffer.bytes().data() + size, sizeof copy);
    EXPECT_LE(buffer.bytes().size() + sizeof copy, buffer.capacity());
  }
}

TEST(BodyBuffer, DoesNotBelieveLargeAnnouncements) {
  BodyBuffer buffer;
  buffer.reset({.announced = 1ULL << 40U, .limit = 1ULL << 40U});
  fill(buffer, 1, 1);
  EXPECT_LE(buffer.capacity(), (1U << 20U) + 256);
  fill(buffer, 3U << 20U, 1U << 16U);
  EXPECT_LE(buffer.capacity(), (4U << 20U) + 256);
}

TEST(BodyBuffer, TakesExactlyWhatASmallAnnouncementNeeds) {
  BodyBuffer buffer;
  buffer.reset({.announced = 500'000, .limit = 500'000});
  const auto room = buffer.room();
  ASSERT_TRUE(room.has_value());
  EXPECT_EQ(room->size(), 500'000U);
}

TEST(BodyBuffer, IsReusedWithoutNewMemory) {
  BodyBuffer buffer;
  buffer.reset({.announced = 5000, .limit = 5000});
  fill(buffer, 5000, 5000);
  const std::size_t before = buffer.capacity();
  buffer.reset({.aligned_at = 17, .announced = 100, .limit = 100});
  EXPECT_EQ(buffer.size(), 0U);
  EXPECT_TRUE(buffer.bytes().empty());
  fill(buffer, 100, 3);
  EXPECT_EQ(buffer.capacity(), before);
}

}  // namespace
}  // namespace bascule::http
