#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "image/decoders.h"

namespace bascule::image {
namespace {

// What libtiff reads from: bytes in memory, and the first thing that it had to complain of.
struct Source {
  std::span<const std::byte> bytes;
  std::uint64_t at = 0;
  std::string problem;
};

tmsize_t read_some(thandle_t handle, void* to, tmsize_t size) {
  Source& source = *static_cast<Source*>(handle);
  if (size <= 0 || source.at >= source.bytes.size()) return 0;
  const std::uint64_t part = std::min<std::uint64_t>(static_cast<std::uint64_t>(size),  //
                                                     source.bytes.size() - source.at);
  std::memcpy(to, source.bytes.data() + source.at, part);
  source.at += part;
  return static_cast<tmsize_t>(part);
}
tmsize_t write_nothing(thandle_t /*handle*/, void* /*from*/, tmsize_t /*size*/) { return 0; }
toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Source& source = *static_cast<Source*>(handle);
  if (whence == SEEK_CUR) offset += source.at;
  if (whence == SEEK_END) offset += source.bytes.size();
  source.at = offset;
  return offset;
}
int close_nothing(thandle_t /*handle*/) { return 0; }
// libtiff only reads there: the picture is opened for reading.
int map(thandle_t handle, void** base, toff_t* size) {
  const Source& source = *static_cast<const Source*>(handle);
  *base = const_cast<std::byte*>(source.bytes.data());
  *size = source.bytes.size();
  return 1;
}
void unmap(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}
toff_t size_of(thandle_t handle) { return static_cast<const Source*>(handle)->bytes.size(); }

void keep_problem(void* handle, const char* format, va_list values) {
  Source& source = *static_cast<Source*>(handle);
  if (!source.problem.empty()) return;
  std::array<char, 200> text{};
  (void)std::vsnprintf(text.data(), text.size(), format, values);
  source.problem = text.data();
  while (source.problem.ends_with('.')) source.problem.pop_back();
}
int on_error(TIFF* /*tiff*/, void* handle, const char* /*module*/, const char* format, va_list values) {
  keep_problem(handle, format, values);
  return 1;  // nothing more is to be done with it: nothing goes to stderr
}
// Unknown tags and the like are no harm. What libjpeg warns of is: data that ended early, painted grey.
int on_warning(TIFF* /*tiff*/, void* handle, const char* module, const char* format, va_list values) {
  if (module != nullptr && std::string_view(module) == "JPEGLib") keep_problem(handle, format, values);
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Handle = std::unique_ptr<TIFF, CloseTiff>;

Error damaged(const Source& source) {
  return bad_picture(fmt::format("The TIFF picture is damaged or cut short: {}.",
                                 source.problem.empty() ? "it cannot be read to the end" : source.problem));
}

// `largest` is what libtiff may take for one thing: a strip, a tile, a list of offsets.
Result<Handle> open(Source& source, std::uint64_t largest) {
  struct FreeOptions {
    void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
  };
  const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (!options) return internal_error("The TIFF decoder could not be started.");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(largest));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &source);
  // With a map: without one, libtiff 4.5.0 refuses unpacked tiles that are no multiple of 1,024 bytes.
  Handle handle(TIFFClientOpenExt("picture", "r", &source, read_some, write_nothing, seek, close_nothing,
                                  size_of, map, unmap, options.get()));
  if (!handle) return damaged(source);
  return handle;
}

// A list of offsets takes at most four times its bytes in the file; libtiff fills up missing ones to 8 MB.
std::uint64_t header_memory(std::span<const std::byte> bytes) {
  return 4 * std::uint64_t{bytes.size()} + (std::uint64_t{16} << 20);
}

struct Info {
  StoredHeader stored;
  std::uint16_t bits = 1;
  std::uint16_t samples = 1;
  std::uint16_t packing = COMPRESSION_NONE;
  std::uint16_t color = PHOTOMETRIC_MINISWHITE;
  std::uint16_t planes = PLANARCONFIG_CONTIG;
  std::uint32_t band = 0;  // rows of a strip or a tile
  std::uint32_t tile_width = 0;
  bool tiled = false;
};

