#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "image/byte_reader.h"
#include "image/decoders.h"

// BMP as the Windows SDK describes it (BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER, V4, V5); what
// that leaves open is done as OpenCV does it.
namespace bascule::image {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kCoreHeader = 12;
constexpr std::uint32_t kInfoHeader = 40;

enum class Packing : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3 };

using Pixel = std::array<std::uint8_t, 3>;

struct Info {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;
  Packing packing = Packing::kPlain;
  std::size_t data = 0;                  // where the pixels begin
  std::array<std::uint32_t, 3> masks{};  // R, G, B; of 16 and 32 bits
  std::array<Pixel, 256> palette{};      // entries that the file leaves out are black

  [[nodiscard]] std::size_t stride() const { return (std::size_t{width} * bits + 31) / 32 * 4; }
  [[nodiscard]] std::uint32_t row_of(std::uint32_t stored) const {
    return top_down ? stored : height - 1 - stored;
  }
};

Error cut_short(std::size_t size) {
  return bad_picture(fmt::format(
      "The BMP picture is cut short: its {} bytes end before the picture does. Send the whole file.", size));
}

Error not_offered(const Info& info) {
  return bad_picture(fmt::format(
      "The BMP picture has {} bits per pixel in compression {}, which is not offered or damaged. Save "
      "it with 24 bits, uncompressed.",
      info.bits, static_cast<std::uint32_t>(info.packing)));
}

bool is_offered(const Info& info, bool core) {
  const std::uint32_t bits = info.bits;
  switch (info.packing) {
    case Packing::kPlain:
      return bits == 1 || bits == 4 || bits == 8 || bits == 24 || bits == 32 || (bits == 16 && !core);
    case Packing::kRle8: return bits == 8 && !info.top_down;
    case Packing::kRle4: return bits == 4 && !info.top_down;
    case Packing::kMasks: return bits == 16 || bits == 32;
  }
  return false;
}

Result<void> read_palette(const ByteReader& reader, std::size_t at, std::uint32_t count, std::size_t entry,
                          Info& info) {
  if (count == 0) count = 1U << info.bits;
  if (count > info.palette.size()) {
    return bad_picture(fmt::format("The BMP picture has a palette of {} colours; the limit is 256.", count));
  }
  for (std::uint32_t i = 0; i < count; ++i, at += entry) {
    const auto color = reader.u24(at);  // B, G, R
    if (!color) return cut_short(reader.size());
    info.palette[i] = {static_cast<std::uint8_t>(*color >> 16), static_cast<std::uint8_t>(*color >> 8),
                       static_cast<std::uint8_t>(*color)};
  }
  return {};
}

Result<void> read_masks(const ByteReader& reader, Info& info) {
  if (info.packing == Packing::kPlain) {
    info.masks = info.bits == 16 ? std::array<std::uint32_t, 3>{0x7C00, 0x03E0, 0x001F}
                                 : std::array<std::uint32_t, 3>{0xFF0000, 0x00FF00, 0x0000FF};
    return {};
  }
  for (std::size_t i = 0; i < 3; ++i) {  // behind the old header, within the newer ones: the same place
    const auto mask = reader.u32(kFileHeader + kInfoHeader + 4 * i);
    if (!mask) return cut_short(reader.size());
    const std::uint32_t shifted = *mask == 0 ? 0 : *mask >> std::countr_zero(*mask);
    if (shifted == 0 || (shifted & (shifted + 1)) != 0 || (info.bits == 16 && *mask > 0xFFFF)) {
      return bad_picture(
          fmt::format("The BMP picture is damaged: {:#x} is no mask of neighbouring bits.", *mask));
    }
    info.masks[i] = *mask;
  }
  return {};
}

