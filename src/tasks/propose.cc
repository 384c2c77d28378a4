#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tasks/task.h"

namespace bascule::tasks {
namespace {

using tensor::TensorSpec;

constexpr std::size_t kShownColumns = 40;

bool channels(std::int64_t side) { return side == 3 || side == 1; }

const TensorSpec* picture_input(const backend::ModelSpec& spec) {
  for (const TensorSpec& input : spec.inputs) {
    const bool usable = input.type == tensor::DataType::kFp32 || input.type == tensor::DataType::kUint8;
    if (!input.optional && usable && input.shape.size() == 4 &&
        (channels(input.shape[1]) || channels(input.shape[3]))) {
      return &input;
    }
  }
  return nullptr;
}

bool is_boxes(const TensorSpec& output) {
  return (output.shape.size() == 3 || output.shape.size() == 2) && output.shape.back() == 4 &&
         output.type == tensor::DataType::kFp32;
}

std::string classifier(const TensorSpec& input, const TensorSpec& output) {
  const std::string classes = output.shape[1] > 0 ? std::to_string(output.shape[1]) : std::string("the");
  std::string out = fmt::format(
      "task: classify\n"
      "labels_file: labels.txt  # a line for each of {} classes\n"
      "fit: crop                # or stretch, letterbox\n",
      classes);
  if (input.type == tensor::DataType::kFp32) {
    out +=
        "# As the model was trained. These are ImageNet's; leave them out for pixels from 0 to 1.\n"
        "pixel_mean: [0.485, 0.456, 0.406]\n"
        "pixel_std: [0.229, 0.224, 0.225]\n";
  }
  return out;
}

std::string detector(const backend::ModelSpec& spec) {
  std::string out =
      "task: detect\n"
      "labels: [first, second]  # the classes, from 0 on\n"
      "fit: stretch             # or letterbox\n";
  for (const TensorSpec& output : spec.outputs) {
    if (is_boxes(output)) out += fmt::format("boxes_output: {}\n", output.name);
  }
  return out +
         "box_format: xyxy         # or yxyx, cxcywh, xywh\n"
         "box_unit: fraction       # or pixel\n"
         "background: false        # true where class 0 is the background (SSD)\n"
         "suppress: false          # true where overlapping boxes are left in\n";
}

}  // namespace

std::string propose(const backend::ModelSpec& spec, const content::ModelInfo& info) {
  if (!info.task.empty()) return {};
  if (info.rows != nullptr) {
    if (info.rows->named) return {};
    std::string names;
    for (std::size_t i = 0; i < std::min(info.rows->columns.size(), kShownColumns); ++i) {
      names += fmt::format("{}column{}", i == 0 ? "" : ", ", i + 1);
    }
    const bool more = info.rows->columns.size() > kShownColumns;
    return fmt::format("columns: [{}{}]  # all {}, in the model's order\n", names, more ? ", and so on" : "",
                       info.rows->columns.size());
  }
  const TensorSpec* const input = picture_input(spec);
  if (input == nullptr || spec.outputs.empty()) return {};
  if (std::ranges::any_of(spec.outputs, is_boxes)) return detector(spec);
  const TensorSpec& output = spec.outputs.front();
  const bool scores =
      output.type == tensor::DataType::kFp32 && output.shape.size() >= 2 && output.shape[1] != 1 &&
      spec.outputs.size() == 1 &&
      std::ranges::all_of(output.shape.begin() + 2, output.shape.end(), [](auto d) { return d == 1; });
  return scores ? classifier(*input, output) : std::string();
}

}  // namespace bascule::tasks
