#pragma once

#include <memory>
#include <string>

#include "tasks/task.h"
#include "tasks/vision/picture_input.h"

namespace bascule::tasks::vision {

// How a YOLO detector says what it found.
enum class DetectionLayout {
  kRaw,   // (1, 4 + classes + more, anchors): every anchor's box, scores and more; suppression is left to us
  kRows,  // (1, rows, 6 + more): x1, y1, x2, y2, score, class, more; the model has chosen, empty rows score 0
};

// What it says of an object beyond its box.
enum class ObjectKind {
  kBox,        // nothing
  kRotated,    // one number: the angle, in radians; the box is centre and size
  kKeypoints,  // for each point x, y, and where there are three numbers how visible it is
  kMask,       // what the prototypes in a second output are mixed with
};

// All that a detector's work depends on.
// Thread-safety: a value.
struct DetectionSpec {
  DetectionLayout layout = DetectionLayout::kRaw;
  ObjectKind kind = ObjectKind::kBox;
  std::string output;      // name of the tensor to read
  std::string prototypes;  // of masks: name of the other, (1, channels, height, width)
  int more = 0;            // numbers beyond box, score and class
  int point_size = 3;      // numbers of a keypoint: 2 or 3
  PictureInputSpec input;
};

// Object detection with the YOLO families v8, 11, 26 and those whose outputs look like theirs; rotated boxes,
// keypoints and masks too. Preparation, suppression and scaling follow the reference package
// (ultralytics 8.4).
[[nodiscard]] std::shared_ptr<const Task> make_detection_task(DetectionSpec spec);

}  // namespace bascule::tasks::vision
