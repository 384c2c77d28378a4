#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "applications/source.h"
#include "base/mutex.h"
#include "image/bitmap.h"

namespace bascule::applications {

struct BeltOptions {
  std::string source;             // the name that frames carry
  std::filesystem::path picture;  // of the whole belt
  std::filesystem::path labels;   // of that; empty: the frames bring no boxes, a model looks at them
  int window = 1280;              // pixels of the belt that a frame shows
  double speed = 40;              // pixels from one frame to the next
  std::uint64_t drop_every = 0;   // every so many-th frame is missing, as from a camera; 0: none
  double least_seen = 0.3;        // of an object's width inside of the window, to be labelled
  std::uint64_t after = 0;        // the frame that was handled last
  std::int64_t start_ms = 0;      // the first frame's time, Unix
  double fps = 25;                // how far apart the frames' times are
};

// A camera above a belt, played with one long picture: a window is drawn over it from before its beginning to
// behind its end, so that everything on it comes in on the right and leaves on the left. What is labelled is
// cut at the window's edges. Frames that are missing have numbers and times all the same.
// Thread-safety: as Source.
class BeltSource final : public Source {
 public:
  // Errors: of read_file, image::decode, content::read_labels; kInvalidArgument for a speed, window or rate
  // that is not above 0.
  static Result<std::unique_ptr<Source>> open(BeltOptions options);
  BeltSource(BeltOptions options, image::Bitmap belt, content::Detections objects)
      : options_(std::move(options)),
        belt_(std::move(belt)),
        objects_(std::move(objects)),
        number_(options_.after) {}

  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return false; }

 private:
  [[nodiscard]] content::EncodedPicture picture_at(int left) const;
  [[nodiscard]] content::Detections objects_at(int left) const;

  const BeltOptions options_;
  const image::Bitmap belt_;
  const content::Detections objects_;
  std::uint64_t number_;
  Guarded<SourceState> state_;
};

}  // namespace bascule::applications
