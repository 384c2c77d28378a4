#include "applications/sources/labels_source.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "applications/sources/belt_source.h"
#include "image/encode.h"

namespace bascule::applications {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const Stop kNever = [] { return false; };

void write_picture(const fs::path& path, int width, int height) {
  image::Bitmap bitmap{.height = height, .width = width};
  bitmap.pixels.assign(bitmap.row_bytes() * static_cast<std::size_t>(height), 0);
  for (int x = 0; x < width; ++x) bitmap.row(0)[std::ptrdiff_t{3} * x] = static_cast<std::uint8_t>(x % 256);
  const auto bytes = image::encode_png(bitmap);
  ASSERT_TRUE(bytes);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
}

class LabelsSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "labels-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directories(root_ / "images");
    fs::create_directories(root_ / "labels");
  }
  void TearDown() override { fs::remove_all(root_); }
  void label(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / "labels" / name) << text;
  }
  fs::path root_;
};

TEST_F(LabelsSourceTest, GivesEachPictureWithItsBoxes) {
  write_picture(root_ / "images/b.png", 40, 20);
  write_picture(root_ / "images/a.png", 10, 10);
  label("b.txt", "2 0.5 0.5 0.5 0.5\n0 0.1 0.1 0.1 0.1\n");
  const auto source = LabelsSource::open({.source = "s", .folder = root_, .start_ms = 1000, .fps = 2});
  ASSERT_TRUE(source) << source.error().message;
  const auto first = (*source)->next(kNever);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->picture.name, "a.png");
  EXPECT_TRUE((*first)->labelled->rows.empty());
  const auto second = (*source)->next(kNever);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->number, 2U);
  EXPECT_EQ((*second)->time_ms, 1500);
  ASSERT_EQ((*second)->labelled->rows.size(), 2U);
  const content::Detection& row = (*second)->labelled->rows[0];
  EXPECT_EQ(row.class_id, 2);
  EXPECT_EQ(row.confidence, 1);
  EXPECT_EQ(row.box.x1, 10);
  EXPECT_EQ(row.box.y2, 15);
  const auto end = (*source)->next(kNever);
  EXPECT_TRUE(end && !*end);
  EXPECT_EQ((*source)->state().status, SourceStatus::kEnded);
}

TEST_F(LabelsSourceTest, GoesOnBehindWhatWasHandled) {
  for (const char* name : {"a.png", "b.png", "c.png"}) write_picture(root_ / "images" / name, 4, 4);
  const auto source = LabelsSource::open({.source = "s", .folder = root_, .after = 2});
  ASSERT_TRUE(source);
  const auto frame = (*source)->next(kNever);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->number, 3U);
  EXPECT_EQ((*frame)->picture.name, "c.png");
}

TEST_F(LabelsSourceTest, SaysWhatIsWrong) {
  EXPECT_THAT(LabelsSource::open({.source = "s", .folder = root_}).error().message, HasSubstr("no pictures"));
  write_picture(root_ / "images/a.png", 4, 4);
  label("a.txt", "0 0.5 high 0.1 0.1\n");
  const auto source = LabelsSource::open({.source = "s", .folder = root_});
  ASSERT_TRUE(source);
  const auto frame = (*source)->next(kNever);
  ASSERT_FALSE(frame);
  EXPECT_THAT(frame.error().message, HasSubstr("a.txt:1: 'high' is no number"));
  EXPECT_EQ((*source)->state().status, SourceStatus::kFailed);
}

TEST_F(LabelsSourceTest, DrawsAWindowOverABelt) {
  write_picture(root_ / "images/belt.png", 400, 10);
  // Two objects of 20 pixels: at 100 to 120 and at 300 to 320.
  label("belt.txt", "1 0.275 0.5 0.05 0.5\n2 0.775 0.5 0.05 0.5\n");
  const auto source = BeltSource::open({.source = "belt",
                                        .picture = root_ / "images/belt.png",
                                        .labels = root_ / "labels/belt.txt",
                                        .window = 100,
                                        .speed = 25,
                                        .drop_every = 4,
                                        .least_seen = 0.5,
                                        .fps = 10});
  ASSERT_TRUE(source) << source.error().message;
  std::set<int> classes;
  std::uint64_t frames = 0;
  while (true) {
    const auto frame = (*source)->next(kNever);
    ASSERT_TRUE(frame);
    if (!*frame) break;
    ++frames;
    const std::uint64_t number = (*frame)->number;
    EXPECT_NE(number % 4, 0U);
    EXPECT_EQ((*frame)->time_ms, static_cast<std::int64_t>(number - 1) * 100);
    ASSERT_TRUE((*frame)->labelled);
    const double left = 25 * static_cast<double>(number - 1) - 100;
    for (const content::Detection& row : (*frame)->labelled->rows) {
      classes.insert(row.class_id);
      const float from = row.class_id == 1 ? 100 : 300;
      EXPECT_EQ(row.box.x1, std::max(from - static_cast<float>(left), 0.0F));
      EXPECT_GE(row.box.x2 - row.box.x1, 10);
      EXPECT_LE(row.box.x2, 100);
    }
    // What the picture shows at a place of the belt is what is there.
    ASSERT_TRUE((*frame)->picture.raw);
    const int at = static_cast<int>(left) + 50;
    const auto shown = std::to_integer<int>((*frame)->picture.bytes[std::size_t{3} * 50]);
    EXPECT_EQ(shown, at >= 0 && at < 400 ? at % 256 : 0) << number;
  }
  EXPECT_EQ(frames, 15U);  // of 20
  EXPECT_EQ(classes, (std::set{1, 2}));
  EXPECT_EQ(BeltSource::open({.source = "b", .speed = 0}).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace bascule::applications
