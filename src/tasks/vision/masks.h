#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::tasks::vision {

// What all masks of one picture are mixed from: `channels` planes of height x width, row after row.
struct Prototypes {
  std::span<const float> values;
  std::size_t channels = 0;
  std::size_t height = 0;
  std::size_t width = 0;
};

// Which pixels of a rectangle of the model's input belong to an object: 1, the others 0, rows from above.
// Thread-safety: a value.
struct Mask {
  int left = 0;
  int top = 0;
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;

  [[nodiscard]] bool empty() const;
};

// Memory of draw_mask; reused between calls. Thread-safety: external (one thread at a time).
struct MaskScratch {
  std::vector<float> mixed;
};

// The mask of one object within `box`, in pixels of the input: prototypes mixed with the object's
// coefficients, brought to the input's size, above 0. Numbers as the reference's process_mask
// (ultralytics 8.4, utils/ops.py), of which only what lies in the box is worked out. Precondition: as many
// coefficients as channels.
void draw_mask(const Prototypes& prototypes, std::span<const float> coefficients, const content::Box& box,
               content::PictureSize input, MaskScratch& scratch, Mask& out);

// The outer outline of a mask, in pixels of the input, one point for each corner: borders of its parts
// (pixels that touch, corners included) followed after Suzuki and Abe 1985, from the lowest part up; where
// there are several they are joined by lines between their nearest points, there and back. Empty for an empty
// mask.
[[nodiscard]] std::vector<content::Point> outline_of(const Mask& mask);

}  // namespace bascule::tasks::vision
