#include "image/encode.h"

#include <fmt/format.h>
#include <spng.h>
#include <turbojpeg.h>

#include <cstdlib>
#include <memory>
#include <span>

namespace bascule::image {
namespace {

struct DestroyJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
struct FreePng {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
Result<void> check_whole(const Bitmap& bitmap, int max_side, std::string_view format) {
  if (bitmap.height < 1 || bitmap.width < 1 || bitmap.height > max_side || bitmap.width > max_side) {
    return invalid_argument(
        fmt::format("A picture of {} x {} pixels cannot be written as {}: its sides must be 1 to {}.",
                    bitmap.width, bitmap.height, format, max_side));
  }
  if (bitmap.pixels.size() != bitmap.row_bytes() * static_cast<std::size_t>(bitmap.height)) {
    return internal_error("A picture's pixels do not fit its size.");
  }
  return {};
}

constexpr int kMaxPngSide = 1 << 20;

// `pixels` are the machine's own numbers.
Result<std::vector<std::byte>> write_png(content::PictureSize size, spng_color_type color, std::uint8_t bits,
                                         std::span<const std::byte> pixels) {
  const std::unique_ptr<spng_ctx, FreePng> context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) return internal_error("The PNG encoder could not be started.");
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(size.width);
  header.height = static_cast<std::uint32_t>(size.height);
  header.bit_depth = bits;
  header.color_type = static_cast<std::uint8_t>(color);
  // zlib's quickest: a depth map of a million pixels takes a third of the time, for a quarter more bytes.
  constexpr int kQuick = 1;
  int failed = spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  if (failed == 0) failed = spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, kQuick);
  if (failed == 0) failed = spng_set_ihdr(context.get(), &header);
  if (failed == 0) {
    failed =
        spng_encode_image(context.get(), pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  }
  std::size_t length = 0;
  std::unique_ptr<void, decltype(&std::free)> buffer(nullptr, &std::free);
  if (failed == 0) buffer.reset(spng_get_png_buffer(context.get(), &length, &failed));
  if (failed != 0 || !buffer) {
    return internal_error(fmt::format("The picture could not be written as PNG: {}.", spng_strerror(failed)));
  }
  const auto* begin = static_cast<const std::byte*>(buffer.get());
  return std::vector<std::byte>(begin, begin + length);
}

template <class T>
Result<std::vector<std::byte>> write_grey(std::span<const T> values, content::PictureSize size) {
  const bool whole =
      size.height >= 1 && size.width >= 1 && size.height <= kMaxPngSide && size.width <= kMaxPngSide &&
      values.size() == static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
  if (!whole) return internal_error("A picture's pixels do not fit its size.");
  return write_png(size, SPNG_COLOR_TYPE_GRAYSCALE, std::uint8_t{8 * sizeof(T)}, std::as_bytes(values));
}

}  // namespace

Result<std::vector<std::byte>> encode_jpeg(const Bitmap& bitmap, int quality) {
  constexpr int kMaxSide = 65500;  // libjpeg's JPEG_MAX_DIMENSION
  BASCULE_TRY(check_whole(bitmap, kMaxSide, "JPEG"));
  if (quality < 1 || quality > 100) {
    return invalid_argument(fmt::format("JPEG quality {} is out of range: it must be 1 to 100.", quality));
  }
  const std::unique_ptr<void, DestroyJpeg> handle(tjInitCompress());
  if (!handle) return internal_error("The JPEG encoder could not be started.");
  std::vector<std::byte> out(tjBufSize(bitmap.width, bitmap.height, TJSAMP_420));
  auto* buffer = reinterpret_cast<unsigned char*>(out.data());
  unsigned long size = out.size();
  constexpr int kFlags = TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT;
  if (tjCompress2(handle.get(), bitmap.pixels.data(), bitmap.width, 0, bitmap.height, TJPF_RGB, &buffer,
                  &size, TJSAMP_420, quality, kFlags) != 0) {
    return internal_error(
        fmt::format("The picture could not be written as JPEG: {}.", tjGetErrorStr2(handle.get())));
  }
  out.resize(size);
  return out;
}

Result<std::vector<std::byte>> encode_png(const Bitmap& bitmap) {
  BASCULE_TRY(check_whole(bitmap, kMaxPngSide, "PNG"));
  return write_png({.height = bitmap.height, .width = bitmap.width}, SPNG_COLOR_TYPE_TRUECOLOR, 8,
                   std::as_bytes(std::span(bitmap.pixels)));
}

std::vector<std::byte> encode_bmp(const Bitmap& bitmap) {
  constexpr std::size_t kHeader = 14 + 40;  // BITMAPFILEHEADER and BITMAPINFOHEADER
  const std::size_t row = bitmap.row_bytes();
  const std::size_t padded = (row + 3) / 4 * 4;
  std::vector<std::byte> out(kHeader + padded * static_cast<std::size_t>(bitmap.height), std::byte{0});
  const auto put = [&](std::size_t at, std::size_t bytes, std::uint64_t value) {
    for (std::size_t i = 0; i < bytes; ++i) out[at + i] = static_cast<std::byte>(value >> (8 * i));
  };
  put(0, 1, 'B');
  put(1, 1, 'M');
  put(2, 4, out.size());
  put(10, 4, kHeader);
  put(14, 4, 40);
  put(18, 4, static_cast<std::uint64_t>(bitmap.width));
  put(22, 4, static_cast<std::uint64_t>(bitmap.height));  // above 0: rows from below
  put(26, 2, 1);
  put(28, 2, 24);
  for (int y = 0; y < bitmap.height; ++y) {
    const std::uint8_t* from = bitmap.row(bitmap.height - 1 - y);
    std::byte* to = out.data() + kHeader + padded * static_cast<std::size_t>(y);
    for (int x = 0; x < bitmap.width; ++x, from += 3, to += 3) {
      to[0] = static_cast<std::byte>(from[2]);
      to[1] = static_cast<std::byte>(from[1]);
      to[2] = static_cast<std::byte>(from[0]);
    }
  }
  return out;
}

Result<std::vector<std::byte>> encode_grey_png(std::span<const std::uint8_t> values,
                                               content::PictureSize size) {
  return write_grey(values, size);
}

Result<std::vector<std::byte>> encode_grey_png(std::span<const std::uint16_t> values,
                                               content::PictureSize size) {
  return write_grey(values, size);
}

}  // namespace bascule::image
