#include "tasks/vision/tiles.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>

namespace bascule::tasks::vision {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What a model would say of each tile: the visible part of every object that shows at least `least` of
// itself.
std::vector<content::Detections> cut_up(const std::vector<content::Detection>& objects,
                                        const std::vector<Tile>& tiles, float least = 0.2F) {
  std::vector<content::Detections> out;
  for (const Tile& tile : tiles) {
    content::Detections found{.picture = {.height = tile.height, .width = tile.width}};
    const auto left = static_cast<float>(tile.x);
    const auto top = static_cast<float>(tile.y);
    for (content::Detection object : objects) {
      content::Box& box = object.box;
      const float whole = (box.x2 - box.x1) * (box.y2 - box.y1);
      box = {.x1 = std::max(box.x1 - left, 0.0F),
             .y1 = std::max(box.y1 - top, 0.0F),
             .x2 = std::min(box.x2 - left, static_cast<float>(tile.width)),
             .y2 = std::min(box.y2 - top, static_cast<float>(tile.height))};
      if (box.x2 <= box.x1 || box.y2 <= box.y1) continue;
      const float part = (box.x2 - box.x1) * (box.y2 - box.y1) / whole;
      if (part < least && whole < static_cast<float>(tile.width * tile.height)) continue;
      object.confidence *= 0.5F + 0.5F * part;
      found.rows.push_back(object);
    }
    out.push_back(std::move(found));
  }
  return out;
}

content::Detection object(float x1, float y1, float x2, float y2, int class_id = 0, float confidence = 0.9F) {
  return {.class_id = class_id, .confidence = confidence, .box = {.x1 = x1, .y1 = y1, .x2 = x2, .y2 = y2}};
}

testing::Matcher<const content::Detection&> is_at(const content::Box& box) {
  return testing::Truly([box](const content::Detection& got) {
    return got.box.x1 == box.x1 && got.box.y1 == box.y1 && got.box.x2 == box.x2 && got.box.y2 == box.y2;
  });
}

TEST(Tiles, CoverEveryPixelWithAtLeastTheOverlap) {
  for (const content::PictureSize picture :
       {content::PictureSize{3000, 4000}, {640, 640}, {641, 1153}, {10, 5000}}) {
    const auto tiles = tiles_of(picture, {.size = 640, .overlap = 0.2});
    ASSERT_TRUE(tiles) << tiles.error().message;
    EXPECT_EQ(tiles->front().x, 0);
    EXPECT_EQ(tiles->back().x + tiles->back().width, picture.width);
    EXPECT_EQ(tiles->back().y + tiles->back().height, picture.height);
    for (std::size_t i = 1; i < tiles->size(); ++i) {
      const Tile& tile = (*tiles)[i];
      const Tile& before = (*tiles)[i - 1];
      EXPECT_EQ(tile.width, std::min(640, picture.width));
      if (tile.y != before.y) continue;
      EXPECT_GE(before.x + before.width - tile.x, 128);
    }
  }
  EXPECT_EQ(tiles_of({3000, 4000}, {})->size(), 48U);
  EXPECT_THAT(*tiles_of({480, 640}, {}), ElementsAre(Tile{0, 0, 640, 480}));
}

TEST(Tiles, RefusesWhatIsOutOfRange) {
  EXPECT_THAT(tiles_of({100, 100}, {.size = 8}).error().message, HasSubstr("8"));
  EXPECT_THAT(tiles_of({100, 100}, {.overlap = 0.95}).error().message, HasSubstr("0.95"));
  EXPECT_THAT(tiles_of({0, 100}, {}).error().message, HasSubstr("cannot be cut"));
  EXPECT_THAT(tiles_of({60'000, 60'000}, {.size = 64}).error().message, HasSubstr("over the limit"));
}

TEST(Tiles, JoinWhatTheirBordersCut) {
  const content::PictureSize picture{.height = 1200, .width = 2000};
  const auto tiles = *tiles_of(picture, {.size = 640, .overlap = 0.2});
  const std::vector<content::Detection> objects = {
      object(500, 100, 700, 160),       // across one border
      object(30, 700, 1900, 760, 1),    // a scratch through every tile of a row
      object(600, 500, 680, 700),       // at a corner of four tiles
      object(100, 100, 140, 140),       // inside one
      object(1000, 300, 1040, 340, 2),  // in what two tiles show
  };
  const auto merged = merge_tiles(picture, tiles, cut_up(objects, tiles), {});
  EXPECT_EQ(merged.rows.size(), objects.size());
  for (const content::Detection& one : objects) {
    EXPECT_THAT(merged.rows, testing::Contains(is_at(one.box))) << one.box.x1 << ' ' << one.box.y1;
  }
  EXPECT_TRUE(std::ranges::is_sorted(merged.rows, std::ranges::greater(), &content::Detection::confidence));
}

TEST(Tiles, KeepNeighboursApart) {
  const content::PictureSize picture{.height = 640, .width = 1152};
  const auto tiles = *tiles_of(picture, {.size = 640, .overlap = 0.2});
  const std::vector<content::Detection> objects = {
      object(500, 100, 600, 200), object(600, 100, 700, 200),     // side by side across the border
      object(500, 300, 700, 400), object(500, 405, 700, 500),     // one below the other
      object(550, 550, 650, 600), object(550, 550, 650, 600, 1),  // two classes in one place
  };
  const auto merged = merge_tiles(picture, tiles, cut_up(objects, tiles), {});
  EXPECT_EQ(merged.rows.size(), objects.size());
}

TEST(Tiles, FindScatteredScratchesAgainWhereverTheyLie) {
  const content::PictureSize picture{.height = 3000, .width = 4000};
  const auto tiles = *tiles_of(picture, {});
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<content::Detection> objects;
    for (int i = 0; i < 20; ++i) {  // each in a cell of its own
      const int row = i / 5;
      const auto x = static_cast<float>(i % 5 * 800 + static_cast<int>(random() % 300));
      const auto y = static_cast<float>(row * 750 + static_cast<int>(random() % 300));
      objects.push_back(object(x, y, x + 10 + static_cast<float>(random() % 480),
                               y + 10 + static_cast<float>(random() % 430)));
    }
    const auto merged = merge_tiles(picture, tiles, cut_up(objects, tiles, 0.05F), {});
    EXPECT_EQ(merged.rows.size(), objects.size()) << "round " << round;
    for (const content::Detection& one : objects) {
      EXPECT_THAT(merged.rows, testing::Contains(is_at(one.box))) << "round " << round;
    }
  }
}

