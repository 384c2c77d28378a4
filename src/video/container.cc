#include "video/container.h"

#include <algorithm>
#include <array>

namespace bascule::video {
namespace {

using namespace std::string_view_literals;

// Where it stands, and that it is a video and no picture of the same kind of file.
bool is_iso_media(std::string_view bytes) {
  static constexpr std::array kBoxes = {"moov"sv, "mdat"sv, "free"sv, "skip"sv, "wide"sv, "pnot"sv, "moof"sv};
  static constexpr std::array kPictures = {"avif"sv, "heic"sv, "heix"sv, "heim"sv, "heis"sv, "mif1"sv};
  if (bytes.size() < 12) return false;
  const std::string_view box = bytes.substr(4, 4);
  if (box == "ftyp") return std::ranges::find(kPictures, bytes.substr(8, 4)) == kPictures.end();
  return std::ranges::find(kBoxes, box) != kBoxes.end();
}

bool is_transport_stream(std::string_view bytes) {
  constexpr std::size_t kPacket = 188;
  return bytes.size() > 2 * kPacket && bytes[0] == 'G' && bytes[kPacket] == 'G' && bytes[2 * kPacket] == 'G';
}

}  // namespace

std::string_view demuxer_of(std::span<const std::byte> head) {
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  if (is_iso_media(bytes)) return "mov";
  if (bytes.starts_with("\x1A\x45\xDF\xA3")) return "matroska";
  if (bytes.starts_with("RIFF") && bytes.substr(std::min<std::size_t>(8, bytes.size())).starts_with("AVI "))
    return "avi";
  if (is_transport_stream(bytes)) return "mpegts";
  if (bytes.starts_with("\0\0\x01\xBA"sv)) return "mpeg";
  if (bytes.starts_with("FLV\x01")) return "flv";
  if (bytes.starts_with("\x30\x26\xB2\x75\x8E\x66\xCF\x11")) return "asf";
  if (bytes.starts_with("OggS")) return "ogg";
  return {};
}

}  // namespace bascule::video
