#include "video/container.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace bascule::video {
namespace {

using namespace std::string_view_literals;

// ISO base media, of which pictures are, too: those name a brand of AVIF or HEIC in their first box.
bool is_iso_media(std::string_view bytes) {
  static constexpr std::array kBoxes = {"moov"sv, "mdat"sv, "free"sv, "skip"sv, "wide"sv, "pnot"sv, "moof"sv};
  static constexpr std::array kPictures = {"avif"sv, "avis"sv, "heic"sv, "heix"sv, "heim"sv,
                                           "heis"sv, "hevc"sv, "hevx"sv, "mif1"sv, "msf1"sv};
  if (bytes.size() < 12) return false;
  const std::string_view box = bytes.substr(4, 4);
  if (box != "ftyp") return std::ranges::find(kBoxes, box) != kBoxes.end();
  const std::size_t end = std::min<std::size_t>(bytes.size(), static_cast<std::uint8_t>(bytes[3]));
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
    if (std::ranges::find(kPictures, bytes.substr(at, 4)) != kPictures.end()) return false;
  }
  return true;
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
