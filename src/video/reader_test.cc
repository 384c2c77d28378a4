#include "video/reader.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "video/test_clips.h"

namespace bascule::video {
namespace {

using testing::HasSubstr;

const SteadyClock kClock;
bool never() { return false; }

class ReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!ffmpeg_here()) GTEST_SKIP() << "ffmpeg is not installed";
  }
};

struct Frames {
  std::vector<image::Bitmap> all;
  std::optional<Error> error;
};

Frames read_all(std::span<const std::byte> clip, ReaderOptions options = {}) {
  options.program = *ffmpeg_here();
  auto copy = sealed_copy(clip);
  EXPECT_TRUE(copy);
  auto reader = Reader::open(*std::move(copy), options, kClock);
  if (!reader) return {.all = {}, .error = reader.error()};
  Frames frames;
  while (true) {
    image::Bitmap frame;
    const auto more = reader->next(frame, never);
    if (!more) frames.error = more.error();
    if (!more || !*more) break;
    frames.all.push_back(std::move(frame));
  }
  EXPECT_EQ(reader->frames(), frames.all.size());
  return frames;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// Every frame of one colour, the frame's number times 10: lossless.
const std::string kCounting =
    "color=size=32x16:rate=10:duration=1,geq=lum='16+N*10':cb=128:cr=128,format=gray";

TEST_F(ReaderTest, ReadsEveryContainer) {
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"mp4", {"-c:v", "mpeg4", "-movflags", "frag_keyframe+empty_moov"}},
      {"mov", {"-c:v", "mpeg4", "-movflags", "frag_keyframe+empty_moov"}},
      {"matroska", {"-c:v", "ffv1"}},
      {"webm", {"-c:v", "libvpx"}},
      {"avi", {"-c:v", "mjpeg"}},
      {"mpegts", {"-c:v", "mpeg2video"}},
      {"mpeg", {"-c:v", "mpeg1video", "-r", "25"}},
      {"flv", {"-c:v", "flv"}},
      {"asf", {"-c:v", "wmv2"}},
      {"ogg", {"-c:v", "libtheora"}},
  };
  for (const auto& [format, words] : cases) {
    const Frames frames = read_all(make_clip(format, words));
    EXPECT_FALSE(frames.error) << format << ": " << frames.error->message;
    ASSERT_GE(frames.all.size(), 10U) << format;
    EXPECT_LE(frames.all.size(), 26U) << format;
    for (const image::Bitmap& frame : frames.all) {
      EXPECT_EQ(frame.width, 64);
      EXPECT_EQ(frame.height, 48);
      EXPECT_EQ(frame.pixels.size(), 64U * 48 * 3);
    }
  }
}

