#include "runs/thumbnail.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/file.h"
#include "image/decode.h"
#include "image/draw.h"
#include "image/encode.h"
#include "runs/facts.h"

namespace bascule::runs {
namespace {

constexpr std::uint64_t kMaxPictureBytes = 256ULL << 20U;
constexpr int kQuality = 80;

// The mean of the source's pixels that lie under each of the smaller picture's.
image::Bitmap shrunk(const image::Bitmap& from, int height, int width) {
  image::Bitmap to{.height = height, .width = width};
  to.pixels.resize(to.row_bytes() * static_cast<std::size_t>(height));
  for (int y = 0; y < height; ++y) {
    const int top = y * from.height / height;
    const int bottom = std::max((y + 1) * from.height / height, top + 1);
    for (int x = 0; x < width; ++x) {
      const int left = x * from.width / width;
      const int right = std::max((x + 1) * from.width / width, left + 1);
      std::uint32_t sums[3] = {};
      for (int row = top; row < bottom; ++row) {
        const std::uint8_t* pixel = from.row(row) + std::size_t{3} * static_cast<std::size_t>(left);
        for (int column = left; column < right; ++column) {
          for (std::uint32_t& sum : sums) sum += *pixel++;
        }
      }
      const auto count = static_cast<std::uint32_t>((bottom - top) * (right - left));
      std::uint8_t* const out = to.row(y) + std::size_t{3} * static_cast<std::size_t>(x);
      for (std::size_t i = 0; i < 3; ++i) out[i] = static_cast<std::uint8_t>((sums[i] + count / 2) / count);
    }
  }
  return to;
}

void label(image::Bitmap& bitmap, const Fact& object, double left, double top) {
  const std::string text =
      object.confidence < 0 ? object.name : fmt::format("{} {:.2f}", object.name, object.confidence);
  image::draw_label(bitmap, static_cast<int>(left), static_cast<int>(top), text,
                    image::class_color(std::max(object.class_id, 0)), 1);
}

void draw(image::Bitmap& bitmap, const PictureFacts& facts) {
  const double across =
      static_cast<double>(bitmap.width) / static_cast<double>(std::max<std::int64_t>(facts.width, 1));
  const double down =
      static_cast<double>(bitmap.height) / static_cast<double>(std::max<std::int64_t>(facts.height, 1));
  if (!facts.objects.empty() && facts.objects.front().outline.empty()) {
    return label(bitmap, facts.objects.front(), 0, 12);  // a class of the whole picture, the best
  }
  // Weakest first, so that the best lie on top.
  for (auto object = facts.objects.rbegin(); object != facts.objects.rend(); ++object) {
    const image::Color color = image::class_color(std::max(object->class_id, 0));
    const auto& corners = object->outline;
    double left = bitmap.width;
    double top = bitmap.height;
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const auto& to = corners[(i + 1) % corners.size()];
      image::draw_line(bitmap, static_cast<float>(corners[i][0] * across),
                       static_cast<float>(corners[i][1] * down), static_cast<float>(to[0] * across),
                       static_cast<float>(to[1] * down), color, 1);
      left = std::min(left, corners[i][0] * across);
      top = std::min(top, corners[i][1] * down);
    }
    label(bitmap, *object, left, top);
  }
}

}  // namespace

Result<std::vector<std::byte>> thumbnail(const std::string& path, const std::string& answer, int side,
                                         std::uint64_t max_pixels) {
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(path, kMaxPictureBytes));
  image::Bitmap bitmap;
  BASCULE_TRY(
      image::decode_at_least(bytes, {.max_pixels = max_pixels}, {.height = side, .width = side}, bitmap));
  const int longer = std::max(bitmap.height, bitmap.width);
  if (longer > side) {
    const auto scaled = [&](int one) {
      return std::max(1, static_cast<int>(std::lround(one * double(side) / longer)));
    };
    bitmap = shrunk(bitmap, scaled(bitmap.height), scaled(bitmap.width));
  }
  if (!answer.empty()) {
    BASCULE_ASSIGN(const PictureFacts facts, picture_facts(answer));
    draw(bitmap, facts);
  }
  return image::encode_jpeg(bitmap, kQuality);
}

}  // namespace bascule::runs
