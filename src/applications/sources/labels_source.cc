#include "applications/sources/labels_source.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "applications/pause.h"
#include "applications/sources/folder_source.h"
#include "base/file.h"
#include "content/labels.h"
#include "image/decode.h"

namespace bascule::applications {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxLabelBytes = 16ULL << 20U;

}  // namespace

Result<content::Detections> labelled(const fs::path& labels, content::PictureSize size) {
  content::Detections found{.picture = size};
  std::error_code code;
  if (!fs::exists(labels, code)) return found;
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(labels, kMaxLabelBytes));
  BASCULE_ASSIGN(
      const std::vector<content::Label> all,
      content::read_labels({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, labels.string(), {}));
  for (const content::Label& label : all) {
    found.rows.push_back({.class_id = label.class_id, .confidence = 1, .box = content::box_of(label, size)});
  }
  return found;
}

Result<std::unique_ptr<Source>> LabelsSource::open(LabelsOptions options) {
  std::vector<fs::path> pictures;
  std::error_code code;
  const fs::path folder = options.folder / "images";
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    if (names_picture(at->path().filename().string())) pictures.push_back(at->path());
  }
  if (pictures.empty()) {
    return not_found(
        fmt::format("There are no pictures in '{}'; a source of labels is a folder with images/ and labels/.",
                    folder.string()));
  }
  std::ranges::sort(pictures);
  return std::unique_ptr<Source>(std::make_unique<LabelsSource>(std::move(options), std::move(pictures)));
}

Result<std::optional<Frame>> LabelsSource::next(const Stop& stop) {
  if (stop()) return stopped();
  if (given_ >= pictures_.size()) {
    state_.with([](SourceState& s) { s.status = SourceStatus::kEnded; });
    return std::optional<Frame>();
  }
  Result<Frame> frame = read(pictures_[given_]);
  if (!frame) {
    state_.with([&](SourceState& s) {
      s.status = SourceStatus::kFailed;
      s.error = frame.error().message;
    });
    return std::move(frame).error();
  }
  frame->time_ms =
      options_.start_ms + static_cast<std::int64_t>(static_cast<double>(given_) * 1000 / options_.fps);
  frame->number = ++given_;
  state_.with([](SourceState& s) { ++s.frames; });
  return std::optional(*std::move(frame));
}

Result<Frame> LabelsSource::read(const fs::path& picture) const {
  BASCULE_ASSIGN(std::vector<std::byte> bytes, read_file(picture, options_.max_bytes));
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  BASCULE_ASSIGN(const image::Header header, image::read_header(*owner, {}));
  const fs::path labels = options_.folder / "labels" / picture.stem().concat(".txt");
  BASCULE_ASSIGN(content::Detections found,
                 labelled(labels, {.height = header.height, .width = header.width}));
  return Frame{.picture = {.bytes = *owner, .owner = owner, .name = picture.filename().string()},
               .source = options_.source,
               .labelled = std::move(found)};
}

}  // namespace bascule::applications