TEST(Tiles, MoveWhatIsSaidBesideABox) {
  const std::vector<Tile> tiles = {{0, 0, 100, 100}, {80, 0, 100, 100}};
  std::vector<content::Detections> found(2);
  found[1].rows = {object(30, 30, 40, 40)};
  found[1].corners = {{{{30, 30}, {40, 30}, {40, 40}, {30, 40}}}};
  found[1].keypoints = {{{.at = {31, 32}, .visible = 0.5F}}};
  found[1].tells_visible = true;
  found[1].outlines = {{{30, 30}, {40, 40}}};
  const auto merged = merge_tiles({.height = 100, .width = 180}, tiles, found, {});
  ASSERT_EQ(merged.rows.size(), 1U);
  EXPECT_EQ(merged.rows[0].box.x1, 110);
  EXPECT_EQ(merged.corners[0][2], (content::Point{120, 40}));
  EXPECT_EQ(merged.keypoints[0][0].at, (content::Point{111, 32}));
  EXPECT_TRUE(merged.tells_visible);
  EXPECT_EQ(merged.outlines[0][1], (content::Point{120, 40}));
}

TEST(Tiles, GiveNoMoreThanAskedFor) {
  const std::vector<Tile> tiles = {{0, 0, 640, 640}};
  std::vector<content::Detections> found(1);
  for (int i = 0; i < 50; ++i) {
    const auto x = static_cast<float>(i * 12);
    found[0].rows.push_back(object(x, 0, x + 10, 10, 0, 0.5F + static_cast<float>(i) / 200));
  }
  const auto merged = merge_tiles({.height = 640, .width = 640}, tiles, found, {.max_detections = 7});
  EXPECT_EQ(merged.rows.size(), 7U);
  EXPECT_EQ(merged.rows[0].box.x1, 49 * 12) << "the best are kept";
}

}  // namespace
}  // namespace bascule::tasks::vision
