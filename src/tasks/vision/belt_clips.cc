#include "tasks/vision/belt_clips.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/check.h"

namespace bascule::tasks::vision {
namespace {

constexpr int kStrip = 5760;

std::vector<BeltItem> labels_of(const std::string& strip, int height) {
  std::ifstream in(std::string(BASCULE_SOURCE_DIR) + "/tests/data/labelled/belts/labels/" + strip + ".txt");
  BASCULE_CHECK(in);
  std::vector<BeltItem> out;
  BeltItem item;
  float x = 0, y = 0, width = 0, box_height = 0;
  while (in >> item.class_id >> x >> y >> width >> box_height) {
    const auto across = static_cast<float>(kStrip);
    const auto down = static_cast<float>(height);
    item.label = static_cast<int>(out.size());
    item.box = {.x1 = (x - width / 2) * across,
                .y1 = (y - box_height / 2) * down,
                .x2 = (x + width / 2) * across,
                .y2 = (y + box_height / 2) * down};
    out.push_back(item);
  }
  return out;
}

}  // namespace

BeltClip belt_clip(const std::string& strip, int speed, bool dropped) {
  BeltClip clip;
  const std::vector<BeltItem> items = labels_of(strip, clip.picture.height);
  clip.labels = static_cast<int>(items.size());
  const auto width = static_cast<float>(clip.picture.width);
  const int way = kStrip + clip.picture.width;
  std::uint64_t number = 0;
  for (int gone = 0; gone <= way + std::abs(speed); gone += std::abs(speed)) {
    ++number;
    if (dropped && number % 4 == 0) continue;
    const auto left = static_cast<float>(speed > 0 ? gone - clip.picture.width : kStrip - gone);
    BeltFrame& frame = clip.frames.emplace_back(BeltFrame{.number = number});
    for (BeltItem item : items) {
      const float whole = item.box.x2 - item.box.x1;
      item.box.x1 = std::clamp(item.box.x1 - left, 0.0F, width);
      item.box.x2 = std::clamp(item.box.x2 - left, 0.0F, width);
      if (item.box.x2 - item.box.x1 >= 0.3F * whole) frame.items.push_back(item);
    }
  }
  return clip;
}

}  // namespace bascule::tasks::vision
