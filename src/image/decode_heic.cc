#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "image/decoders.h"
#include "image/hevc_decoder.h"

namespace bascule::image {
namespace {

// libheif's own words, or those of hevc_decoder.cc, which come behind two of libheif's.
Error damaged(const heif_error& error) {
  std::string why = error.message == nullptr ? "it cannot be read" : error.message;
  constexpr std::string_view kBefore = "Unspecified: ";
  if (const std::size_t at = why.find(kBefore); at != std::string::npos) why.erase(0, at + kBefore.size());
  std::ranges::replace(why, '\n', ' ');
  while (why.ends_with('.') || why.ends_with(' ')) why.pop_back();
  return bad_picture(fmt::format("The HEIC picture is damaged or cut short: {}.", why));
}

struct Free {
  const Heif* heif = nullptr;
  void operator()(heif_context* context) const { heif->free_context(context); }
  void operator()(heif_image_handle* handle) const { heif->release_handle(handle); }
  void operator()(heif_image* image) const { heif->release_image(image); }
  void operator()(heif_decoding_options* options) const { heif->free_options(options); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

struct Opened {
  Owned<heif_context> context;
  Owned<heif_image_handle> primary;
  StoredHeader header;
};

Result<Opened> open(const Heif& heif, std::span<const std::byte> bytes, int side_limit) {
  Opened opened{{heif.new_context(), {&heif}}, {nullptr, {&heif}}, {}};
  if (!opened.context) return internal_error("The HEIC decoder could not be started.");
  heif.set_threads(opened.context.get(), 0);  // in this thread
  heif.set_side_limit(opened.context.get(), side_limit);
  heif_error error = heif.read(opened.context.get(), bytes.data(), bytes.size(), nullptr);
  heif_image_handle* primary = nullptr;
  if (error.code == heif_error_Ok) error = heif.primary(opened.context.get(), &primary);
  if (error.code != heif_error_Ok) return damaged(error);
  opened.primary.reset(primary);
  const int height = heif.height_of(primary);
  const int width = heif.width_of(primary);
  if (height <= 0 || width <= 0) {
    return bad_picture("The HEIC picture is damaged: its header gives it no width or no height.");
  }
  // Turned and cropped already, as libheif gives it.
  opened.header = {static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width), 1};
  return opened;
}

constexpr int kMostSide = 1 << 20;
constexpr std::uint64_t kSmall = 1U << 22;

Result<void> decode_opened(const Heif& heif, const Opened& opened, Bitmap& out) {
  const Owned<heif_decoding_options> options(heif.new_options(), Free{&heif});
  if (!options) return internal_error("The HEIC decoder could not be started.");
  options->convert_hdr_to_8bit = 1;
  options->strict_decoding = 1;
  options->decoder_id = kHevcDecoder;
  heif_image* decoded = nullptr;
  const heif_error error = heif.decode(opened.primary.get(), &decoded, heif_colorspace_RGB,
                                       heif_chroma_interleaved_RGB, options.get());
  if (error.code != heif_error_Ok) return damaged(error);
  const Owned<heif_image> image(decoded, Free{&heif});
  int stride = 0;
  const std::uint8_t* from = heif.read_plane_of(decoded, heif_channel_interleaved, &stride);
  if (from == nullptr ||
      std::cmp_not_equal(heif.image_width(decoded, heif_channel_interleaved), opened.header.width) ||
      std::cmp_not_equal(heif.image_height(decoded, heif_channel_interleaved), opened.header.height)) {
    return bad_picture("The HEIC picture is damaged: its header and its picture differ in size.");
  }
  reshape(out, opened.header);
  for (int y = 0; y < out.height; ++y, from += stride) std::memcpy(out.row(y), from, out.row_bytes());
  return {};
}

}  // namespace

// libheif is C++ behind a C interface: what it throws for want of memory comes through.
Result<StoredHeader> read_heic_header(std::span<const std::byte> bytes) try {
  const Result<Heif>& heif = heif_library();
  if (!heif) return heif.error();
  BASCULE_ASSIGN(const Opened opened, open(*heif, bytes, kMostSide));
  return opened.header;
} catch (const std::exception& e) {
  return bad_picture(fmt::format("The HEIC picture is damaged: libheif stopped with '{}'.", e.what()));
}

Result<void> decode_heic(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) try {
  const Result<Heif>& heif = heif_library();
  if (!heif) return heif.error();
  const std::uint64_t shown = std::uint64_t{header.width} * header.height;
  // The coded picture may be larger than what is shown of it, and a grid's tiles reach over its edges, within
  // reason: what the limit on pixels counted is what is spent.
  const std::uint64_t most = std::max(kSmall, 2 * shown);
  const int side = static_cast<int>(std::max({header.width, header.height, 2048U}));
  BASCULE_ASSIGN(const Opened opened, open(*heif, bytes, side));
  const std::uint64_t coded =
      static_cast<std::uint64_t>(std::max(heif->coded_width_of(opened.primary.get()), 0)) *
      static_cast<std::uint64_t>(std::max(heif->coded_height_of(opened.primary.get()), 0));
  if (coded > most) {
    return bad_picture(
        fmt::format("The HEIC picture is damaged: it shows {} pixels of {} coded ones.", shown, coded));
  }
  const HevcBudget budget(most, 2 * most);
  return decode_opened(*heif, opened, out);
} catch (const std::exception& e) {
  return bad_picture(fmt::format("The HEIC picture is damaged: libheif stopped with '{}'.", e.what()));
}

}  // namespace bascule::image
