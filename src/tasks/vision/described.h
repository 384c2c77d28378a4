#pragma once

#include <memory>
#include <string>

#include "content/description.h"
#include "tasks/task.h"
#include "tasks/vision/picture_input.h"

// Detectors as frameworks other than the YOLO families export them: boxes and scores in tensors of their own.
namespace bascule::tasks::vision {

// Thread-safety: a value.
struct BoxDetectorSpec {
  std::string boxes;    // (1, count, 4) or (count, 4); where it is the only one, (1, count, 4 + classes)
  std::string scores;   // (1, count) or (1, count, classes); empty: they follow the box in `boxes`
  std::string classes;  // (1, count): numbers; empty: scores are one for each class
  content::BoxForm form = content::BoxForm::kCorners;
  content::BoxUnit unit = content::BoxUnit::kFraction;
  content::Activation activation = content::Activation::kAuto;
  bool background = false;  // class 0 is none
  bool suppress = false;
  std::size_t labels = 0;  // classes that have names; above 0, those beyond are none (DETR's "no object")
  PictureInputSpec input;
};

// SSD, RT-DETR, DETR, torchvision's detectors and those like them: of each box its best class, where that is
// sure enough; with `suppress` overlapping boxes of a class go, as with the raw layout of YOLO.
[[nodiscard]] std::shared_ptr<const Task> make_box_detector(BoxDetectorSpec spec);

}  // namespace bascule::tasks::vision
