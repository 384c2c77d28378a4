#include <avif/avif.h>
#include <dav1d/dav1d.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "image/codec_library.h"
#include "image/decoders.h"

// libavif leaves dav1d's log as it is: a line on stderr for each unknown unit of two bytes, as many as a
// hostile file likes. It takes its settings from this function, whose name it finds here first (see
// CMakeLists.txt), and there is no other way in. The settings are dav1d's own, without the log.
extern "C" __attribute__((visibility("default"))) void dav1d_default_settings(Dav1dSettings* settings) {
  using bascule::SharedLibrary;
  using bascule::image::open_codec;
  static const auto real = []() -> bascule::Result<decltype(dav1d_default_settings)*> {
    BASCULE_ASSIGN(const SharedLibrary library, open_codec("libdav1d.so.6", "libdav1d6"));
    decltype(dav1d_default_settings)* found = nullptr;
    BASCULE_TRY(library.find("dav1d_default_settings", found));
    return found;
  }();
  if (!real) return;  // not with libavif loaded: it is linked to that library
  (*real)(settings);
  settings->logger = {};
}

namespace bascule::image {
namespace {

// What is used of libavif 0.11 (dav1d decodes).
struct Avif {
  decltype(avifDecoderCreate)* create = nullptr;
  decltype(avifDecoderDestroy)* destroy = nullptr;
  decltype(avifDecoderSetIOMemory)* set_memory = nullptr;
  decltype(avifDecoderParse)* parse = nullptr;
  decltype(avifDecoderNextImage)* next_image = nullptr;
  decltype(avifRGBImageSetDefaults)* set_defaults = nullptr;
  decltype(avifImageYUVToRGB)* to_rgb = nullptr;
  decltype(avifCropRectConvertCleanApertureBox)* crop_of = nullptr;
  decltype(avifResultToString)* text_of = nullptr;
};

Result<Avif> load() {
  BASCULE_ASSIGN(const SharedLibrary library, open_codec("libavif.so.15", "libavif15"));
  Avif avif;
  BASCULE_TRY(library.find("avifDecoderCreate", avif.create));
  BASCULE_TRY(library.find("avifDecoderDestroy", avif.destroy));
  BASCULE_TRY(library.find("avifDecoderSetIOMemory", avif.set_memory));
  BASCULE_TRY(library.find("avifDecoderParse", avif.parse));
  BASCULE_TRY(library.find("avifDecoderNextImage", avif.next_image));
  BASCULE_TRY(library.find("avifRGBImageSetDefaults", avif.set_defaults));
  BASCULE_TRY(library.find("avifImageYUVToRGB", avif.to_rgb));
  BASCULE_TRY(library.find("avifCropRectConvertCleanApertureBox", avif.crop_of));
  BASCULE_TRY(library.find("avifResultToString", avif.text_of));
  return avif;
}

const Result<Avif>& library() {
  static const Result<Avif> loaded = load();
  return loaded;
}

struct Destroy {
  decltype(avifDecoderDestroy)* destroy;
  void operator()(avifDecoder* decoder) const { destroy(decoder); }
};
using Decoder = std::unique_ptr<avifDecoder, Destroy>;

Error damaged(const Avif& avif, const avifDecoder& decoder, avifResult result) {
  return bad_picture(fmt::format("The AVIF picture is damaged or cut short: {}{}{}.", avif.text_of(result),
                                 decoder.diag.error[0] == '\0' ? "" : ", ", decoder.diag.error));
}

// `most_pixels` is what one coded picture may have, whatever the box around it says.
Result<Decoder> parse(const Avif& avif, std::span<const std::byte> bytes, std::uint64_t most_pixels) {
  Decoder decoder(avif.create(), Destroy{avif.destroy});
  if (!decoder) return internal_error("The AVIF decoder could not be started.");
  decoder->maxThreads = 1;
  decoder->imageCountLimit = 0;  // a list of frames costs what the file has of it; only the first is decoded
  decoder->imageSizeLimit =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(most_pixels, AVIF_DEFAULT_IMAGE_SIZE_LIMIT));
  decoder->imageDimensionLimit = 0;  // ours is on pixels
  decoder->strictFlags = AVIF_STRICT_DISABLED;
  decoder->ignoreXMP = AVIF_TRUE;
  decoder->ignoreExif =
      AVIF_TRUE;  // the boxes irot and imir count, not its orientation (ISO/IEC 23008-12, A.2)
  avifResult result =
      avif.set_memory(decoder.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (result == AVIF_RESULT_OK) result = avif.parse(decoder.get());
  if (result != AVIF_RESULT_OK) return damaged(avif, *decoder, result);
  if (decoder->image->width == 0 || decoder->image->height == 0) {
    return bad_picture("The AVIF picture is damaged: its header gives it no width or no height.");
  }
  return decoder;
}

// irot turns against the clock, then imir mirrors; told as the EXIF orientation that does the same.
int orientation_of(const avifImage& image) {
  const unsigned turns = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0 ? image.irot.angle & 3U : 0;
  if ((image.transformFlags & AVIF_TRANSFORM_IMIR) == 0) {
    constexpr int kTurned[4] = {1, 8, 3, 6};
    return kTurned[turns];
  }
  constexpr int kTopBottom[4] = {4, 5, 2, 7};
  constexpr int kLeftRight[4] = {2, 7, 4, 5};
  return image.imir.mode == 0 ? kTopBottom[turns] : kLeftRight[turns];
}

// What is to be seen of the coded picture: the box clap, where there is a valid one.
avifCropRect visible_part(const Avif& avif, avifDecoder& decoder) {
  const avifImage& image = *decoder.image;
  avifCropRect part{0, 0, image.width, image.height};
  if ((image.transformFlags & AVIF_TRANSFORM_CLAP) == 0) return part;
  avifCropRect crop{};
  if (avif.crop_of(&crop, &image.clap, image.width, image.height, image.yuvFormat, &decoder.diag) ==
          AVIF_TRUE &&
      crop.width > 0 && crop.height > 0) {
    part = crop;
  }
  return part;
}

// Keeps a part of the picture, where it lies.
void keep_part(Bitmap& bitmap, const avifCropRect& part) {
  Bitmap kept;
  kept.height = static_cast<int>(part.height);
  kept.width = static_cast<int>(part.width);
  std::uint8_t* to = bitmap.pixels.data();  // never behind what is read
  for (std::uint32_t y = 0; y < part.height; ++y, to += kept.row_bytes()) {
    std::memmove(to, bitmap.row(static_cast<int>(part.y + y)) + std::size_t{3} * part.x, kept.row_bytes());
  }
  bitmap.height = kept.height;
  bitmap.width = kept.width;
  bitmap.pixels.resize(bitmap.row_bytes() * part.height);
}

}  // namespace

Result<StoredHeader> read_avif_header(std::span<const std::byte> bytes) {
  const Result<Avif>& avif = library();
  if (!avif) return avif.error();
  BASCULE_ASSIGN(const Decoder decoder, parse(*avif, bytes, AVIF_DEFAULT_IMAGE_SIZE_LIMIT));
  const avifCropRect part = visible_part(*avif, *decoder);
  return StoredHeader{part.height, part.width, orientation_of(*decoder->image)};
}

Result<void> decode_avif(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  const Result<Avif>& avif = library();
  if (!avif) return avif.error();
  // The coded picture may be larger than what is shown of it, within reason.
  constexpr std::uint64_t kSmall = 1U << 22;
  const std::uint64_t most = std::max(kSmall, 2 * std::uint64_t{header.width} * header.height);
  BASCULE_ASSIGN(const Decoder decoder, parse(*avif, bytes, most));
  avifResult result = avif->next_image(decoder.get());
  if (result != AVIF_RESULT_OK) return damaged(*avif, *decoder, result);
  avifImage image = *decoder->image;  // a view of its planes
  image.alphaPlane = nullptr;         // else the colours are multiplied with it
  reshape(out, StoredHeader{image.height, image.width, 1});
  avifRGBImage rgb{};
  avif->set_defaults(&rgb, &image);
  rgb.format = AVIF_RGB_FORMAT_RGB;
  rgb.depth = 8;
  rgb.ignoreAlpha = AVIF_TRUE;
  rgb.pixels = out.pixels.data();
  rgb.rowBytes = static_cast<std::uint32_t>(out.row_bytes());
  result = avif->to_rgb(&image, &rgb);
  if (result != AVIF_RESULT_OK) return damaged(*avif, *decoder, result);
  const avifCropRect part = visible_part(*avif, *decoder);
  if (part.width != image.width || part.height != image.height) keep_part(out, part);
  if (part.width != header.width || part.height != header.height) {
    return bad_picture("The AVIF picture is damaged: its header and its picture differ in size.");
  }
  return {};
}

}  // namespace bascule::image
