#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "applications/source.h"
#include "base/back_off.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "video/camera.h"

namespace bascule::applications {

struct CameraSourceOptions {
  std::string source;  // the name that frames carry
  video::CameraAddress address;
  video::CameraOptions camera;
  std::uint64_t after = 0;  // frames are numbered behind this
};

// A camera while it works; RetryingSource opens it again. A frame's time is when it was there.
// Thread-safety: as Source.
class CameraSource final : public Source {
 public:
  // Errors: of video::Camera::open. `clock` outlives it.
  static Result<std::unique_ptr<Source>> open(const CameraSourceOptions& options, const Clock& clock);
  CameraSource(const CameraSourceOptions& options, video::Camera camera)
      : source_(options.source), camera_(std::move(camera)), number_(options.after) {}

  // Errors: of video::Camera::next.
  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return true; }

 private:
  const std::string source_;
  video::Camera camera_;
  std::uint64_t number_;
  Guarded<SourceState> state_;
};

// The camera, opened again whenever it fails. `clock` outlives it.
[[nodiscard]] std::unique_ptr<Source> watch_camera(CameraSourceOptions options,
                                                   const BackOffOptions& back_off, const Clock& clock);

}  // namespace bascule::applications
