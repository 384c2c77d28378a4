#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "content/model_info.h"
#include "tasks/model_metadata.h"
#include "tasks/task.h"

namespace bascule::tasks::vision {

// A model for pictures as read from its file: its task, and how that was found out.
// Thread-safety: a value.
struct Recognised {
  std::shared_ptr<const Task> task;
  content::PictureSize size;  // of the input, where a request asks for none
  int stride = 0;
  int classes = 0;  // 0 where the tensors do not tell
  std::vector<content::Fact> facts;
};

// True for the tasks of the Ultralytics package, all of which are served: detect, segment, pose, obb,
// classify, semantic, depth.
[[nodiscard]] bool is_picture_task(std::string_view task);

// A model of such a task. `options.letterbox` counts for a model that takes any size; the others are padded
// to theirs. Errors: kUnsupported with one sentence where its tensors are not those that pictures can be
// served with.
Result<Recognised> recognise(std::string_view task, const backend::ModelSpec& spec,
                             const ModelMetadata& metadata, const TaskOptions& options);

// A classifier or a detector that `options.description` describes (its task is one of these two). Errors:
// kUnsupported with half a sentence where the model cannot be that.
Result<Recognised> recognise_described(const backend::ModelSpec& spec, const TaskOptions& options);

// True where shapes alone leave no doubt that this is a YOLO detector: one picture in, and either as many
// anchors as its size has at strides 8, 16 and 32, or 300 rows of six.
[[nodiscard]] bool looks_like_detector(const backend::ModelSpec& spec);

}  // namespace bascule::tasks::vision