template <class T>
T field(TIFF* tiff, std::uint32_t tag, T otherwise) {
  T value = otherwise;
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : otherwise;
}

// The ways of packing that OpenCV's TIFF reader knows, and how many bytes one byte can become at most: 0
// where there is no such bound (a white row of a fax is one bit).
struct Packing {
  std::uint16_t code;
  std::uint64_t gain;
};
constexpr std::array<Packing, 10> kPackings = {{
    {COMPRESSION_NONE, 1},
    {COMPRESSION_CCITTRLE, 0},
    {COMPRESSION_CCITTRLEW, 0},
    {COMPRESSION_CCITTFAX3, 0},
    {COMPRESSION_CCITTFAX4, 0},
    {COMPRESSION_LZW, 4096},   // the longest string of its table, for nine bits at least
    {COMPRESSION_JPEG, 6144},  // 2,048 pixels of three samples, as decode_jpeg.cc has it
    {COMPRESSION_ADOBE_DEFLATE, 1032},
    {COMPRESSION_DEFLATE, 1032},
    {COMPRESSION_PACKBITS, 64},
}};

Result<Info> read_info(TIFF* tiff) {
  Info info;
  info.stored.width = field<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  info.stored.height = field<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  if (info.stored.width == 0 || info.stored.height == 0) {
    return bad_picture("The TIFF picture is damaged: its header gives it no width or no height.");
  }
  info.stored.orientation = field<std::uint16_t>(tiff, TIFFTAG_ORIENTATION, 1);
  if (info.stored.orientation < 1 || info.stored.orientation > 8) info.stored.orientation = 1;
  info.bits = field(tiff, TIFFTAG_BITSPERSAMPLE, info.bits);
  info.samples = field(tiff, TIFFTAG_SAMPLESPERPIXEL, info.samples);
  info.packing = field(tiff, TIFFTAG_COMPRESSION, info.packing);
  info.color = field(tiff, TIFFTAG_PHOTOMETRIC, info.color);
  info.planes = field(tiff, TIFFTAG_PLANARCONFIG, info.planes);
  info.tiled = TIFFIsTiled(tiff) != 0;
  info.band = field<std::uint32_t>(tiff, info.tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, 0);
  info.band = std::min(info.band == 0 ? info.stored.height : info.band, info.stored.height);
  if (info.tiled) info.tile_width = field<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0);
  return info;
}

// Refused before anything is allocated for the pixels.
Result<void> check_offered(TIFF* tiff, const Info& info, std::size_t size) {
  constexpr std::uint16_t kMaxSamples = 5;  // C, M, Y, K and one more
  if (info.bits > 16 || info.samples > kMaxSamples) {
    return bad_picture(
        fmt::format("The TIFF picture has {} samples of {} bits per pixel; up to {} of up to 16 are offered. "
                    "Save it with 8 bits as R, G, B.",
                    info.samples, info.bits, kMaxSamples));
  }
  const auto* packing = std::ranges::find(kPackings, info.packing, &Packing::code);
  if (packing == kPackings.end()) {
    return bad_picture(
        fmt::format("The TIFF picture is packed in a way that is not offered (compression {}). "
                    "Save it with LZW, Deflate or none.",
                    info.packing));
  }
  const std::uint64_t pixels = std::uint64_t{info.stored.width} * info.stored.height;
  const std::uint64_t samples =
      info.color == PHOTOMETRIC_YCBCR ? 1 : info.samples;  // the others may be fewer
  if (packing->gain > 0 && pixels * samples * info.bits / 8 / packing->gain > size) {
    return bad_picture(fmt::format("The TIFF picture is damaged: {} bytes cannot hold {} x {} pixels.", size,
                                   info.stored.width, info.stored.height));
  }
  const auto tile_rows = field<std::uint32_t>(tiff, TIFFTAG_TILELENGTH, 0);
  const std::uint64_t tile = std::uint64_t{info.tile_width} * tile_rows;
  constexpr std::uint64_t kSmall = 1U << 20;
  if (info.tiled && (tile == 0 || tile > std::max(kSmall, 4 * pixels))) {
    return bad_picture(
        fmt::format("The TIFF picture is damaged: it has tiles of {} x {} pixels for its own {} x {}.",
                    info.tile_width, tile_rows, info.stored.width, info.stored.height));
  }
  return {};
}

