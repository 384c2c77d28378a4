#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "applications/source.h"
#include "base/mutex.h"

namespace bascule::applications {

struct LabelsOptions {
  std::string source;                       // the name that frames carry
  std::filesystem::path folder;             // has images/ and labels/
  std::uint64_t after = 0;                  // the frame that was handled last
  std::int64_t start_ms = 0;                // the first frame's time, Unix
  double fps = 1;                           // how far apart the frames' times are
  std::uint64_t max_bytes = 256ULL << 20U;  // of one picture
};

// The pictures of images/ by name, each with the boxes of its file in labels/ (YOLO's format) in place of a
// model's, as sure as can be. A picture without such a file shows nothing. Ends behind the last.
// Thread-safety: as Source.
class LabelsSource final : public Source {
 public:
  // Errors: kNotFound without pictures.
  static Result<std::unique_ptr<Source>> open(LabelsOptions options);
  LabelsSource(LabelsOptions options, std::vector<std::filesystem::path> pictures)
      : options_(std::move(options)), pictures_(std::move(pictures)), given_(options_.after) {}

  // Errors beside those of Source::next: of read_file, image::read_header, content::read_labels.
  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return false; }

 private:
  Result<Frame> read(const std::filesystem::path& picture) const;

  const LabelsOptions options_;
  const std::vector<std::filesystem::path> pictures_;
  std::uint64_t given_;
  Guarded<SourceState> state_;
};

// What a label file says of a picture of this size; nothing found where there is no such file.
Result<content::Detections> labelled(const std::filesystem::path& labels, content::PictureSize size);

}  // namespace bascule::applications
