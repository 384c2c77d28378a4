#pragma once

#include <memory>
#include <string>

#include "tasks/task.h"
#include "tasks/vision/picture_input.h"

// Tasks that say something of every pixel, brought back to the picture's own size as the reference package
// does it.
namespace bascule::tasks::vision {

// Thread-safety: a value.
struct PixelMapSpec {
  std::string output;
  PictureInputSpec input;
};

// A class for every pixel. The output is (1, height, width) of UINT8: the model has chosen.
[[nodiscard]] std::shared_ptr<const Task> make_class_map_task(PixelMapSpec spec);

// A distance for every pixel. The output is (1, 1, height, width) of FP32.
[[nodiscard]] std::shared_ptr<const Task> make_depth_task(PixelMapSpec spec);

}  // namespace bascule::tasks::vision
