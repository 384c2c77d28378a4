#include <fmt/format.h>
#include <turbojpeg.h>

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

#include "image/byte_reader.h"
#include "image/decoders.h"

namespace bascule::image {
namespace {

// Markers of ITU-T T.81, table B.1.
constexpr std::uint8_t kEndOfImage = 0xD9;
constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr std::uint8_t kApp1 = 0xE1;

bool is_frame_header(std::uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}
bool is_supported_frame(std::uint8_t marker) {
  return marker <= 0xC2 || marker == 0xC9 || marker == 0xCA;  // Huffman or arithmetic; not lossless
}
bool is_huffman_frame(std::uint8_t marker) { return marker <= 0xC2; }
bool stands_alone(std::uint8_t marker) {  // without a length
  return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

Error cut_short(std::size_t size) {
  return bad_picture(
      fmt::format("The JPEG picture is cut short: its {} bytes end before the picture does. Send the "
                  "whole file.",
                  size));
}

struct Segment {
  std::uint8_t marker = 0;
  std::size_t begin = 0;  // of its content, behind marker and length
  std::size_t end = 0;
};

// The segment whose marker begins at `at`; more 0xFF before it are fill.
Result<Segment> segment_at(const ByteReader& reader, std::size_t at) {
  if (at >= reader.size()) return cut_short(reader.size());
  if (*reader.u8(at) != 0xFF) {
    return bad_picture(fmt::format("The JPEG picture is damaged: byte {} should begin a marker.", at));
  }
  while (reader.u8(at) == 0xFF) ++at;
  const auto marker = reader.u8(at);
  if (!marker) return cut_short(reader.size());
  ++at;
  if (stands_alone(*marker) || *marker == kEndOfImage) return Segment{*marker, at, at};
  const auto length = reader.u16(at);
  if (!length || *length > reader.size() - at) return cut_short(reader.size());
  if (*length < 2) {
    return bad_picture(
        fmt::format("The JPEG picture is damaged: the segment at byte {} has length {}; the least "
                    "is 2.",
                    at, *length));
  }
  return Segment{*marker, at + 2, at + *length};
}

struct Frame {
  StoredHeader stored;
  std::uint8_t marker = 0;
  std::size_t first_scan = 0;  // where the first scan's segment begins
};

Result<void> read_frame(const ByteReader& reader, const Segment& segment, Frame& frame) {
  if (!is_supported_frame(segment.marker)) {
    return bad_picture(
        fmt::format("The JPEG picture is of a kind that is not offered (SOF{}, lossless or "
                    "hierarchical). Save it as baseline or progressive JPEG.",
                    segment.marker - 0xC0));
  }
  const auto precision = reader.u8(segment.begin);
  const auto components = reader.u8(segment.begin + 5);
  if (!precision || !components || segment.end - segment.begin < 6) return cut_short(reader.size());
  if (*precision != 8) {
    return bad_picture(fmt::format(
        "The JPEG picture has {} bits per sample; only 8 are offered. Save it with 8.", *precision));
  }
  if (*components != 1 && *components != 3 && *components != 4) {
    return bad_picture(
        fmt::format("The JPEG picture has {} colour components; 1, 3 or 4 are offered.", *components));
  }
  frame.stored.height = *reader.u16(segment.begin + 1);
  frame.stored.width = *reader.u16(segment.begin + 3);
  if (frame.stored.height == 0 || frame.stored.width == 0) {
    return bad_picture(fmt::format("The JPEG picture is damaged: its header says {} x {} pixels.",
                                   frame.stored.width, frame.stored.height));
  }
  frame.marker = segment.marker;
  return {};
}

// Everything up to the first scan: that is where the size and the orientation stand.
Result<Frame> read_frame_header(const ByteReader& reader) {
  Frame frame;
  bool saw_exif = false;
  std::size_t at = 2;
  while (true) {
    BASCULE_ASSIGN(const Segment segment, segment_at(reader, at));
    if (segment.marker == kEndOfImage || segment.marker == kStartOfScan) {
      if (frame.marker == 0 || segment.marker == kEndOfImage) {
        return bad_picture("The JPEG picture is damaged: it has no picture data behind a frame header.");
      }
      frame.first_scan = at;
      return frame;
    }
    if (is_frame_header(segment.marker)) {
      if (frame.marker != 0) return bad_picture("The JPEG picture is damaged: it has two frame headers.");
      BASCULE_TRY(read_frame(reader, segment, frame));
    } else if (segment.marker == kApp1 && !saw_exif) {  // XMP uses the marker too; the first Exif counts
      constexpr std::string_view kExif("Exif\0\0", 6);
      const ByteReader content(reader.part(segment.begin, segment.end - segment.begin));
      saw_exif = content.has(0, kExif);
      if (saw_exif) frame.stored.orientation = exif_orientation(content.part(kExif.size(), content.size()));
    }
    at = segment.end;
  }
}

// Walks over the scans to the end marker, so that a file cut short costs no memory.
Result<void> check_complete(std::span<const std::byte> bytes, const ByteReader& reader, std::size_t at) {
  while (true) {
    const void* found = at < bytes.size() ? std::memchr(bytes.data() + at, 0xFF, bytes.size() - at) : nullptr;
    if (found == nullptr) return cut_short(bytes.size());
    at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
    const auto next = reader.u8(at + 1);
    if (next == 0x00 || (next && stands_alone(*next))) {  // a data byte 0xFF, or a restart
      at += 2;
      continue;
    }
    BASCULE_ASSIGN(const Segment segment, segment_at(reader, at));
    if (segment.marker == kEndOfImage) return {};
    at = segment.end;
  }
}

// Huffman coding spends at least one bit on each 8 x 8 block. Some component has the most columns and some
// has the most rows, the other side at worst a quarter: a block covers at most 8 x 32 pixels.
Result<void> check_plausible(std::size_t size, const Frame& frame) {
  constexpr std::uint64_t kMaxPixelsPerByte = std::uint64_t{8} * 8 * 32;
  const std::uint64_t pixels = std::uint64_t{frame.stored.width} * frame.stored.height;
  if (!is_huffman_frame(frame.marker) || pixels / kMaxPixelsPerByte <= size) return {};
  return bad_picture(fmt::format("The JPEG picture is damaged: {} bytes cannot hold {} x {} pixels.", size,
                                 frame.stored.width, frame.stored.height));
}

// CMYK as Adobe writes it, inverted, to R, G, B with OpenCV's rounding; the picture shrinks where it lies.
void cmyk_to_rgb(Bitmap& bitmap, std::size_t pixels) {
  std::uint8_t* data = bitmap.pixels.data();
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* from = data + 4 * i;
    const int black = from[3];
    const std::uint8_t rgb[3] = {static_cast<std::uint8_t>(black - (((255 - from[0]) * black) >> 8)),
                                 static_cast<std::uint8_t>(black - (((255 - from[1]) * black) >> 8)),
                                 static_cast<std::uint8_t>(black - (((255 - from[2]) * black) >> 8))};
    std::memcpy(data + 3 * i, rgb, 3);
  }
}

struct DestroyHandle {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, DestroyHandle>;

}  // namespace

Result<StoredHeader> read_jpeg_header(std::span<const std::byte> bytes) {
  BASCULE_ASSIGN(const Frame frame, read_frame_header(ByteReader(bytes, Order::kBig)));
  return frame.stored;
}

Result<void> decode_jpeg(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  return decode_jpeg_fraction(bytes, header, 1, out);
}

Result<void> decode_jpeg_fraction(std::span<const std::byte> bytes, const StoredHeader& header,
                                  std::uint32_t fraction, Bitmap& out) {
  const ByteReader reader(bytes, Order::kBig);
  BASCULE_ASSIGN(const Frame frame, read_frame_header(reader));
  BASCULE_TRY(check_complete(bytes, reader, frame.first_scan));
  BASCULE_TRY(check_plausible(bytes.size(), frame));

  const Handle handle(tjInitDecompress());
  if (!handle) return internal_error("The JPEG decoder could not be started.");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colorspace = TJCS_YCbCr;
  if (tjDecompressHeader3(handle.get(), data, bytes.size(), &width, &height, &subsampling, &colorspace) !=
      0) {
    return bad_picture(
        fmt::format("The JPEG picture is damaged or unusual: {}.", tjGetErrorStr2(handle.get())));
  }
  const bool cmyk = colorspace == TJCS_CMYK || colorspace == TJCS_YCCK;
  const StoredHeader made{(header.height + fraction - 1) / fraction,
                          (header.width + fraction - 1) / fraction};
  reshape(out, made);
  const std::size_t pixels = std::size_t{made.width} * made.height;
  if (cmyk) out.pixels.resize(4 * pixels);
  constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  const int failed = tjDecompress2(handle.get(), data, bytes.size(), out.pixels.data(), out.width, 0,
                                   out.height, cmyk ? TJPF_CMYK : TJPF_RGB, kFlags);
  if (failed != 0)
    return bad_picture(fmt::format("The JPEG picture is damaged: {}.", tjGetErrorStr2(handle.get())));
  if (cmyk) {
    cmyk_to_rgb(out, pixels);
    out.pixels.resize(3 * pixels);
  }
  return {};
}

}  // namespace bascule::image
