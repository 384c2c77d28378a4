#include <fmt/format.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "image/byte_reader.h"
#include "image/decoders.h"

namespace bascule::image {
namespace {

constexpr std::size_t kScreenEnd = 13;  // signature and logical screen descriptor (GIF89a, 18)
constexpr std::uint8_t kExtension = 0x21;
constexpr std::uint8_t kImage = 0x2C;
constexpr std::uint8_t kTrailer = 0x3B;

Error cut_short(std::size_t size) {
  return bad_picture(fmt::format(
      "The GIF picture is cut short: its {} bytes end before the picture does. Send the whole file.", size));
}

std::size_t table_bytes(std::uint8_t flags) {
  return (flags & 0x80U) == 0 ? 0 : std::size_t{3} << ((flags & 7U) + 1);
}

// Behind the sub-blocks that begin at `at`; adds up what they hold.
Result<std::size_t> skip_blocks(const ByteReader& reader, std::size_t at, std::uint64_t& held) {
  while (true) {
    const auto length = reader.u8(at);
    if (!length || *length > reader.size() - at - 1) return cut_short(reader.size());
    at += 1 + std::size_t{*length};
    held += *length;
    if (*length == 0) return at;
  }
}

// The first frame, with where it lies on the canvas.
struct Frame {
  std::uint16_t left = 0;
  std::uint16_t top = 0;
  std::uint16_t width = 0;
  std::uint16_t height = 0;
  std::uint64_t data = 0;  // bytes of its packed pixels
};

// Walks over the file to its end without unpacking, so that one cut short costs no memory. Later frames are
// walked over as well; nothing is kept of them.
Result<Frame> read_first_frame(const ByteReader& reader) {
  const auto flags = reader.u8(10);
  if (!flags) return cut_short(reader.size());
  std::size_t at = kScreenEnd + table_bytes(*flags);
  Frame first;
  while (true) {
    const auto kind = reader.u8(at);
    if (!kind) return cut_short(reader.size());
    std::uint64_t held = 0;
    if (*kind == kExtension) {
      BASCULE_ASSIGN(at, skip_blocks(reader, at + 2, held));
    } else if (*kind == kImage) {
      const auto local = reader.u8(at + 9);
      if (!local) return cut_short(reader.size());
      const Frame frame{*reader.u16(at + 1), *reader.u16(at + 3), *reader.u16(at + 5), *reader.u16(at + 7)};
      BASCULE_ASSIGN(at, skip_blocks(reader, at + 11 + table_bytes(*local), held));
      if (first.width == 0) {
        if (frame.width == 0 || frame.height == 0) {
          return bad_picture(fmt::format("The GIF picture is damaged: its first frame has {} x {} pixels.",
                                         frame.width, frame.height));
        }
        first = frame;
        first.data = held;
      }
    } else if (*kind == kTrailer) {
      if (first.width == 0) return bad_picture("The GIF picture is damaged: it holds no frame.");
      return first;
    } else {
      return bad_picture(fmt::format("The GIF picture is damaged: byte {} begins no block.", at));
    }
  }
}

Result<void> check_frame(const Frame& frame, const StoredHeader& header) {
  if (frame.left + frame.width > header.width || frame.top + frame.height > header.height) {
    return bad_picture(fmt::format(
        "The GIF picture is damaged: its first frame of {} x {} pixels leaves the {} x {} of the whole.",
        frame.width, frame.height, header.width, header.height));
  }
  // The longest string of the table, for a code of three bits at least.
  constexpr std::uint64_t kMaxPixelsPerByte = 4096 * 8 / 3;
  const std::uint64_t pixels = std::uint64_t{frame.width} * frame.height;
  if (pixels / kMaxPixelsPerByte <= frame.data) return {};
  return bad_picture(fmt::format("The GIF picture is damaged: {} bytes of data cannot hold {} x {} pixels.",
                                 frame.data, frame.width, frame.height));
}

// What giflib reads from.
struct Source {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
};

int read_some(GifFileType* gif, GifByteType* to, int length) {
  Source& source = *static_cast<Source*>(gif->UserData);
  const std::size_t part =
      std::min<std::size_t>(static_cast<std::size_t>(std::max(length, 0)), source.bytes.size() - source.at);
  std::memcpy(to, source.bytes.data() + source.at, part);
  source.at += part;
  return static_cast<int>(part);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { (void)DGifCloseFile(gif, nullptr); }
};
using Handle = std::unique_ptr<GifFileType, CloseGif>;

Error damaged(int code) {
  const char* text = GifErrorString(code);
  return bad_picture(
      fmt::format("The GIF picture is damaged: {}.", text == nullptr ? "its data is wrong" : text));
}

// The index that is seen through: the last graphic control extension before the frame has it; -1 for none.
Result<int> go_to_first_frame(GifFileType* gif) {
  int transparent = -1;
  while (true) {
    GifRecordType kind = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &kind) == GIF_ERROR) return damaged(gif->Error);
    if (kind == IMAGE_DESC_RECORD_TYPE) break;
    if (kind != EXTENSION_RECORD_TYPE) return damaged(D_GIF_ERR_NO_IMAG_DSCR);
    int label = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif, &label, &block) == GIF_ERROR) return damaged(gif->Error);
    if (label == GRAPHICS_EXT_FUNC_CODE && block != nullptr) {
      GraphicsControlBlock control{};
      if (DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) transparent = control.TransparentColor;
    }
    while (block != nullptr) {
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return damaged(gif->Error);
    }
  }
  if (DGifGetImageDesc(gif) == GIF_ERROR) return damaged(gif->Error);
  return transparent;
}

