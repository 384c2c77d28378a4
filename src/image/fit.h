#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "content/picture.h"
#include "image/bitmap.h"

namespace bascule::image {

// How classifiers are given a picture: scaled until its shorter side fits, then its middle cut out. Roundings
// are those of torchvision's Resize and CenterCrop on Pillow's pictures; for a target that is no square it is
// stretched.
struct CentreCrop {
  content::PictureSize original;
  content::PictureSize resized;
  content::PictureSize input;  // what is cut out of `resized`
  int top = 0;
  int left = 0;
};

// `shorter`: what the shorter side is brought to, at least the target's; 0: the target's.
[[nodiscard]] CentreCrop plan_centre_crop(content::PictureSize original, content::PictureSize target,
                                          int shorter = 0);

// Memory of centre_crop_to_chw; reused between calls. Thread-safety: external (one thread at a time).
struct CropScratch {
  std::vector<std::int32_t> weights;
  std::vector<std::uint8_t> rows;  // after the horizontal pass
};

// Resizes with a triangle filter that widens as the picture shrinks (byte for byte Pillow's BILINEAR on 8-bit
// pictures), and writes planes R, G, B as float in [0, 1] to `out`. Precondition: out.size() == 3 *
// input.height * input.width, and `extent` lies within `bitmap`: all of it where that has the plan's original
// size.
void centre_crop_to_chw(const Bitmap& bitmap, const Extent& extent, const CentreCrop& plan,
                        CropScratch& scratch, std::span<float> out);

// A plane of floats from one size to another, corner on corner (PyTorch's interpolate, bilinear with
// align_corners). Preconditions: sides are at least 1 and the spans as long as the sizes say.
void resize_plane(std::span<const float> from, content::PictureSize from_size, std::span<float> to,
                  content::PictureSize to_size);

}  // namespace bascule::image
