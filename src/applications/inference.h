#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "applications/frame.h"
#include "applications/runner.h"
#include "applications/source.h"
#include "base/clock.h"
#include "base/result.h"
#include "serving/inference_service.h"
#include "tasks/vision/tiles.h"

namespace bascule::applications {

struct InferenceOptions {
  std::string model;        // by name
  double confidence = 0.1;  // boxes at or below it are not wanted
  int max_detections = 300;
  std::optional<tasks::vision::TileOptions> tiles;  // large frames are looked at in parts; nothing: whole
  std::size_t tiles_at_once = 4;                    // in the model's queue
  std::uint64_t max_pixels = 100'000'000;
};

// Shows frames to a model through the door that every front end uses, and waits: for a thread that has
// nothing else to do. A full queue is waited for. Thread-safety: thread-safe.
class Inference {
 public:
  // `service` and `clock` outlive it.
  Inference(InferenceOptions options, serving::InferenceService& service, const Clock& clock)
      : options_(std::move(options)), service_(service), clock_(clock) {}

  // Errors: of InferenceService::infer, image::decode and tiles_of; kInvalidArgument for a model that finds
  // no boxes; kCancelled once `stop` holds.
  Result<Inferred> show(const Frame& frame, const Stop& stop);

 private:
  Result<Inferred> show_tiles(const content::EncodedPicture& picture, const Stop& stop);
  struct Asked;
  Asked ask(content::EncodedPicture picture);
  Result<Inferred> await(Asked& asked, const Stop& stop);

  const InferenceOptions options_;
  serving::InferenceService& service_;
  const Clock& clock_;
};

}  // namespace bascule::applications