// Three bytes for each of 256 indices, and how many there are: the frame's own colours, then the file's; a
// file without any counts in grey, and 1 is white (GIF89a, 19).
struct Palette {
  std::array<std::array<std::uint8_t, 3>, 256> colors{};
  int size = 0;

  void take(const ColorMapObject* map) {
    if (map == nullptr) return;
    for (; size < std::min(map->ColorCount, 256); ++size) {
      const GifColorType& color = map->Colors[size];
      colors[static_cast<std::size_t>(size)] = {color.Red, color.Green, color.Blue};
    }
  }
};

Palette palette_of(const GifFileType& gif) {
  Palette palette;
  palette.take(gif.Image.ColorMap);
  palette.take(gif.SColorMap);
  for (; gif.Image.ColorMap == nullptr && gif.SColorMap == nullptr && palette.size < 256; ++palette.size) {
    const auto shade = static_cast<std::uint8_t>(palette.size == 1 ? 255 : palette.size);
    palette.colors[static_cast<std::size_t>(palette.size)] = {shade, shade, shade};
  }
  return palette;
}

// As OpenCV paints it: the background's colour, where the file has colours of its own.
void paint_background(const GifFileType& gif, Bitmap& out) {
  std::array<std::uint8_t, 3> color{};
  if (gif.SColorMap != nullptr && gif.SBackGroundColor < gif.SColorMap->ColorCount) {
    const GifColorType& found = gif.SColorMap->Colors[gif.SBackGroundColor];
    color = {found.Red, found.Green, found.Blue};
  }
  for (std::size_t i = 0; i < out.pixels.size(); i += 3) std::memcpy(out.pixels.data() + i, color.data(), 3);
}

Result<void> paint_row(const std::vector<std::uint8_t>& row, const Palette& palette, int transparent,
                       std::uint8_t* to) {
  for (const std::uint8_t index : row) {
    if (index != transparent) {
      if (index >= palette.size) {
        return bad_picture(
            fmt::format("The GIF picture is damaged: it uses colour {} of {}.", index, palette.size));
      }
      std::memcpy(to, palette.colors[index].data(), 3);
    }
    to += 3;
  }
  return {};
}

}  // namespace

Result<StoredHeader> read_gif_header(std::span<const std::byte> bytes) {
  const ByteReader reader(bytes);
  const auto width = reader.u16(6);
  const auto height = reader.u16(8);
  if (!width || !height) return cut_short(bytes.size());
  if (*width == 0 || *height == 0) {
    return bad_picture(
        fmt::format("The GIF picture is damaged: its header says {} x {} pixels.", *width, *height));
  }
  return StoredHeader{*height, *width, 1};
}

Result<void> decode_gif(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  BASCULE_ASSIGN(const Frame frame, read_first_frame(ByteReader(bytes)));
  BASCULE_TRY(check_frame(frame, header));
  Source source{bytes};
  int code = 0;
  const Handle gif(DGifOpen(&source, read_some, &code));
  if (!gif) return damaged(code);
  BASCULE_ASSIGN(const int transparent, go_to_first_frame(gif.get()));
  const GifImageDesc& image = gif->Image;
  if (image.Width != frame.width || image.Height != frame.height) return damaged(D_GIF_ERR_DATA_TOO_BIG);
  reshape(out, header);
  paint_background(*gif, out);
  const Palette palette = palette_of(*gif);
  std::vector<std::uint8_t> row(frame.width);
  struct Pass {
    int first, step;
  };
  constexpr std::array<Pass, 4> kInterlaced = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  constexpr std::array<Pass, 1> kPlain = {{{0, 1}}};
  for (const Pass pass :
       image.Interlace ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain)) {
    for (int y = pass.first; y < frame.height; y += pass.step) {
      if (DGifGetLine(gif.get(), row.data(), frame.width) == GIF_ERROR) return damaged(gif->Error);
      BASCULE_TRY(paint_row(row, palette, transparent, out.row(frame.top + y) + std::size_t{3} * frame.left));
    }
  }
  return {};
}

}  // namespace bascule::image
