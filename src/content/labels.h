#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::content {

// What the labels of a data set may say.
// Thread-safety: a value.
struct LabelRules {
  std::size_t classes = 0;  // their numbers are below this; 0: any
  bool keypoints = false;   // behind a box stand numbers of keypoints, which are left out
};

// A marked object, in parts of the picture's sides.
struct Label {
  int class_id = 0;
  double centre_x = 0, centre_y = 0, width = 0, height = 0;
};

// Reads the label file of one picture: a line for each object, "class x y width height" (the box's centre and
// size), or, in all lines, "class x1 y1 x2 y2 …" (an outline; its box is taken). Numbers are parts of the
// picture, with 1 % of tolerance; lines said twice count once. An empty
// text is a picture without objects. Errors: kInvalidArgument, beginning with `file` and the line.
Result<std::vector<Label>> read_labels(std::string_view text, const std::string& file,
                                       const LabelRules& rules);

// In pixels.
[[nodiscard]] Box box_of(const Label& label, PictureSize picture);

}  // namespace bascule::content