Result<Info> read_info(std::span<const std::byte> bytes) {
  const ByteReader reader(bytes);
  Info info;
  const auto data = reader.u32(10);
  const auto header = reader.u32(kFileHeader);
  if (!data || !header) return cut_short(bytes.size());
  if (*header != kCoreHeader && (*header < kInfoHeader || *header > 124)) {
    return bad_picture(
        fmt::format("The BMP picture is damaged or unusual: its header has {} bytes.", *header));
  }
  if (bytes.size() < kFileHeader + *header) return cut_short(bytes.size());
  info.data = *data;
  const bool core = *header == kCoreHeader;
  std::uint32_t colors = 0;
  if (core) {
    info.width = *reader.u16(18);
    info.height = *reader.u16(20);
    info.bits = *reader.u16(24);
  } else {
    const auto width = static_cast<std::int32_t>(*reader.u32(18));
    const std::uint32_t height = *reader.u32(22);
    info.top_down = static_cast<std::int32_t>(height) < 0;
    info.width = width > 0 ? static_cast<std::uint32_t>(width) : 0;
    info.height = info.top_down ? 0U - height : height;
    info.bits = *reader.u16(28);
    info.packing = Packing{*reader.u32(30)};
    colors = *reader.u32(46);
  }
  if (info.width == 0 || info.height == 0) {
    return bad_picture("The BMP picture is damaged: its header gives it no width or no height.");
  }
  if (!is_offered(info, core)) return not_offered(info);
  if (info.bits <= 8) {
    BASCULE_TRY(read_palette(reader, kFileHeader + *header, colors, core ? 3 : 4, info));
  } else {
    BASCULE_TRY(read_masks(reader, info));
  }
  return info;
}

// One channel of a packed pixel. OpenCV leaves the low bits of 5 and 6 zero, and stretches others.
class Channel {
 public:
  Channel(std::uint32_t mask, std::uint32_t bits)
      : mask_(mask), shift_(std::countr_zero(mask)), width_(std::popcount(mask)), stretch_(bits == 32) {}
  [[nodiscard]] std::uint8_t of(std::uint32_t pixel) const {
    const std::uint32_t value = (pixel & mask_) >> shift_;
    if (width_ == 8) return static_cast<std::uint8_t>(value);
    if (stretch_) return static_cast<std::uint8_t>(std::uint64_t{value} * 255 / (mask_ >> shift_));
    return static_cast<std::uint8_t>(width_ < 8 ? value << (8 - width_) : value >> (width_ - 8));
  }

 private:
  std::uint32_t mask_;
  int shift_;
  int width_;
  bool stretch_;
};

void unpack_indexed(const Info& info, const std::uint8_t* from, std::uint8_t* to) {
  const std::uint32_t per_byte = 8 / info.bits;
  const std::uint32_t mask = (1U << info.bits) - 1;
  for (std::uint32_t x = 0; x < info.width; ++x, to += 3) {
    const std::uint32_t shift = 8 - info.bits * (x % per_byte + 1);
    std::memcpy(to, info.palette[(from[x / per_byte] >> shift) & mask].data(), 3);
  }
}

void unpack_24(const Info& info, const std::uint8_t* from, std::uint8_t* to) {
  for (std::uint32_t x = 0; x < info.width; ++x, from += 3, to += 3) {
    to[0] = from[2];
    to[1] = from[1];
    to[2] = from[0];
  }
}

void unpack_masked(const Info& info, const std::uint8_t* from, std::uint8_t* to) {
  const Channel channels[3] = {
      {info.masks[0], info.bits}, {info.masks[1], info.bits}, {info.masks[2], info.bits}};
  const std::uint32_t step = info.bits / 8;
  for (std::uint32_t x = 0; x < info.width; ++x, from += step, to += 3) {
    std::uint32_t pixel = from[0] | static_cast<std::uint32_t>(from[1]) << 8;
    if (step == 4)
      pixel |= static_cast<std::uint32_t>(from[2]) << 16 | static_cast<std::uint32_t>(from[3]) << 24;
    for (int c = 0; c < 3; ++c) to[c] = channels[c].of(pixel);
  }
}

// The run-length codes of 8 and 4 bits. A pixel that no run reaches has the palette's first colour.
class RunReader {
 public:
  RunReader(const Info& info, const ByteReader& reader, Bitmap& out)
      : info_(info), reader_(reader), out_(out), at_(info.data) {}

  Result<void> read() {
    while (true) {
      const auto count = reader_.u8(at_);
      const auto value = reader_.u8(at_ + 1);
      if (!count || !value) return cut_short(reader_.size());
      at_ += 2;
      if (*count > 0) {
        BASCULE_TRY(put_run(*count, [&](std::size_t i) { return index_in(*value, i); }));
      } else if (*value == 0) {
        x_ = 0;
        ++y_;
      } else if (*value == 1) {
        return {};
      } else if (*value == 2) {
        BASCULE_TRY(skip());
      } else {
        BASCULE_TRY(put_literal(*value));
      }
    }
  }

