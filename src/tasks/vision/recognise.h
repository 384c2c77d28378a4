#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "content/model_info.h"
#include "content/model_settings.h"
#include "tasks/model_metadata.h"
#include "tasks/vision/detection.h"

namespace bascule::tasks::vision {

// A detector as read from its file: what the task needs and how that was found out.
// Thread-safety: a value.
struct RecognisedDetector {
  DetectionSpec spec;
  int classes = 0;  // 0 where the tensors do not tell
  std::vector<content::Fact> facts;
};

// A model whose metadata names it a detector. Errors: kUnsupported with one sentence where its tensors are
// not those that pictures can be served with.
// `letterbox` counts for a model that takes any size; the others are padded to theirs.
Result<RecognisedDetector> recognise_detector(
    const backend::ModelSpec& spec, const ModelMetadata& metadata,
    content::LetterboxShape letterbox = content::LetterboxShape::kRect);

// True where shapes alone leave no doubt that this is a YOLO detector: one picture in, and either as many
// anchors as its size has at strides 8, 16 and 32, or 300 rows of six.
[[nodiscard]] bool looks_like_detector(const backend::ModelSpec& spec);

}  // namespace bascule::tasks::vision
