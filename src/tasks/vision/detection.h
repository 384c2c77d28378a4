#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "content/picture.h"
#include "tasks/task.h"

namespace bascule::tasks::vision {

// How a YOLO detector says what it found.
enum class DetectionLayout {
  kRaw,   // (1, 4 + classes, anchors): every anchor's box and scores; suppression is left to us
  kRows,  // (1, rows, 6): x1, y1, x2, y2, score, class; the model has chosen, empty rows score 0
};

// All that a detector's work depends on. Sides are those of the model's input.
// Thread-safety: a value.
struct DetectionSpec {
  DetectionLayout layout = DetectionLayout::kRaw;
  std::string output;          // name of the tensor to read
  content::PictureSize fixed;  // sides that the file fixes; 0 where any will do
  content::PictureSize size;   // where a request asks for none
  int stride = 32;             // sides that are not fixed become multiples of it
  bool rectangular = false;    // pad up to the stride only, instead of to the full size
  std::uint64_t max_pixels = 0;
  int max_side = 0;  // of a size asked for
};

// Object detection with the YOLO families v8, 11, 26 and those whose outputs look like theirs. Preparation,
// suppression and scaling follow the reference package (ultralytics 8.4).
[[nodiscard]] std::shared_ptr<const Task> make_detection_task(DetectionSpec spec);

}  // namespace bascule::tasks::vision
