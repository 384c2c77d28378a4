#include "applications/look.h"

#include <algorithm>
#include <deque>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "image/decode.h"

namespace bascule::applications {
namespace {

using tasks::vision::Tile;

constexpr std::size_t kMostAhead = 8;  // tiles that are asked about at the same time

std::future<Result<content::InferResponse>> ask(serving::InferenceService& service,
                                                const LookOptions& options, content::EncodedPicture picture) {
  content::InferRequest request{.model = options.model, .dialect = "application", .options = options.predict};
  request.picture = std::move(picture);
  auto promise = std::make_shared<std::promise<Result<content::InferResponse>>>();
  auto future = promise->get_future();
  service.infer(std::move(request), [promise](Result<content::InferResponse> answer, bool last) {
    if (last) promise->set_value(std::move(answer));
  });
  return future;
}

Result<content::Detections> boxes_of(content::InferResponse answer) {
  auto* found = answer.prediction ? std::get_if<content::Detections>(&*answer.prediction) : nullptr;
  if (found != nullptr) return std::move(*found);
  return invalid_argument(
      fmt::format("The model '{}' finds no boxes, and an application needs a model that does.",
                  answer.model != nullptr ? answer.model->name : ""),
      Reason::kWrongKind);
}

Result<std::shared_ptr<image::Bitmap>> decoded(const content::EncodedPicture& picture,
                                               std::uint64_t max_pixels) {
  auto bitmap = std::make_shared<image::Bitmap>();
  if (!picture.raw) {
    BASCULE_TRY(image::decode(picture.bytes, {.max_pixels = max_pixels}, *bitmap));
    return bitmap;
  }
  bitmap->height = picture.raw->height;
  bitmap->width = picture.raw->width;
  const auto* const pixels = reinterpret_cast<const std::uint8_t*>(picture.bytes.data());
  bitmap->pixels.assign(pixels, pixels + picture.bytes.size());
  return bitmap;
}

content::EncodedPicture cut(const image::Bitmap& bitmap, const Tile& tile, const std::string& name) {
  auto pixels = std::make_shared<std::vector<std::byte>>();
  const std::size_t row_bytes = static_cast<std::size_t>(tile.width) * 3;
  pixels->reserve(row_bytes * static_cast<std::size_t>(tile.height));
  for (int y = tile.y; y < tile.y + tile.height; ++y) {
    const auto* const from =
        reinterpret_cast<const std::byte*>(bitmap.row(y)) + static_cast<std::size_t>(tile.x) * 3;
    pixels->insert(pixels->end(), from, from + row_bytes);
  }
  return {.bytes = *pixels,
          .owner = pixels,
          .name = name,
          .raw = content::PictureSize{.height = tile.height, .width = tile.width}};
}

Result<Looked> look_at_tiles(serving::InferenceService& service, const LookOptions& options,
                             const content::EncodedPicture& picture) {
  BASCULE_ASSIGN(const auto bitmap, decoded(picture, options.max_pixels));
  const content::PictureSize size{.height = bitmap->height, .width = bitmap->width};
  BASCULE_ASSIGN(const std::vector<Tile> tiles, tasks::vision::tiles_of(size, *options.tiles));
  std::deque<std::future<Result<content::InferResponse>>> waiting;
  std::vector<content::Detections> found;
  content::ClassNames names;
  const auto take = [&]() -> Result<void> {
    BASCULE_ASSIGN(content::InferResponse answer, waiting.front().get());
    waiting.pop_front();
    if (answer.model != nullptr) names = answer.model->class_names;
    BASCULE_ASSIGN(content::Detections boxes, boxes_of(std::move(answer)));
    found.push_back(std::move(boxes));
    return {};
  };
  for (const Tile& tile : tiles) {
    if (waiting.size() == kMostAhead) BASCULE_TRY(take());
    waiting.push_back(ask(service, options, cut(*bitmap, tile, picture.name)));
  }
  while (!waiting.empty()) BASCULE_TRY(take());
  const tasks::vision::MergeLimits limits{
      .iou = options.predict.iou, .max_detections = static_cast<std::size_t>(options.predict.max_detections)};
  return Looked{.found = tasks::vision::merge_tiles(size, tiles, found, limits), .names = std::move(names)};
}

}  // namespace

Result<Looked> look(serving::InferenceService& service, const LookOptions& options,
                    const content::EncodedPicture& picture) {
  if (options.tiles) return look_at_tiles(service, options, picture);
  BASCULE_ASSIGN(content::InferResponse answer, ask(service, options, picture).get());
  content::ClassNames names;
  if (answer.model != nullptr) names = answer.model->class_names;
  BASCULE_ASSIGN(content::Detections found, boxes_of(std::move(answer)));
  return Looked{.found = std::move(found), .names = std::move(names)};
}

}  // namespace bascule::applications
