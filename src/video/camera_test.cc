#include "video/camera.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "video/test_clips.h"

namespace bascule::video {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(Camera, AddressesAreCheckedAndShownWithoutSecrets) {
  struct Case {
    std::string_view text;
    std::string_view shown;
  };
  constexpr Case kCases[] = {
      {"rtsp://10.0.0.5/line", "rtsp://10.0.0.5/line"},
      {"rtsp://user:p%40ss@cam.local:554/a/b", "rtsp://cam.local:554/a/b"},
      {"rtsps://u:p@x@[fe80::1]/s?password=hidden", "rtsps://[fe80::1]/s?…"},
      {"rtsp://cam?token=hidden", "rtsp://cam?…"},
      {"/dev/video0", "/dev/video0"},
      {"/dev/video12", "/dev/video12"},
  };
  for (const Case& c : kCases) {
    const auto address = parse_camera(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(address->shown, c.shown);
    EXPECT_EQ(address->url, c.text);
  }
}

TEST(Camera, WhatIsNoCameraIsRefusedWithoutRepeatingIt) {
  const std::string long_url = "rtsp://host/" + std::string(3000, 'a');
  for (const std::string_view text :
       {std::string_view("http://secret/"), std::string_view("file:///etc/secret"),
        std::string_view("secret.mp4"), std::string_view("rtsp://"), std::string_view("rtsp:///secret"),
        std::string_view("rtsp://u:secret@/x"), std::string_view("rtsp://u:secret'@host/"),
        std::string_view("rtsp://host/secret\noption x y"), std::string_view("rtsp://u:secret word@host/"),
        std::string_view("concat:secret"), std::string_view("rtsp://:80/secret"), std::string_view(long_url),
        std::string_view("")}) {
    const auto address = parse_camera(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Code::kInvalidArgument);
    EXPECT_THAT(address.error().message, Not(HasSubstr("secret")));
  }
  for (const std::string_view text : {"/dev/video", "/dev/video0x", "/dev/video/../sda", "/dev/video1234"}) {
    EXPECT_FALSE(parse_camera(text)) << text;
  }
}

TEST(Camera, NoSecretStandsInTheListOfProcesses) {
  const auto address = parse_camera("rtsp://user:hidden@cam/line?key=alsohidden");
  ASSERT_TRUE(address);
  const CameraOptions options{.program = "ffmpeg", .max_fps = 5};
  for (const std::string& word : camera_words(*address, options)) EXPECT_THAT(word, Not(HasSubstr("hidden")));
  EXPECT_THAT(camera_words(*address, options), Contains("file,rtp,udp,tcp,tls"));
  EXPECT_THAT(camera_list(*address, options),
              HasSubstr("file 'rtsp://user:hidden@cam/line?key=alsohidden'\n"));
}

TEST(Camera, ADeviceIsReadAsOne) {
  const auto address = parse_camera("/dev/video3");
  ASSERT_TRUE(address);
  const auto words = camera_words(*address, {.program = "ffmpeg"});
  EXPECT_THAT(words, Contains("v4l2"));
  EXPECT_THAT(words, Contains("/dev/video3"));
}

TEST(Camera, ThatDoesNotAnswerSaysSoWithoutSecrets) {
  const auto program = ffmpeg_here();
  if (!program) GTEST_SKIP() << "ffmpeg is not installed";
  const SteadyClock clock;
  // Port 9 of this machine: nobody listens there.
  const auto address = parse_camera("rtsp://user:hidden@127.0.0.1:9/line");
  ASSERT_TRUE(address);
  auto camera = Camera::open(*address, {.program = *program}, clock);
  ASSERT_TRUE(camera);
  image::Bitmap bitmap;
  const auto frame = camera->next(bitmap, [] { return false; });
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, Code::kUnavailable);
  EXPECT_THAT(frame.error().message, HasSubstr("'rtsp://127.0.0.1:9/line' cannot be read"));
  EXPECT_THAT(frame.error().message, HasSubstr("refused"));
  EXPECT_THAT(frame.error().message, Not(HasSubstr("hidden")));
  EXPECT_FALSE(camera->next(bitmap, [] { return false; }));  // and after that, too
}

TEST(Camera, ThatIsSilentIsTakenToBeDead) {
  const std::string program = testing::TempDir() + "silent-camera.sh";
  std::ofstream(program) << "#!/bin/sh\nexec sleep 60\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const SteadyClock clock;
  auto camera = Camera::open({.url = "/dev/video0", .shown = "/dev/video0", .device = true},
                             {.program = program, .stall = std::chrono::milliseconds(20)}, clock);
  ASSERT_TRUE(camera);
  image::Bitmap bitmap;
  EXPECT_EQ(camera->next(bitmap, [] { return true; }).error().code, Code::kCancelled);
  const auto frame = camera->next(bitmap, [] { return false; });
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, Code::kUnavailable);
  EXPECT_THAT(frame.error().message, HasSubstr("'/dev/video0' gave no frame for 0.02 s"));
}

}  // namespace
}  // namespace bascule::video
