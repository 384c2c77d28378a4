#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "content/picture.h"
#include "tasks/task.h"

namespace bascule::tasks::vision {

// How pictures are brought to a model's input.
enum class PictureFit {
  kLetterbox,    // aspect kept, padded to the full size
  kRectangular,  // aspect kept, padded up to the stride only
  kStretch,      // to the full size, aspect lost
  kCentreCrop,   // the shorter side fitted, the middle cut out
};

// Sides are those of the model's input.
// Thread-safety: a value.
struct PictureInputSpec {
  PictureFit fit = PictureFit::kLetterbox;
  content::PictureSize fixed;    // sides that the file fixes; 0 where any will do
  content::PictureSize size;     // where a request asks for none
  int stride = 32;               // sides that are not fixed become multiples of it
  std::uint64_t max_pixels = 0;  // of a picture
  int max_side = 0;              // of a size asked for
};

// A task on one picture: the first two of its three steps, as the reference package does them
// (ultralytics 8.4). The input is three planes R, G, B of floats in [0, 1]. Thread-safety: immutable,
// thread-safe.
class PictureTask : public Task {
 public:
  explicit PictureTask(PictureInputSpec spec) : input_(spec) {}

  Result<Plan> plan(const content::EncodedPicture& picture,
                    const content::PredictOptions& options) const final;
  Result<void> prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                       std::span<float> input) const final;

 private:
  // Sides of the model's input for this request, before the picture's own proportions count.
  [[nodiscard]] Result<content::PictureSize> input_size(
      const std::optional<content::PictureSize>& asked) const;

  const PictureInputSpec input_;
};

// A plan's letterbox where the picture fills all of `input`.
[[nodiscard]] image::Letterbox plan_stretch(content::PictureSize original, content::PictureSize input);

}  // namespace bascule::tasks::vision
