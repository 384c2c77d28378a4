#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "content/prediction.h"

namespace bascule::tasks::vision {

// How a large picture is cut.
// Thread-safety: a value.
struct TileOptions {
  int size = 640;        // of a tile's sides, in pixels of the picture; 32 to 8192
  double overlap = 0.2;  // part of a tile that its neighbour has as well, at least; 0 to 0.9
};

// A part of a picture, in its pixels.
struct Tile {
  int x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Tile&) const = default;
};

inline constexpr std::size_t kMaxTiles = 1024;  // of one picture

// Tiles of the native resolution that cover a picture, row by row from above. All have the same size, and
// their distances are as even as whole pixels allow; along a side that is not longer than a tile there is
// one. Errors: kInvalidArgument for options out of range, a picture without pixels, and more than kMaxTiles.
Result<std::vector<Tile>> tiles_of(content::PictureSize picture, const TileOptions& options);

// What counts as one object seen in two tiles.
// Thread-safety: a value.
struct MergeLimits {
  double iou = 0.7;     // two whole boxes that overlap more than this
  double shared = 0.5;  // where one of them is cut: see merge_tiles
  std::size_t max_detections = 300;
};

// The objects of a picture from those of its tiles, each in pixels of its tile. Of two boxes of a class the
// better one stays where they overlap by more than `iou`. Where one is cut, that is, ends at a side of its
// tile that is no side of the picture, both are looked at in the part of the picture that both tiles show:
// where their common area there is more than `shared` of the smaller one's, they are one object, whose box is
// around both. So are chains of more than two. An object has the confidence of its best part, and its
// corners, keypoints and outline, which are not joined. Best first.
// Precondition: as many of `found` as of `tiles`.
[[nodiscard]] content::Detections merge_tiles(content::PictureSize picture, std::span<const Tile> tiles,
                                              std::span<const content::Detections> found,
                                              const MergeLimits& limits);

}  // namespace bascule::tasks::vision
