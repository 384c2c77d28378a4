#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "content/picture.h"
#include "tasks/task.h"
#include "tensor/dtype.h"

namespace bascule::tasks::vision {

// How pictures are brought to a model's input.
enum class PictureFit {
  kLetterbox,    // aspect kept, padded to the full size
  kRectangular,  // aspect kept, padded up to the stride only
  kStretch,      // to the full size, aspect lost
  kCentreCrop,   // the shorter side fitted, the middle cut out
};

// How pixels lie in the model's input, and what they become.
// Thread-safety: a value.
struct PixelForm {
  tensor::DataType type = tensor::DataType::kFp32;  // or kUint8
  bool nhwc = false;                                // channels last
  bool bgr = false;
  bool grey = false;  // one channel: luma
  // Of channel c in the model's order: value = pixel * factor[c] + offset[c], of pixels from 0 to 255.
  std::array<float, 3> factor = {1.0F / 255, 1.0F / 255, 1.0F / 255};
  std::array<float, 3> offset = {0, 0, 0};
  bool plain = true;  // planes R, G, B of FP32 in [0, 1], which is the fast way; the above does not count
};

// Sides are those of the model's input.
// Thread-safety: a value.
struct PictureInputSpec {
  PictureFit fit = PictureFit::kLetterbox;
  content::PictureSize fixed;  // sides that the file fixes; 0 where any will do
  content::PictureSize size;   // where a request asks for none
  int stride = 32;             // sides that are not fixed become multiples of it
  int shorter = 0;             // kCentreCrop: see image::plan_centre_crop
  PixelForm form;
  std::string name;        // of the input; empty: the model's first
  std::string size_input;  // an input that is told the width and height of the other; empty: none
  tensor::DataType size_type = tensor::DataType::kInt64;
  std::uint64_t max_pixels = 0;  // of a picture
  int max_side = 0;              // of a size asked for
  content::DecodeMode decode = content::DecodeMode::kExact;
};

// A task on one picture: the first two of its three steps, as the reference package does them
// (ultralytics 8.4). Thread-safety: immutable, thread-safe.
class PictureTask : public Task {
 public:
  explicit PictureTask(PictureInputSpec spec) : input_(std::move(spec)) {}

  Result<Plan> plan(const content::EncodedPicture& picture,
                    const content::PredictOptions& options) const final;
  Result<void> prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                       std::span<std::byte> input) const final;

 private:
  // Sides of the model's input for this request, before the picture's own proportions count.
  // Decodes as the settings say; where the picture lies on the bitmap.
  [[nodiscard]] Result<image::Extent> decode(const content::EncodedPicture& picture,
                                             content::PictureSize resized, const image::Letterbox& letterbox,
                                             image::Bitmap& out) const;
  [[nodiscard]] Result<content::PictureSize> input_size(
      const std::optional<content::PictureSize>& asked) const;
  // Of PredictOptions::judged_input; nothing where the model takes no such input, or the picture has no place
  // in it: it is then fitted as ever.
  [[nodiscard]] std::optional<image::Letterbox> judged(content::PictureSize original,
                                                       content::PictureSize target,
                                                       content::PictureSize input) const;

  const PictureInputSpec input_;
};

// The pixels of a picture, or of a frame that is decoded already. Errors: of image::decode.
Result<void> read_pixels(const content::EncodedPicture& picture, std::uint64_t max_pixels,
                         image::Bitmap& out);

// A plan's letterbox where the picture fills all of `input`.
[[nodiscard]] image::Letterbox plan_stretch(content::PictureSize original, content::PictureSize input);

}  // namespace bascule::tasks::vision
