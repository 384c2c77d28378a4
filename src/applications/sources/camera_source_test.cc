// A real RTSP server, GStreamer's, that is killed and started again.
#include "applications/sources/camera_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "image/encode.h"
#include "video/child.h"
#include "video/program.h"

namespace bascule::applications {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr int kWidth = 160;
constexpr int kHeight = 120;
const Stop kNever = [] { return false; };

class CameraSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "camera-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (int i = 0; i < 8; ++i) {
      image::Bitmap bitmap{.height = kHeight, .width = kWidth};
      bitmap.pixels.assign(bitmap.row_bytes() * kHeight, static_cast<std::uint8_t>(20 + 25 * i));
      const auto jpeg = image::encode_jpeg(bitmap);
      ASSERT_TRUE(jpeg);
      std::ofstream(folder_ / fmt::format("{:03}.jpg", i), std::ios::binary)
          .write(reinterpret_cast<const char*>(jpeg->data()), static_cast<std::streamsize>(jpeg->size()));
    }
    const auto found = video::find_ffmpeg("ffmpeg", "/usr/local/bin:/usr/bin:/bin");
    if (!found) GTEST_SKIP() << found.error().message;
    ffmpeg_ = *found;
    serve("0");
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Serves the pictures as a loop, 20 each second.
  void serve(const std::string& port) {
    const video::Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto child = video::Child::start(
        {"/usr/bin/python3", std::string(BASCULE_SOURCE_DIR) + "/tests/system/rtsp_server.py",
         folder_.string(), std::to_string(kWidth), std::to_string(kHeight), "20", port, "user", "hid den"},
        nothing, {.memory_bytes = 8ULL << 30U});
    ASSERT_TRUE(child);
    server_.emplace(*std::move(child));
    std::string said;
    const TimePoint end = clock_.now() + std::chrono::seconds(30);
    while (!said.ends_with('\n')) {
      ASSERT_LT(clock_.now(), end) << "the RTSP server does not say its port";
      std::vector<std::byte> room(64);
      const auto count = server_->read(room, std::chrono::seconds(1));
      if (!count) continue;
      ASSERT_GT(*count, 0U) << server_->wait().said
                            << "\nscripts/setup.sh --tests brings GStreamer's RTSP server";
      said.append(reinterpret_cast<const char*>(room.data()), *count);
    }
    port_ = std::string(text::trimmed(said));
  }
  std::unique_ptr<Source> watch(const std::string& password) {
    auto address = video::parse_camera(fmt::format("rtsp://user:{}@127.0.0.1:{}/line", password, port_));
    EXPECT_TRUE(address);
    return watch_camera({.source = "cam",
                         .address = *std::move(address),
                         .camera = {.program = ffmpeg_, .stall = std::chrono::seconds(5)},
                         .after = 100},
                        {.first = std::chrono::milliseconds(20), .longest = std::chrono::milliseconds(100)},
                        clock_);
  }

  fs::path folder_;
  std::string ffmpeg_;
  std::string port_;
  std::optional<video::Child> server_;
  SteadyClock clock_;
};

TEST_F(CameraSourceTest, ComesBackWithItsServer) {
  const auto source = watch("hid%20den");
  EXPECT_TRUE(source->live());
  std::uint64_t number = 100;
  const auto expect_frame = [&] {
    const auto frame = source->next(kNever);
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->number, ++number);
    ASSERT_TRUE((*frame)->picture.raw);
    EXPECT_EQ(*(*frame)->picture.raw, (content::PictureSize{.height = kHeight, .width = kWidth}));
    EXPECT_GT((*frame)->time_ms, 1'700'000'000'000);
  };
  for (int i = 0; i < 10; ++i) expect_frame();
  EXPECT_EQ(source->state().status, SourceStatus::kRunning);
  EXPECT_EQ(source->state().reconnects, 0U);
  server_.reset();  // kill -9
  // Down, and tried again and again.
  while (source->state().reconnects < 3) {
    const auto frame = source->next([&] { return source->state().reconnects >= 3; });
    if (frame) number = (*frame)->number;  // what was on its way
  }
  EXPECT_EQ(source->state().status, SourceStatus::kWaiting);
  EXPECT_THAT(source->state().error, HasSubstr(fmt::format("'rtsp://127.0.0.1:{}/line'", port_)));
  serve(port_);
  for (int i = 0; i < 10; ++i) expect_frame();
  EXPECT_EQ(source->state().status, SourceStatus::kRunning);
  EXPECT_EQ(source->state().frames, number - 100);
}

TEST_F(CameraSourceTest, DoesNotTellThePasswordThatWasWrong) {
  const auto source = watch("secret");
  EXPECT_FALSE(source->next([&] { return source->state().reconnects >= 1; }));
  EXPECT_THAT(source->state().error, HasSubstr("401"));
  EXPECT_THAT(source->state().error, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace bascule::applications
