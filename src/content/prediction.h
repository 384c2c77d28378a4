#pragma once

#include <array>
#include <cstddef>
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

// "class3" where the model does not name it, as the reference package does.
[[nodiscard]] inline std::string name_of(int class_id, const ClassNames& names) {
  const auto name = names.find(class_id);
  return name != names.end() ? name->second : "class" + std::to_string(class_id);
}

// What a caller may choose for one picture. Defaults are the reference package's.
struct PredictOptions {
  double confidence = 0.25;         // [0, 1]: rows at or below it are dropped
  double iou = 0.7;                 // [0, 1]: overlap above which the weaker box of a class is dropped
  std::optional<PictureSize> size;  // of the model's input; the model's own where absent
  int max_detections = 300;         // 1 to 30,000
  std::vector<int> classes;         // only these; empty: all
  int depth_bits = 8;               // 8, 12 or 16: how finely a depth map is told
  // Where set, the answer is to be held against labels, as the reference package's validator does: the
  // picture's longer side is that of `size`, in the middle of an input of just these sides where the model
  // takes them; an anchor counts for every class that is sure enough; boxes reach beyond the picture, and
  // nothing else is told.
  std::optional<PictureSize> judged_input;
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

// In pixels of the original picture, from its upper left corner.
struct Point {
  float x = 0, y = 0;
  bool operator==(const Point&) const = default;
};

// A joint, or another mark of an object.
struct Keypoint {
  Point at;
  float visible = 1;  // how sure it is to be seen, 0 to 1
};

// Objects found in one picture, best first.
struct Detections {
  PictureSize picture;
  std::vector<Detection> rows;
  // What a task says beyond a box: one for each row, or none at all.
  std::vector<std::array<Point, 4>> corners;  // of a rotated box; `box` then is the one around it
  std::vector<std::vector<Keypoint>> keypoints;
  bool tells_visible = false;                // the keypoints do
  std::vector<std::vector<Point>> outlines;  // of a mask, closed; parts of one mask are joined by lines
};

struct RankedClass {
  int class_id = 0;
  float confidence = 0;
};

// What one picture is, best first.
struct Classification {
  PictureSize picture;
  std::vector<RankedClass> best;
};

// A class for every pixel.
struct ClassMap {
  struct Share {
    int class_id = 0;
    double of_pixels = 0;  // 0 to 1
  };
  PictureSize picture;
  std::vector<Share> shares;          // of the classes that are there, ascending
  std::vector<std::uint8_t> classes;  // rows from above, of `picture`
  std::vector<std::byte> png;         // the same
};

// The class that a number of a class map stands for; nothing for the padding, and for what was not wanted. A
// model of one class says 1 where it is and 0 where not.
[[nodiscard]] inline std::optional<int> class_of(const ClassMap::Share& share, const ClassNames& names) {
  if (names.size() == 1) return share.class_id == 1 ? std::optional(0) : std::nullopt;
  return names.contains(share.class_id) ? std::optional(share.class_id) : std::nullopt;
}

// A distance for every pixel.
struct DepthMap {
  PictureSize picture;
  float nearest = 0;  // in the model's unit
  float farthest = 0;
  int bits = 8;
  // Rows from above, of `picture`: 0 is the nearest, 2^bits - 1 the farthest.
  std::vector<std::uint16_t> levels;
  std::vector<std::byte> png;  // the same, of 8 or 16 bits
};

// What a task makes of a model's tensors.
using Prediction = std::variant<Detections, Classification, ClassMap, DepthMap>;

// The original picture's size.
[[nodiscard]] inline PictureSize picture_of(const Prediction& prediction) {
  return std::visit([](const auto& one) { return one.picture; }, prediction);
}

}  // namespace bascule::content
