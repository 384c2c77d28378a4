#include "protocol/ultralytics/source.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/base64.h"

namespace bascule::protocol::ultralytics {
namespace {

bool has_at(std::string_view bytes, std::size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && bytes.substr(at, magic.size()) == magic;
}

// Whether an ISO base media file, which videos are too, names a brand of AVIF or HEIC in its first box.
bool is_picture_container(std::string_view bytes) {
  static constexpr std::array<std::string_view, 10> kPictures = {"avif", "avis", "heic", "heix", "heim",
                                                                 "heis", "hevc", "hevx", "mif1", "msf1"};
  if (!has_at(bytes, 4, "ftyp")) return false;
  constexpr std::size_t kMostBrands = 64;
  const auto length = static_cast<std::uint8_t>(bytes[3]);  // of the box; longer ones are not written
  const std::size_t end = std::min({bytes.size(), std::size_t{length}, 8 + 4 * kMostBrands});
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
    if (std::ranges::find(kPictures, bytes.substr(at, 4)) != kPictures.end()) return true;
  }
  return false;
}

bool looks_like_picture(std::string_view bytes) {
  return bytes.starts_with("\xFF\xD8\xFF") || bytes.starts_with("\x89PNG") || bytes.starts_with("BM") ||
         (bytes.starts_with("RIFF") && has_at(bytes, 8, "WEBP")) || bytes.starts_with("GIF8") ||
         bytes.starts_with(std::string_view("II*\0", 4)) || bytes.starts_with(std::string_view("MM\0*", 4)) ||
         bytes.starts_with(std::string_view("II+\0", 4)) || bytes.starts_with(std::string_view("MM\0+", 4)) ||
         bytes.starts_with("\xFF\x4F\xFF\x51") || bytes.starts_with(std::string_view("\0\0\0\x0CjP  ", 8)) ||
         is_picture_container(bytes);
}

bool looks_like_video(std::string_view bytes) {
  if (has_at(bytes, 4, "moov") || has_at(bytes, 4, "mdat")) return true;
  if (has_at(bytes, 4, "ftyp")) return !is_picture_container(bytes);
  return (bytes.starts_with("RIFF") && has_at(bytes, 8, "AVI ")) || bytes.starts_with("\x1A\x45\xDF\xA3") ||
         bytes.starts_with("\x30\x26\xB2\x75\x8E\x66") || bytes.starts_with("FLV\x01") ||
         bytes.starts_with("OggS") ||
         (bytes.starts_with("G") && has_at(bytes, 188, "G") && has_at(bytes, 376, "G")) ||
         bytes.starts_with(std::string_view("\0\0\x01\xBA", 4)) ||
         bytes.starts_with(std::string_view("\0\0\x01\xB3", 4));
}

bool named_like_video(std::string_view file_name) {
  static constexpr std::array<std::string_view, 15> kEndings = {"asf", "avi", "flv",  "m4v",  "mkv",
                                                                "mov", "mp4", "mpg",  "mpeg", "ogg",
                                                                "ogv", "ts",  "webm", "wmv",  "3gp"};
  const std::size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return false;
  return std::ranges::find(kEndings, text::to_lower(file_name.substr(dot + 1))) != kEndings.end();
}

// A scheme and "://".
bool looks_like_url(std::string_view text) {
  const std::size_t end = text.substr(0, 20).find("://");
  return end != std::string_view::npos && std::ranges::all_of(text.substr(0, end), [](unsigned char c) {
           return (c | 0x20U) >= 'a' && (c | 0x20U) <= 'z';
         });
}

bool is_line_blank(char c) { return c == '\r' || c == '\n' || c == '\t'; }

// Base64 as people send it: with line breaks.
Result<std::string> decode(std::string_view text, std::string_view field) {
  std::string joined;
  if (std::ranges::any_of(text, is_line_blank)) {
    joined.reserve(text.size());
    std::ranges::remove_copy_if(text, std::back_inserter(joined), is_line_blank);
    text = joined;
  }
  if (std::optional<std::string> bytes = decode_base64(text)) return *std::move(bytes);
  const bool blank = text.find(' ') != std::string_view::npos;
  return invalid_argument(
      fmt::format("Field '{}' is '{}', {} characters that are neither a URL nor base64 text{}.", field,
                  text::escape_controls(text::shortened(text, 40)), text.size(),
                  blank ? ": there are blanks in it; a '+' in a form must be sent as %2B"
                        : "; its padding ('=') counts"),
      Reason::kBadPicture);
}

// What stands behind "data:".
struct DataUrl {
  std::string_view media_type;
  std::string_view data;
};

Result<DataUrl> split_data_url(std::string_view text, std::string_view field) {
  const std::size_t comma = text.substr(0, 200).find(',');
  const std::string_view head = text.substr(0, std::min(comma, text.size()));
  if (comma == std::string_view::npos || !text::to_lower(head).ends_with(";base64")) {
    return invalid_argument(
        fmt::format("Field '{}' is a data URL that begins '{}'; send it as data:image/jpeg;base64,….", field,
                    text::escape_controls(text::shortened(text, 40))),
        Reason::kBadPicture);
  }
  return DataUrl{.media_type = head.substr(5, std::min(head.find(';'), head.size()) - 5),
                 .data = text.substr(comma + 1)};
}

Error second_picture() { return invalid_argument("The request has two pictures; send one per request."); }

Result<void> take_text(std::string_view text, std::string_view field, std::string_view media_type,
                       PredictCall& call) {
  BASCULE_ASSIGN(std::string bytes, decode(text, field));
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return take_picture({.bytes = std::as_bytes(std::span(*owner)), .owner = owner, .media_type = media_type},
                      call);
}

}  // namespace

