#include "image/annotate.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "image/decode.h"
#include "image/draw.h"
#include "image/encode.h"

namespace bascule::image {
namespace {

std::string label_of(int class_id, float confidence, const content::ClassNames& names) {
  return fmt::format("{} {:.2f}", content::name_of(class_id, names), confidence);
}

// Draws a prediction on its picture.
struct Drawing {
  Bitmap& bitmap;
  const content::ClassNames& names;
  int scale;

  void closed(std::span<const content::Point> points, Color color) const {
    for (std::size_t i = 0; i < points.size(); ++i) {
      const content::Point& from = points[i];
      const content::Point& to = points[(i + 1) % points.size()];
      draw_line(bitmap, from.x, from.y, to.x, to.y, color, scale);
    }
  }

  // Weakest first, so that the best lie on top.
  void operator()(const content::Detections& found) const {
    for (std::size_t i = found.rows.size(); i-- > 0;) {
      const content::Detection& row = found.rows[i];
      const Color color = class_color(row.class_id);
      const content::Box& box = row.box;
      if (found.corners.empty()) {
        draw_box(bitmap, box.x1, box.y1, box.x2, box.y2, color, scale);
      } else {
        closed(found.corners[i], color);
      }
      if (!found.outlines.empty()) closed(found.outlines[i], color);
      if (!found.keypoints.empty()) {
        for (const content::Keypoint& one : found.keypoints[i]) {
          draw_mark(bitmap, one.at.x, one.at.y, color, scale);
        }
      }
      draw_label(bitmap, static_cast<int>(std::lround(std::min(box.x1, box.x2))),
                 static_cast<int>(std::lround(std::min(box.y1, box.y2))),
                 label_of(row.class_id, row.confidence, names), color, scale);
    }
  }

  // The best at the upper left, the others below.
  void operator()(const content::Classification& found) const {
    int y = 12 * scale;
    for (const content::RankedClass& row : found.best) {
      draw_label(bitmap, 0, y, label_of(row.class_id, row.confidence, names), class_color(row.class_id),
                 scale);
      y += 12 * scale;
    }
  }

  void operator()(const content::ClassMap& map) const {
    std::vector<Color> colors;
    colors.reserve(map.classes.size());
    for (const std::uint8_t one : map.classes) colors.push_back(class_color(one));
    tint(bitmap, colors);
  }

  // Near is light.
  void operator()(const content::DepthMap& map) const {
    const unsigned most = (1U << static_cast<unsigned>(map.bits)) - 1;
    auto pixel = bitmap.pixels.begin();
    for (const std::uint16_t level : map.levels) {
      pixel = std::fill_n(pixel, 3, static_cast<std::uint8_t>(255 - 255U * level / most));
    }
  }
};

}  // namespace

Result<std::vector<std::byte>> annotate(const content::EncodedPicture& picture, std::uint64_t max_pixels,
                                        const content::Prediction& prediction,
                                        const content::ClassNames& names) {
  Bitmap bitmap;
  if (picture.raw) {
    const auto* const first = reinterpret_cast<const std::uint8_t*>(picture.bytes.data());
    bitmap = {.height = picture.raw->height,
              .width = picture.raw->width,
              .pixels = {first, first + picture.bytes.size()}};
  } else {
    BASCULE_TRY(decode(picture.bytes, {.max_pixels = max_pixels}, bitmap));
  }
  const content::PictureSize size = content::picture_of(prediction);
  if (bitmap.height != size.height || bitmap.width != size.width) {
    return internal_error("The picture is not the one that the prediction is of.");
  }
  std::visit(Drawing{bitmap, names, annotation_scale(bitmap)}, prediction);
  return encode_jpeg(bitmap);
}

}  // namespace bascule::image