// Plain R, G, B of 8 bits in strips is read where it belongs.
bool is_plain(const Info& info) {
  return info.bits == 8 && info.samples == 3 && info.color == PHOTOMETRIC_RGB &&
         info.planes == PLANARCONFIG_CONTIG && !info.tiled;
}

Result<void> read_plain(TIFF* tiff, const Info& info, const Source& source, Bitmap& out) {
  for (std::uint32_t y = 0; y < info.stored.height; y += info.band) {
    const std::uint32_t rows = std::min(info.band, info.stored.height - y);
    const auto bytes = static_cast<tmsize_t>(out.row_bytes() * rows);
    const std::uint32_t strip = TIFFComputeStrip(tiff, y, 0);
    if (TIFFReadEncodedStrip(tiff, strip, out.row(static_cast<int>(y)), bytes) != bytes)
      return damaged(source);
  }
  return {};
}

// Everything else as libtiff's own interface for viewers has it, which is what OpenCV uses: palettes and grey
// expanded, 16 bits rounded to 8, colours times alpha where alpha is not yet in them.
Result<void> read_as_viewers_do(TIFF* tiff, const Info& info, const Source& source, Bitmap& out) {
  std::array<char, 1024> why{};
  TIFFRGBAImage image{};
  if (TIFFRGBAImageOK(tiff, why.data()) == 0 || TIFFRGBAImageBegin(&image, tiff, 1, why.data()) == 0) {
    return bad_picture(fmt::format("The TIFF picture is of a kind that is not offered: {}.", why.data()));
  }
  struct End {
    void operator()(TIFFRGBAImage* at) const { TIFFRGBAImageEnd(at); }
  };
  const std::unique_ptr<TIFFRGBAImage, End> end(&image);
  image.req_orientation = image.orientation;  // as stored; apply_orientation() turns it
  std::vector<std::uint32_t> band(std::size_t{info.stored.width} * info.band);
  for (std::uint32_t y = 0; y < info.stored.height; y += info.band) {
    const std::uint32_t rows = std::min(info.band, info.stored.height - y);
    image.row_offset = static_cast<int>(y);
    if (TIFFRGBAImageGet(&image, band.data(), info.stored.width, rows) == 0) return damaged(source);
    std::uint8_t* to = out.row(static_cast<int>(y));
    const std::size_t pixels = std::size_t{info.stored.width} * rows;
    for (std::size_t i = 0; i < pixels; ++i, to += 3) {
      to[0] = static_cast<std::uint8_t>(TIFFGetR(band[i]));
      to[1] = static_cast<std::uint8_t>(TIFFGetG(band[i]));
      to[2] = static_cast<std::uint8_t>(TIFFGetB(band[i]));
    }
  }
  return {};
}

}  // namespace

Result<StoredHeader> read_tiff_header(std::span<const std::byte> bytes) {
  Source source{.bytes = bytes};
  BASCULE_ASSIGN(const Handle tiff, open(source, header_memory(bytes)));
  BASCULE_ASSIGN(const Info info, read_info(tiff.get()));
  return info.stored;
}

Result<void> decode_tiff(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  constexpr std::uint64_t kMostPerPixel =
      40;  // bytes: five samples of 16 bits, tiles larger than the picture
  Source source{.bytes = bytes};
  const std::uint64_t pixels = std::uint64_t{header.width} * header.height;
  BASCULE_ASSIGN(const Handle tiff, open(source, header_memory(bytes) + kMostPerPixel * pixels));
  BASCULE_ASSIGN(const Info info, read_info(tiff.get()));
  BASCULE_TRY(check_offered(tiff.get(), info, bytes.size()));
  source.problem.clear();  // what the header's notes had wrong costs no picture
  reshape(out, header);
  if (is_plain(info)) {
    BASCULE_TRY(read_plain(tiff.get(), info, source, out));
  } else {
    BASCULE_TRY(read_as_viewers_do(tiff.get(), info, source, out));
  }
  // A fax's broken line is told, and libtiff goes on.
  if (!source.problem.empty()) return damaged(source);
  return {};
}

}  // namespace bascule::image
