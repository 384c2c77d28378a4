#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "content/infer.h"
#include "content/picture.h"
#include "content/prediction.h"
#include "serving/inference_service.h"
#include "tasks/vision/tiles.h"

namespace bascule::applications {

// How an application shows frames to its model.
// Thread-safety: a value.
struct LookOptions {
  std::string model;                                // empty: the only one
  content::PredictOptions predict;                  // its confidence is Judge::lowest_confidence
  std::optional<tasks::vision::TileOptions> tiles;  // cut into these; else shown whole
  std::uint64_t max_pixels = 100'000'000;           // of a frame that is cut
};

// What a model saw.
// Thread-safety: a value.
struct Looked {
  content::Detections found;  // in pixels of the whole frame
  content::ClassNames names;
};

// Shows one frame to a model through the door, and waits. A frame that is cut is decoded once; a few tiles at
// a time are asked about, and what is found in them is joined. Not to be called on a thread of the
// executor. Errors: of the door, tiles_of and image::decode; kInvalidArgument with kWrongKind for a model
// that finds no boxes.
Result<Looked> look(serving::InferenceService& service, const LookOptions& options,
                    const content::EncodedPicture& picture);

}  // namespace bascule::applications
