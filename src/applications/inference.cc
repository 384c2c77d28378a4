#include "applications/inference.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "applications/pause.h"
#include "image/decode.h"

namespace bascule::applications {
namespace {

using Answer = Result<content::InferResponse>;

constexpr Duration kLeastPause = std::chrono::milliseconds(5);
constexpr Duration kMostPause = std::chrono::seconds(1);

Result<Inferred> boxes_of(Answer answer) {
  if (!answer) return std::move(answer).error();
  auto* const found = answer->prediction ? std::get_if<content::Detections>(&*answer->prediction) : nullptr;
  if (found == nullptr) {
    return invalid_argument(fmt::format(
        "Model '{}' finds no boxes; applications take models that detect objects.", answer->model->name));
  }
  return Inferred{.found = std::move(*found), .names = answer->model->class_names};
}

Result<image::Bitmap> bitmap_of(const content::EncodedPicture& picture, std::uint64_t max_pixels) {
  image::Bitmap bitmap;
  if (picture.raw) {
    const auto* const first = reinterpret_cast<const std::uint8_t*>(picture.bytes.data());
    bitmap = {.height = picture.raw->height,
              .width = picture.raw->width,
              .pixels = {first, first + picture.bytes.size()}};
    return bitmap;
  }
  BASCULE_TRY(image::decode(picture.bytes, {.max_pixels = max_pixels}, bitmap));
  return bitmap;
}

content::EncodedPicture cut(const image::Bitmap& bitmap, const tasks::vision::Tile& tile) {
  const auto part = std::make_shared<image::Bitmap>();
  part->height = tile.height;
  part->width = tile.width;
  part->pixels.resize(part->row_bytes() * static_cast<std::size_t>(tile.height));
  for (int y = 0; y < tile.height; ++y) {
    std::copy_n(bitmap.row(tile.y + y) + 3 * static_cast<std::ptrdiff_t>(tile.x), part->row_bytes(),
                part->row(y));
  }
  return {.bytes = std::as_bytes(std::span(part->pixels)),
          .owner = part,
          .name = {},
          .raw = content::PictureSize{.height = tile.height, .width = tile.width}};
}

}  // namespace

// What the model was asked, and where its answer will be.
struct Inference::Asked {
  content::EncodedPicture picture;
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::future<Answer> answer;
};

Inference::Asked Inference::ask(content::EncodedPicture picture) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  Asked asked{.picture = std::move(picture),
              .cancelled = std::make_shared<std::atomic<bool>>(false),
              .answer = promise->get_future()};
  content::InferRequest request{.model = options_.model, .dialect = "app", .picture = asked.picture};
  request.options.confidence = options_.confidence;
  request.options.max_detections = options_.max_detections;
  request.cancelled = asked.cancelled;
  service_.infer(std::move(request), [promise](Answer answer, bool last) {
    if (last) promise->set_value(std::move(answer));
  });
  return asked;
}

Result<Inferred> Inference::await(Asked& asked, const Stop& stop) {
  while (true) {
    while (asked.answer.wait_for(kStopLook) != std::future_status::ready) {
      if (!stop()) continue;
      *asked.cancelled = true;  // its answer goes to nobody
      return stopped();
    }
    Answer answer = asked.answer.get();
    if (answer || answer.error().reason != Reason::kQueueFull) return boxes_of(std::move(answer));
    if (!pause(std::clamp(answer.error().fields.retry_after, kLeastPause, kMostPause), clock_, stop)) {
      return stopped();
    }
    asked = ask(std::move(asked.picture));
  }
}

Result<Inferred> Inference::show(const Frame& frame, const Stop& stop) {
  if (options_.tiles) return show_tiles(frame.picture, stop);
  Asked asked = ask(frame.picture);
  return await(asked, stop);
}

Result<Inferred> Inference::show_tiles(const content::EncodedPicture& picture, const Stop& stop) {
  BASCULE_ASSIGN(const image::Bitmap bitmap, bitmap_of(picture, options_.max_pixels));
  const content::PictureSize size{.height = bitmap.height, .width = bitmap.width};
  BASCULE_ASSIGN(const std::vector<tasks::vision::Tile> tiles,
                 tasks::vision::tiles_of(size, *options_.tiles));
  std::vector<content::Detections> found;
  content::ClassNames names;
  std::deque<Asked> waiting;
  for (std::size_t next = 0; found.size() < tiles.size();) {
    if (next < tiles.size() && waiting.size() < std::max<std::size_t>(options_.tiles_at_once, 1)) {
      waiting.push_back(ask(cut(bitmap, tiles[next++])));
      continue;
    }
    Result<Inferred> part = await(waiting.front(), stop);
    if (!part) {
      for (const Asked& asked : waiting) *asked.cancelled = true;
      return std::move(part).error();
    }
    waiting.pop_front();
    found.push_back(std::move(part->found));
    names = std::move(part->names);
  }
  return Inferred{
      .found = tasks::vision::merge_tiles(
          size, tiles, found, {.max_detections = static_cast<std::size_t>(options_.max_detections)}),
      .names = std::move(names)};
}

}  // namespace bascule::applications
