#include "applications/sources/belt_source.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "applications/pause.h"
#include "applications/sources/labels_source.h"
#include "base/file.h"
#include "image/decode.h"

namespace bascule::applications {
namespace {

constexpr std::uint64_t kMaxBytes = 256ULL << 20U;

}  // namespace

Result<std::unique_ptr<Source>> BeltSource::open(BeltOptions options) {
  if (options.window <= 0 || !(options.speed > 0) || !(options.fps > 0)) {
    return invalid_argument(
        fmt::format("A belt has a window of {} pixels, a speed of {} and {} frames per second; each must be "
                    "above 0.",
                    options.window, options.speed, options.fps));
  }
  if (options.drop_every == 1) return invalid_argument("A belt of which every frame is dropped has none.");
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(options.picture, kMaxBytes));
  image::Bitmap belt;
  BASCULE_TRY(image::decode(bytes, {}, belt));
  content::Detections objects;
  if (!options.labels.empty()) {
    BASCULE_ASSIGN(objects, labelled(options.labels, {.height = belt.height, .width = belt.width}));
  }
  return std::unique_ptr<Source>(
      std::make_unique<BeltSource>(std::move(options), std::move(belt), std::move(objects)));
}

Result<std::optional<Frame>> BeltSource::next(const Stop& stop) {
  if (stop()) return stopped();
  while (options_.drop_every > 0 && (number_ + 1) % options_.drop_every == 0) ++number_;
  const double left = options_.speed * static_cast<double>(number_) - options_.window;
  if (left >= belt_.width) {
    state_.with([](SourceState& s) { s.status = SourceStatus::kEnded; });
    return std::optional<Frame>();
  }
  const int at = static_cast<int>(std::lround(left));
  Frame frame{.picture = picture_at(at),
              .source = options_.source,
              .time_ms = options_.start_ms +
                         static_cast<std::int64_t>(static_cast<double>(number_) * 1000 / options_.fps)};
  frame.number = ++number_;
  if (!options_.labels.empty()) frame.labelled = objects_at(at);
  state_.with([](SourceState& s) { ++s.frames; });
  return std::optional(std::move(frame));
}

// Black beyond the belt's ends.
content::EncodedPicture BeltSource::picture_at(int left) const {
  const auto shown = std::make_shared<image::Bitmap>();
  shown->height = belt_.height;
  shown->width = options_.window;
  shown->pixels.assign(shown->row_bytes() * static_cast<std::size_t>(belt_.height), 0);
  const int first = std::max(left, 0);
  const int end = std::min(left + options_.window, belt_.width);
  for (int y = 0; y < belt_.height && first < end; ++y) {
    std::copy_n(belt_.row(y) + 3 * static_cast<std::ptrdiff_t>(first),
                3 * static_cast<std::ptrdiff_t>(end - first),
                shown->row(y) + 3 * static_cast<std::ptrdiff_t>(first - left));
  }
  return {.bytes = std::as_bytes(std::span(shown->pixels)),
          .owner = shown,
          .name = options_.picture.filename().string(),
          .raw = content::PictureSize{.height = shown->height, .width = shown->width}};
}

content::Detections BeltSource::objects_at(int left) const {
  content::Detections seen{.picture = {.height = belt_.height, .width = options_.window}};
  const auto width = static_cast<float>(options_.window);
  for (content::Detection row : objects_.rows) {
    const float whole = row.box.x2 - row.box.x1;
    row.box.x1 = std::clamp(row.box.x1 - static_cast<float>(left), 0.0F, width);
    row.box.x2 = std::clamp(row.box.x2 - static_cast<float>(left), 0.0F, width);
    const float part = row.box.x2 - row.box.x1;
    if (part > 0 && part >= static_cast<float>(options_.least_seen) * whole) seen.rows.push_back(row);
  }
  return seen;
}

}  // namespace bascule::applications
