#include "tasks/vision/activation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bascule::tasks::vision {

content::Activation activation_of(content::Activation said, std::span<const float> scores, bool one_of) {
  if (said != content::Activation::kAuto) return said;
  const bool fractions = std::ranges::all_of(scores, [](float v) { return !(v < 0 || v > 1); });
  if (!one_of) return fractions ? content::Activation::kNone : content::Activation::kSigmoid;
  constexpr double kNear = 0.02;  // of probabilities in half precision, a thousand of them
  const bool whole = std::abs(std::accumulate(scores.begin(), scores.end(), 0.0) - 1) < kNear;
  return fractions && whole ? content::Activation::kNone : content::Activation::kSoftmax;
}

void activate(content::Activation activation, std::span<float> scores) {
  if (activation == content::Activation::kSigmoid) {
    for (float& score : scores) score = 1 / (1 + std::exp(-score));
  } else if (activation == content::Activation::kSoftmax && !scores.empty()) {
    const float most = std::ranges::max(scores);
    float sum = 0;
    for (float& score : scores) sum += score = std::exp(score - most);
    for (float& score : scores) score /= sum;
  }
}

}  // namespace bascule::tasks::vision
