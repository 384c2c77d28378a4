#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::applications {

// One picture that a source gave.
// Thread-safety: a value; one owner at a time.
struct Frame {
  content::EncodedPicture picture;                // its name is the file's, where it has one
  std::string source;                             // as the configuration calls it
  std::uint64_t number = 0;                       // from 1, by source; the same after a restart
  std::int64_t time_ms = 0;                       // Unix
  std::optional<content::Detections> labelled{};  // that came with the frame, in place of the model's
};

}  // namespace bascule::applications
