#pragma once

#include <cstdint>
#include <span>

#include "content/picture.h"
#include "image/bitmap.h"
#include "image/resize.h"

namespace bascule::image {

// How a picture of one size is fitted into a model's input: scaled with its aspect ratio kept, then padded.
// Numbers and roundings are those of the reference package's LetterBox (ultralytics 8.4, data/augment.py) and
// scale_boxes (utils/ops.py): Python's round, half to even.
struct Letterbox {
  content::PictureSize original;
  content::PictureSize resized;  // at least 1 x 1
  content::PictureSize input;    // of the tensor
  int top = 0;                   // padding before the first row
  int left = 0;
  // From the input back to the original, as scale_boxes does it: (y - box_top) / gain_y. It works the sizes
  // out again from the input's, so that for thin pictures in rect mode these are not quite top, left and
  // resized / original; the reference's boxes are found only with these.
  int box_top = 0;
  int box_left = 0;
  double gain_y = 1;
  double gain_x = 1;
};

enum class LetterboxMode {
  kRect,    // pad only up to the next multiple of the stride ("auto"): models with dynamic height and width
  kSquare,  // pad to the full target
};

// Pure arithmetic. `target` is the wanted input size, multiples of the stride in rect mode.
[[nodiscard]] Letterbox plan_letterbox(content::PictureSize original, content::PictureSize target,
                                       LetterboxMode mode, int stride);

// As the reference package's validator does it (data/base.py, load_image): the longer side becomes `longer`,
// the other is rounded up, and the picture stands in the middle of an input of just these sides.
// Precondition: the input holds it.
[[nodiscard]] Letterbox plan_in_the_middle(content::PictureSize original, int longer,
                                           content::PictureSize input);

inline constexpr std::uint8_t kPadding = 114;

// Scratch of letterbox_to_chw; reused between calls. Thread-safety: external (one thread at a time).
using LetterboxScratch = ResizeScratch;

// Resizes bilinearly (byte for byte OpenCV's INTER_LINEAR on 8-bit pictures), pads with kPadding, and writes
// planes R, G, B as float in [0, 1] (value / 255) to `out`. Precondition: out.size() == 3 * input.height *
// input.width, and `bitmap` has the plan's original size.
void letterbox_to_chw(const Bitmap& bitmap, const Letterbox& plan, LetterboxScratch& scratch,
                      std::span<float> out);
// The same where `bitmap` has the picture at another size than the plan's original, at `extent`.
void letterbox_to_chw(const Bitmap& bitmap, const Extent& extent, const Letterbox& plan,
                      LetterboxScratch& scratch, std::span<float> out);

// Resizes alone, for tests and previews: INTER_LINEAR.
[[nodiscard]] Bitmap resize_linear(const Bitmap& bitmap, int height, int width);

}  // namespace bascule::image
