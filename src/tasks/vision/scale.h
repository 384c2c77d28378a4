#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "content/prediction.h"
#include "image/letterbox.h"

// Private to this room.
namespace bascule::tasks::vision {

// From pixels of the model's input to pixels of the picture, as the reference's scale_boxes and scale_coords
// (utils/ops.py). Thread-safety: immutable.
class Scale {
 public:
  explicit Scale(const image::Letterbox& letterbox)
      : left_(static_cast<float>(letterbox.box_left)),
        top_(static_cast<float>(letterbox.box_top)),
        gain_x_(static_cast<float>(letterbox.gain_x)),
        gain_y_(static_cast<float>(letterbox.gain_y)),
        width_(static_cast<float>(letterbox.original.width)),
        height_(static_cast<float>(letterbox.original.height)) {}

  [[nodiscard]] content::Point point(content::Point at) const {
    return {std::clamp((at.x - left_) / gain_x_, 0.0F, width_),
            std::clamp((at.y - top_) / gain_y_, 0.0F, height_)};
  }

  [[nodiscard]] content::Box box(const content::Box& box) const {
    const content::Point one = point({box.x1, box.y1});
    const content::Point two = point({box.x2, box.y2});
    return {one.x, one.y, two.x, two.y};
  }

  // Not kept within the picture.
  [[nodiscard]] content::Box whole_box(const content::Box& box) const {
    return {(box.x1 - left_) / gain_x_, (box.y1 - top_) / gain_y_, (box.x2 - left_) / gain_x_,
            (box.y2 - top_) / gain_y_};
  }

  // Of a box given by centre and size; not kept within the picture.
  [[nodiscard]] std::array<content::Point, 4> corners(const content::Box& box, float angle) const {
    const float x = (box.x1 - left_) / gain_x_;
    const float y = (box.y1 - top_) / gain_y_;
    const float width = box.x2 / gain_x_;
    const float height = box.y2 / gain_y_;
    const float cosine = std::cos(angle);
    const float sine = std::sin(angle);
    const content::Point along{width / 2 * cosine, width / 2 * sine};
    const content::Point across{-height / 2 * sine, height / 2 * cosine};
    return {{{x + along.x + across.x, y + along.y + across.y},
             {x + along.x - across.x, y + along.y - across.y},
             {x - along.x - across.x, y - along.y - across.y},
             {x - along.x + across.x, y - along.y + across.y}}};
  }

 private:
  float left_, top_, gain_x_, gain_y_, width_, height_;
};

}  // namespace bascule::tasks::vision
