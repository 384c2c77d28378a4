#include "tasks/vision/classification.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "tasks/vision/activation.h"
#include "tasks/vision/outputs.h"

namespace bascule::tasks::vision {
namespace {

constexpr std::size_t kTold = 5;

class ClassificationTask final : public PictureTask {
 public:
  explicit ClassificationTask(ClassificationSpec spec) : PictureTask(spec.input), spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return "classify"; }

  // What is not finite is no probability, and comes last as 0.
  Result<content::Prediction> finish(const Plan& plan, Scratch& /*scratch*/,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    BASCULE_ASSIGN(const tensor::Tensor* const output,
                   output_named(outputs, spec_.output, tensor::DataType::kFp32));
    const tensor::Shape& shape = output->shape;
    const bool flat =
        shape.size() >= 2 && shape[0] == 1 &&
        std::ranges::all_of(shape.begin() + 2, shape.end(), [](std::int64_t d) { return d == 1; });
    if (!flat) return unexpected_output(spec_.output, *output, "a classifier's is FP32 [1, classes]");
    const std::span<const float> scores = output->elements<float>();
    std::vector<float> values(scores.begin(), scores.end());
    activate(activation_of(spec_.activation, values, true), values);
    if (spec_.background && !values.empty()) values.erase(values.begin());
    std::vector<content::RankedClass> all;
    for (const float value : values) {
      all.push_back(
          {.class_id = static_cast<int>(all.size()), .confidence = std::isfinite(value) ? value : 0.0F});
    }
    std::ranges::stable_sort(all, std::ranges::greater(), &content::RankedClass::confidence);
    if (all.size() > kTold) all.resize(kTold);
    return content::Classification{.picture = plan.letterbox.original, .best = std::move(all)};
  }

 private:
  ClassificationSpec spec_;
};

}  // namespace

std::shared_ptr<const Task> make_classification_task(ClassificationSpec spec) {
  return std::make_shared<ClassificationTask>(std::move(spec));
}

}  // namespace bascule::tasks::vision
