#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "content/prediction.h"

// Clips for tests: a window that goes along one of the labelled strips of fruit, so that the fruit goes by.
namespace bascule::tasks::vision {

struct BeltItem {
  int label = 0;  // its line in the file
  int class_id = 0;
  content::Box box;  // as far as it is in the window
};

struct BeltFrame {
  std::uint64_t number = 0;  // from 1
  std::vector<BeltItem> items;
};

struct BeltClip {
  int labels = 0;
  content::PictureSize picture{.height = 720, .width = 1280};
  std::vector<BeltFrame> frames;  // an empty belt first and last
};

// `strip`: "fruit_102_0000" or "fruit_102_0001"; `speed`: pixels a frame, to the left, below 0 to the right.
// `dropped`: every fourth frame is not there, its number is skipped. Items that show less than three tenths
// of themselves are left out, as a model would.
BeltClip belt_clip(const std::string& strip, int speed, bool dropped);

}  // namespace bascule::tasks::vision