 private:
  [[nodiscard]] std::uint8_t index_in(std::uint8_t byte, std::size_t i) const {
    if (info_.bits == 8) return byte;
    return i % 2 == 0 ? byte >> 4 : byte & 15;
  }
  Error outside() const {
    return bad_picture(fmt::format("The BMP picture is damaged: a run leaves its {} x {} pixels.",
                                   info_.width, info_.height));
  }
  Result<void> skip() {
    const auto right = reader_.u8(at_);
    const auto up = reader_.u8(at_ + 1);
    if (!right || !up) return cut_short(reader_.size());
    at_ += 2;
    x_ += *right;
    y_ += *up;
    if (x_ > info_.width || y_ > info_.height) return outside();
    return {};
  }
  Result<void> put_literal(std::uint8_t count) {
    const std::size_t used = info_.bits == 8 ? count : (count + 1U) / 2;
    const std::span<const std::byte> data = reader_.part(at_, used + used % 2);  // padded to 16 bits
    if (data.size() < used + used % 2) return cut_short(reader_.size());
    at_ += data.size();
    const std::size_t per_byte = info_.bits == 8 ? 1 : 2;
    return put_run(
        count, [&](std::size_t i) { return index_in(std::to_integer<std::uint8_t>(data[i / per_byte]), i); });
  }
  template <class Index>
  Result<void> put_run(std::size_t count, Index index) {
    if (y_ >= info_.height || count > info_.width - x_) return outside();
    std::uint8_t* to = out_.row(static_cast<int>(info_.row_of(y_))) + std::size_t{3} * x_;
    for (std::size_t i = 0; i < count; ++i, to += 3) std::memcpy(to, info_.palette[index(i)].data(), 3);
    x_ += static_cast<std::uint32_t>(count);
    return {};
  }

  const Info& info_;
  const ByteReader& reader_;
  Bitmap& out_;
  std::size_t at_;
  std::uint32_t x_ = 0;
  std::uint32_t y_ = 0;
};

Result<void> decode_runs(std::span<const std::byte> bytes, const Info& info, const StoredHeader& header,
                         Bitmap& out) {
  constexpr std::uint64_t kMaxGain = 1024;  // pixels for a byte; runs give 128, empty rows more
  const std::uint64_t pixels = std::uint64_t{info.width} * info.height;
  if (info.data >= bytes.size()) return cut_short(bytes.size());
  if (pixels / kMaxGain > bytes.size()) {
    return bad_picture(fmt::format("The BMP picture is damaged: {} bytes cannot hold {} x {} pixels.",
                                   bytes.size(), info.width, info.height));
  }
  reshape(out, header);
  for (std::size_t i = 0; i < out.pixels.size(); i += 3) {
    std::memcpy(out.pixels.data() + i, info.palette[0].data(), 3);
  }
  return RunReader(info, ByteReader(bytes), out).read();
}

}  // namespace

Result<StoredHeader> read_bmp_header(std::span<const std::byte> bytes) {
  BASCULE_ASSIGN(const Info info, read_info(bytes));
  return StoredHeader{info.height, info.width, 1};
}

Result<void> decode_bmp(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  BASCULE_ASSIGN(const Info info, read_info(bytes));
  if (info.packing == Packing::kRle4 || info.packing == Packing::kRle8) {
    return decode_runs(bytes, info, header, out);
  }
  const std::uint64_t needed = std::uint64_t{info.stride()} * info.height;
  if (info.data > bytes.size() || needed > bytes.size() - info.data) return cut_short(bytes.size());
  reshape(out, header);
  const auto* from = reinterpret_cast<const std::uint8_t*>(bytes.data()) + info.data;
  for (std::uint32_t stored = 0; stored < info.height; ++stored, from += info.stride()) {
    std::uint8_t* to = out.row(static_cast<int>(info.row_of(stored)));
    if (info.bits <= 8) {
      unpack_indexed(info, from, to);
    } else if (info.bits == 24) {
      unpack_24(info, from, to);
    } else {
      unpack_masked(info, from, to);
    }
  }
  return {};
}

}  // namespace bascule::image