bool has_picture(const PredictCall& call) { return call.request.picture || call.video || !call.url.empty(); }

bool looks_like_file(std::string_view bytes) { return looks_like_picture(bytes) || looks_like_video(bytes); }

Result<void> take_picture(const SentFile& file, PredictCall& call) {
  const std::string_view view(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  const std::string shown = file.name.empty() ? std::string("The file")
                                              : "'" + text::escape_controls(text::shortened(file.name)) + "'";
  if (has_picture(call)) return second_picture();
  if (file.bytes.empty()) {
    return invalid_argument(fmt::format("{} is empty; send the bytes of a picture.", shown),
                            Reason::kBadPicture);
  }
  const bool says_video =
      named_like_video(file.name) || text::to_lower(file.media_type).starts_with("video/");
  if (!looks_like_picture(view) && (says_video || looks_like_video(view))) {
    if (call.style.dialect == Dialect::kHubFirst) {
      return invalid_argument(
          fmt::format("{} is a video, and this call answers for one picture; send it to /predict.", shown));
    }
    call.video = VideoFile{.bytes = file.bytes, .owner = file.owner, .name = std::string(file.name)};
    return {};
  }
  call.request.picture =
      content::EncodedPicture{.bytes = file.bytes, .owner = file.owner, .name = std::string(file.name)};
  return {};
}

Result<void> take_source(std::string_view text, std::string_view field, PredictCall& call) {
  text = text::trimmed(text);
  if (text.empty()) return {};
  if (has_picture(call)) return second_picture();
  if (text::equals_ignoring_case(text.substr(0, 5), "data:")) {
    BASCULE_ASSIGN(const DataUrl url, split_data_url(text, field));
    return take_text(url.data, field, url.media_type, call);
  }
  if (looks_like_url(text)) {
    call.url = text;
    return {};
  }
  return take_text(text, field, {}, call);
}

Result<void> take_fetched(std::vector<std::byte> bytes, PredictCall& call) {
  const std::string url = std::exchange(call.url, {});
  const std::string_view path = std::string_view(url).substr(0, url.find_first_of("?#"));
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return take_picture({.bytes = *owner, .owner = owner, .name = path.substr(path.rfind('/') + 1)}, call);
}

}  // namespace bascule::protocol::ultralytics
