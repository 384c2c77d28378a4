#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::applications {

// One picture of a source, as it comes to an application.
// Thread-safety: a value; one owner at a time.
struct Frame {
  content::EncodedPicture picture;
  std::string source;
  std::uint64_t number = 0;  // from 1, by source; what was dropped leaves a gap
  std::int64_t time_ms = 0;  // Unix
  // Boxes that came with the frame in place of the model's: label files.
  std::optional<content::Detections> labelled;
};

}  // namespace bascule::applications
