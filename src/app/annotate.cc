#include "app/annotate.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "image/decode.h"
#include "image/draw.h"
#include "image/encode.h"

namespace bascule::app {
namespace {

std::string label_of(const content::Detection& row, const content::ClassNames& names) {
  const auto name = names.find(row.class_id);
  return fmt::format("{} {:.2f}", name == names.end() ? fmt::format("class {}", row.class_id) : name->second,
                     row.confidence);
}

}  // namespace

Result<std::vector<std::byte>> annotate(std::span<const std::byte> picture, std::uint64_t max_pixels,
                                        const content::Prediction& prediction,
                                        const content::ClassNames& names) {
  image::Bitmap bitmap;
  BASCULE_TRY(image::decode(picture, {.max_pixels = max_pixels}, bitmap));
  const int scale = image::annotation_scale(bitmap);
  const auto& rows = std::get<content::Detections>(prediction).rows;
  // Weakest first, so that the best lie on top.
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    const image::Color color = image::class_color(row->class_id);
    const content::Box& box = row->box;
    image::draw_box(bitmap, box.x1, box.y1, box.x2, box.y2, color, scale);
    image::draw_label(bitmap, static_cast<int>(std::lround(std::min(box.x1, box.x2))),
                      static_cast<int>(std::lround(std::min(box.y1, box.y2))), label_of(*row, names), color,
                      scale);
  }
  return image::encode_jpeg(bitmap);
}

}  // namespace bascule::app