TEST_F(ReaderTest, GivesFramesInOrderAndEverySoManyth) {
  const auto clip = make_clip("matroska", {"-c:v", "ffv1"}, kCounting);
  const auto level = [](const image::Bitmap& frame) {
    return std::accumulate(frame.pixels.begin(), frame.pixels.end(), 0.0) /
           static_cast<double>(frame.pixels.size());
  };
  const Frames all = read_all(clip);
  ASSERT_EQ(all.all.size(), 10U);
  for (std::size_t i = 1; i < all.all.size(); ++i) EXPECT_GT(level(all.all[i]), level(all.all[i - 1]) + 5);
  // As the reference package: it passes over stride - 1 frames and takes the next.
  const Frames third = read_all(clip, {.stride = 3});
  ASSERT_EQ(third.all.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(third.all[i].pixels, all.all[3 * i + 2].pixels);
  const Frames none = read_all(clip, {.stride = 11});
  ASSERT_TRUE(none.error);
  EXPECT_THAT(none.error->message, HasSubstr("no frame"));
}

TEST_F(ReaderTest, RefusesWhatIsBeyondALimit) {
  const auto clip = make_clip("matroska", {"-c:v", "ffv1"});
  EXPECT_FALSE(read_all(clip, {.max_pixels = 64ULL * 48, .max_frames = 10}).error);
  const Frames large = read_all(clip, {.max_pixels = 64ULL * 48 - 1});
  ASSERT_TRUE(large.error);
  EXPECT_EQ(large.error->code, Code::kPayloadTooLarge);
  EXPECT_THAT(large.error->message, HasSubstr("64 x 48 = 3072 pixels; the limit is 3071"));
  EXPECT_TRUE(large.all.empty());
  const Frames many = read_all(clip, {.max_frames = 9});
  ASSERT_TRUE(many.error);
  EXPECT_EQ(many.error->code, Code::kPayloadTooLarge);
  EXPECT_THAT(many.error->message, HasSubstr("more than 9 frames"));
  EXPECT_EQ(many.all.size(), 9U);
  const Frames strided = read_all(clip, {.stride = 2, .max_frames = 4});
  EXPECT_THAT(strided.error->message, HasSubstr("one of 2 was taken"));
  const Frames late = read_all(clip, {.time_limit = std::chrono::nanoseconds(1)});
  ASSERT_TRUE(late.error);
  EXPECT_THAT(late.error->message, HasSubstr("--max-video-seconds"));
}

TEST_F(ReaderTest, RefusesWhatIsNoVideo) {
  const auto says = [](const Frames& frames, const char* text) {
    ASSERT_TRUE(frames.error) << text;
    EXPECT_EQ(frames.error->code, Code::kInvalidArgument);
    EXPECT_EQ(frames.error->reason, Reason::kBadPicture);
    EXPECT_THAT(frames.error->message, HasSubstr(text));
    EXPECT_THAT(frames.error->message, testing::Not(HasSubstr("/proc/")));
    EXPECT_TRUE(frames.all.empty());
  };
  says(read_all({}), "does not begin as");
  says(read_all(bytes_of("some text")), "does not begin as");
  says(read_all(bytes_of("#EXTM3U\nfile:///etc/passwd\n")), "does not begin as");
  says(read_all(bytes_of("ffconcat version 1.0\nfile /etc/passwd\n")), "does not begin as");
  says(read_all(bytes_of("\x1A\x45\xDF\xA3 and nothing else")), "no frame that can be read");
  auto clip = make_clip("mp4", {"-c:v", "mpeg4", "-movflags", "empty_moov+frag_keyframe"});
  clip.resize(100);  // without the box that tells what is in it
  says(read_all(clip), "no frame that can be read");
  // Sound alone.
  const auto sound = make_clip("matroska", {"-c:a", "flac"}, "sine=duration=0.1");
  says(read_all(sound), "no frame that can be read");
}

TEST_F(ReaderTest, ReadsADamagedVideoAsFarAsItGoes) {
  auto clip = make_clip("matroska", {"-c:v", "mjpeg"});
  clip.resize(clip.size() / 2);
  const Frames cut = read_all(clip);
  EXPECT_GE(cut.all.size(), 3U);
  EXPECT_LT(cut.all.size(), 10U);
  // 30 mutations from a fixed seed: an answer or a sentence, and never more frames than there are.
  const auto whole = make_clip("avi", {"-c:v", "mjpeg"}, "testsrc=size=32x32:rate=10:duration=0.3");
  std::uint64_t state = 7;
  for (int round = 0; round < 30; ++round) {
    auto mutated = whole;
    for (int i = 0; i < 20; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      mutated[(state >> 33U) % mutated.size()] = static_cast<std::byte>(state >> 24U & 0xFFU);
    }
    const Frames frames = read_all(mutated, {.max_pixels = 4096, .max_frames = 20});
    EXPECT_LE(frames.all.size(), 20U);
    EXPECT_TRUE(frames.error || !frames.all.empty());
  }
}

// A list of other files, made to look like a video at its beginning: the reader of lists is never asked.
TEST_F(ReaderTest, OpensNoOtherFileAndNoConnection) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const Descriptor owner(listener);
  const std::string list =
      fmt::format("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{}/a.ts\n", ntohs(address.sin_port));
  for (const std::string& head : {std::string("\0\0\0\x18"
                                              "ftypisom",
                                              12),
                                  std::string("OggS"), std::string()}) {
    EXPECT_TRUE(read_all(bytes_of(head + list)).error);
  }
  pollfd waiting{.fd = listener, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
}

TEST_F(ReaderTest, EndsItsChildWhenNobodyWantsMore) {
  const auto clip = make_clip("matroska", {"-c:v", "mpeg4"}, "testsrc=size=640x480:rate=50:duration=4");
  const auto open = [&] {
    auto reader = Reader::open(*sealed_copy(clip), {.program = *ffmpeg_here()}, kClock);
    EXPECT_TRUE(reader);
    return *std::move(reader);
  };
  const auto there = [](pid_t id) { return ::kill(id, 0) == 0 || errno != ESRCH; };
  image::Bitmap frame;
  pid_t child = 0;
  {
    Reader reader = open();
    ASSERT_TRUE(reader.next(frame, never).value_or(false));
    child = reader.child();
    // It waits: the pipe is full, and nobody takes more.
    EXPECT_TRUE(there(child));
  }
  EXPECT_FALSE(there(child));
  Reader reader = open();
  ASSERT_TRUE(reader.next(frame, never).value_or(false));
  const auto stopped = reader.next(frame, [] { return true; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
}

TEST_F(ReaderTest, SaysWhenTheProgramFails) {
  auto reader = Reader::open(*sealed_copy(make_clip("avi")), {.program = "/bin/false"}, kClock);
  ASSERT_TRUE(reader);
  image::Bitmap frame;
  EXPECT_THAT(reader->next(frame, never).error().message, HasSubstr("no frame that can be read"));
  EXPECT_FALSE(reader->next(frame, never).value_or(true));
  auto echo = Reader::open(*sealed_copy(make_clip("avi")), {.program = "/bin/echo"}, kClock);
  EXPECT_EQ(echo->next(frame, never).error().code, Code::kInternal);
}

}  // namespace
}  // namespace bascule::video
