#include "http/pushed_picture.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/multipart.h"

namespace bascule::http {

Result<PushedPicture> pushed_picture(std::string_view content_type, const protocol::RequestBody& body) {
  PushedPicture out{.picture = {.bytes = body.bytes, .owner = body.owner, .name = {}}, .grams = {}};
  if (text::to_lower(content_type).starts_with("multipart/")) {
    BASCULE_ASSIGN(const std::string boundary, protocol::multipart_boundary(content_type));
    BASCULE_ASSIGN(const std::vector<protocol::Part> parts, protocol::parse_multipart(body.bytes, boundary));
    const auto file = std::ranges::find_if(
        parts, [](const protocol::Part& part) { return part.name == "file" || !part.file_name.empty(); });
    if (file == parts.end()) {
      return invalid_argument("The form has no file; send the picture as 'file'.");
    }
    out.picture.bytes = file->bytes;
    out.picture.name = text::escape_controls(text::shortened(file->file_name));
    const auto grams = std::ranges::find(parts, "grams", &protocol::Part::name);
    if (grams != parts.end()) {
      out.grams.assign(reinterpret_cast<const char*>(grams->bytes.data()), grams->bytes.size());
    }
  }
  if (out.picture.bytes.empty()) {
    return invalid_argument(
        fmt::format("The frame is empty; send a picture ({}).", content::kPictureFormats));
  }
  return out;
}

}  // namespace bascule::http
