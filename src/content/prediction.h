#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "content/picture.h"

namespace bascule::content {

// Class number -> name, as the model itself says.
using ClassNames = std::map<int, std::string>;

// What a caller may choose for one picture. Defaults are the reference package's.
struct PredictOptions {
  double confidence = 0.25;         // [0, 1]: rows at or below it are dropped
  double iou = 0.7;                 // [0, 1]: overlap above which the weaker box of a class is dropped
  std::optional<PictureSize> size;  // of the model's input; the model's own where absent
  int max_detections = 300;         // 1 to 30,000
};

// Pixels of the original picture; corner order as the model gave it.
struct Box {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

struct Detection {
  int class_id = 0;
  float confidence = 0;
  Box box;
};

// Objects found in one picture, best first.
struct Detections {
  PictureSize picture;
  std::vector<Detection> rows;
};

// What a task makes of a model's tensors. More alternatives come with more tasks.
using Prediction = std::variant<Detections>;

}  // namespace bascule::content
