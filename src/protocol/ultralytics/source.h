#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {

// What a caller sent as a file.
// Thread-safety: a value.
struct SentFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  // keeps them alive
  std::string_view name = {};         // as the caller calls it; may be empty
  std::string_view media_type = {};   // likewise
};

// Whether the bytes begin as a file of pictures does, known here or not, and not as a form's fields.
[[nodiscard]] bool looks_like_file(std::string_view bytes);

// Whether the call has a picture, a video, or the URL of one.
[[nodiscard]] bool has_picture(const PredictCall& call);

// Takes the file as the call's picture, or its video. Errors: kInvalidArgument for what is empty, a second
// one, or a video where the dialect's answer has room for one picture alone.
Result<void> take_picture(const SentFile& file, PredictCall& call);

// Takes the value of the field that may be base64 text, a data URL or a URL; blank: nothing. What comes out
// of base64 is smaller than the body that it came in, which was limited. Errors: kInvalidArgument for what is
// none of these; of take_picture.
Result<void> take_source(std::string_view text, std::string_view field, PredictCall& call);

}  // namespace bascule::protocol::ultralytics
