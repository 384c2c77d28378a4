#pragma once

#include <memory>
#include <string>

#include "content/description.h"
#include "tasks/task.h"
#include "tasks/vision/picture_input.h"

namespace bascule::tasks::vision {

// Thread-safety: a value.
struct ClassificationSpec {
  std::string output;                                           // (1, classes), further dimensions of 1
  content::Activation activation = content::Activation::kNone;  // of its scores
  bool background = false;                                      // the first is none of the classes
  PictureInputSpec input;
};

// What a whole picture is: the five most probable classes, as the reference package tells them.
[[nodiscard]] std::shared_ptr<const Task> make_classification_task(ClassificationSpec spec);

}  // namespace bascule::tasks::vision
