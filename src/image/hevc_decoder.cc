#include "image/hevc_decoder.h"

#include <libde265/de265.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace bascule::image {
namespace {

thread_local HevcBudget* current_budget = nullptr;

struct De265 {
  decltype(de265_new_decoder)* create = nullptr;
  decltype(de265_free_decoder)* destroy = nullptr;
  decltype(de265_push_NAL)* push = nullptr;
  decltype(de265_flush_data)* flush = nullptr;
  decltype(de265_decode)* decode = nullptr;
  decltype(de265_get_next_picture)* next_picture = nullptr;
  decltype(de265_get_image_width)* width_of = nullptr;
  decltype(de265_get_image_height)* height_of = nullptr;
  decltype(de265_get_chroma_format)* chroma_of = nullptr;
  decltype(de265_get_bits_per_pixel)* bits_of = nullptr;
  decltype(de265_get_image_plane)* plane_of = nullptr;
  decltype(de265_get_image_full_range_flag)* full_range = nullptr;
  decltype(de265_get_image_colour_primaries)* primaries = nullptr;
  decltype(de265_get_image_transfer_characteristics)* transfer = nullptr;
  decltype(de265_get_image_matrix_coefficients)* matrix = nullptr;
  decltype(de265_set_image_allocation_functions)* set_allocation = nullptr;
  decltype(de265_get_default_image_allocation_functions)* allocation = nullptr;
  decltype(de265_get_warning)* warning = nullptr;
};

Result<De265> load_de265() {
  BASCULE_ASSIGN(const SharedLibrary library, open_codec("libde265.so.0", "libde265-0"));
  De265 de265;
  BASCULE_TRY(library.find("de265_new_decoder", de265.create));
  BASCULE_TRY(library.find("de265_free_decoder", de265.destroy));
  BASCULE_TRY(library.find("de265_push_NAL", de265.push));
  BASCULE_TRY(library.find("de265_flush_data", de265.flush));
  BASCULE_TRY(library.find("de265_decode", de265.decode));
  BASCULE_TRY(library.find("de265_get_next_picture", de265.next_picture));
  BASCULE_TRY(library.find("de265_get_image_width", de265.width_of));
  BASCULE_TRY(library.find("de265_get_image_height", de265.height_of));
  BASCULE_TRY(library.find("de265_get_chroma_format", de265.chroma_of));
  BASCULE_TRY(library.find("de265_get_bits_per_pixel", de265.bits_of));
  BASCULE_TRY(library.find("de265_get_image_plane", de265.plane_of));
  BASCULE_TRY(library.find("de265_get_image_full_range_flag", de265.full_range));
  BASCULE_TRY(library.find("de265_get_image_colour_primaries", de265.primaries));
  BASCULE_TRY(library.find("de265_get_image_transfer_characteristics", de265.transfer));
  BASCULE_TRY(library.find("de265_get_image_matrix_coefficients", de265.matrix));
  BASCULE_TRY(library.find("de265_set_image_allocation_functions", de265.set_allocation));
  BASCULE_TRY(library.find("de265_get_default_image_allocation_functions", de265.allocation));
  BASCULE_TRY(library.find("de265_get_warning", de265.warning));
  return de265;
}

// Loaded and whole before the decoder below is registered.
const Result<De265>& de265_library() {
  static const Result<De265> loaded = load_de265();
  return loaded;
}

// The bits of a NAL unit, without the 3 that stands after two zero bytes (H.265, 7.3.1.1). Behind the end
// they are 0, and over() says so. Thread-safety: external.
class NalBits {
 public:
  explicit NalBits(std::span<const std::uint8_t> unit) {
    constexpr std::size_t kMost = 256;  // what is asked for stands at the front
    bytes_.reserve(std::min(kMost, unit.size()));
    for (std::size_t i = 0; i < unit.size() && bytes_.size() < kMost; ++i) {
      if (i >= 2 && unit[i] == 3 && unit[i - 1] == 0 && unit[i - 2] == 0) continue;
      bytes_.push_back(unit[i]);
    }
  }
  std::uint32_t take(std::size_t count) {
    std::uint32_t value = 0;
    for (; count > 0; --count, ++at_) {
      value = value << 1 | (at_ / 8 < bytes_.size() ? bytes_[at_ / 8] >> (7 - at_ % 8) & 1U : 0U);
    }
    return value;
  }
  void skip(std::size_t count) { at_ += count; }
  std::uint64_t exp_golomb() {
    std::size_t zeros = 0;
    while (zeros < 32 && !over() && take(1) == 0) ++zeros;
    return (std::uint64_t{1} << zeros) - 1 + take(zeros);
  }
  [[nodiscard]] bool over() const { return at_ > bytes_.size() * 8; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

constexpr heif_error kFine = {heif_error_Ok, heif_suberror_Unspecified, "Success"};
constexpr heif_error refused(const char* why) {
  return {heif_error_Decoder_plugin_error, heif_suberror_Unspecified, why};
}

// One coded picture on its way. Thread-safety: external.
struct Decoding {
  de265_decoder_context* context = nullptr;
  HevcBudget* budget = nullptr;
};

// libde265 asks before each picture, those that it makes up for missing ones too.
int get_buffer(de265_decoder_context* context, de265_image_spec* spec, de265_image* image, void* user) {
  const Decoding& decoding = *static_cast<const Decoding*>(user);
  if (spec->width <= 0 || spec->height <= 0) return 0;
  if (!decoding.budget->spend(static_cast<std::uint64_t>(spec->width) *
                              static_cast<std::uint64_t>(spec->height)))
    return 0;
  return de265_library()->allocation()->get_buffer(context, spec, image, nullptr);
}
void release_buffer(de265_decoder_context* context, de265_image* image, void* /*user*/) {
  de265_library()->allocation()->release_buffer(context, image, nullptr);
}

heif_error new_decoder(void** out) {
  if (current_budget == nullptr) return refused("it is decoded without a budget");
  auto decoding = std::make_unique<Decoding>();
  decoding->context = de265_library()->create();
  decoding->budget = current_budget;
  if (decoding->context == nullptr) return refused("libde265 could not be started");
  de265_image_allocation allocation{get_buffer, release_buffer};
  de265_library()->set_allocation(decoding->context, &allocation, decoding.get());
  *out = decoding.release();
  return kFine;
}

void free_decoder(void* handle) {
  const std::unique_ptr<Decoding> decoding(static_cast<Decoding*>(handle));
  if (decoding) (void)de265_library()->destroy(decoding->context);
}

// Units with their length of four bytes before each.
heif_error push_data(void* handle, const void* data, std::size_t size) {
  constexpr std::uint8_t kSequenceParameters = 33;
  const Decoding& decoding = *static_cast<const Decoding*>(handle);
  std::span<const std::uint8_t> rest(static_cast<const std::uint8_t*>(data), size);
  while (!rest.empty()) {
    if (rest.size() < 4) return refused("a unit of its data is cut short");
    const std::size_t length = std::size_t{rest[0]} << 24 | std::size_t{rest[1]} << 16 |
                               std::size_t{rest[2]} << 8 | std::size_t{rest[3]};
    rest = rest.subspan(4);
    if (length > rest.size()) return refused("a unit of its data is cut short");
    const auto unit = rest.first(length);
    rest = rest.subspan(length);
    if (length < 2) continue;
    if ((unit[0] >> 1 & 0x3FU) == kSequenceParameters && !decoding.budget->fits(hevc_pixels(unit)))
      return refused("a coded picture is larger than the file says");
    if (de265_library()->push(decoding.context, unit.data(), static_cast<int>(length), 0, nullptr) !=
        DE265_OK)
      return refused("libde265 refused its data");
  }
  return kFine;
}

void set_colors(const Heif& heif, const de265_image* picture, heif_image* image) {
  const De265& de265 = *de265_library();
  struct Free {
    const Heif& heif;
    void operator()(heif_color_profile_nclx* colors) const { heif.free_colors(colors); }
  };
  const std::unique_ptr<heif_color_profile_nclx, Free> colors(heif.new_colors(), Free{heif});
  if (!colors) return;
  (void)heif.set_primaries(colors.get(), static_cast<std::uint16_t>(de265.primaries(picture)));
  (void)heif.set_transfer(colors.get(), static_cast<std::uint16_t>(de265.transfer(picture)));
  (void)heif.set_matrix(colors.get(), static_cast<std::uint16_t>(de265.matrix(picture)));
  colors->full_range_flag = static_cast<std::uint8_t>(de265.full_range(picture));
  (void)heif.set_colors(image, colors.get());
}

heif_error copy_plane(const Heif& heif, const de265_image* picture, int channel, heif_image* image) {
  const De265& de265 = *de265_library();
  constexpr std::array<heif_channel, 3> kChannels = {heif_channel_Y, heif_channel_Cb, heif_channel_Cr};
  const heif_channel to_channel = kChannels[static_cast<std::size_t>(channel)];
  const int width = de265.width_of(picture, channel);
  const int height = de265.height_of(picture, channel);
  const int bits = de265.bits_of(picture, channel);
  if (width <= 0 || height <= 0 || bits < 8 || bits > 16) return refused("a plane of it has no pixels");
  const heif_error failed = heif.add_plane(image, to_channel, width, height, bits);
  if (failed.code != heif_error_Ok) return failed;
  int from_stride = 0;
  int to_stride = 0;
  const std::uint8_t* from = de265.plane_of(picture, channel, &from_stride);
  std::uint8_t* to = heif.plane_of(image, to_channel, &to_stride);
  if (from == nullptr || to == nullptr) return refused("a plane of it is missing");
  const std::size_t row = static_cast<std::size_t>(width) * (bits > 8 ? 2 : 1);
  for (int y = 0; y < height; ++y, from += from_stride, to += to_stride) std::memcpy(to, from, row);
  return kFine;
}

heif_error convert(const de265_image* picture, heif_image** out) {
  const De265& de265 = *de265_library();
  const Heif& heif = *heif_library();
  const de265_chroma chroma = de265.chroma_of(picture);
  const bool grey = chroma == de265_chroma_mono;
  heif_image* image = nullptr;
  const heif_error failed =
      heif.new_image(de265.width_of(picture, 0), de265.height_of(picture, 0),
                     grey ? heif_colorspace_monochrome : heif_colorspace_YCbCr,
                     static_cast<heif_chroma>(chroma), &image);  // both count as H.265 does, 6.2
  if (failed.code != heif_error_Ok) return failed;
  for (int channel = 0; channel < (grey ? 1 : 3); ++channel) {
    const heif_error copied = copy_plane(heif, picture, channel, image);
    if (copied.code == heif_error_Ok) continue;
    heif.release_image(image);
    return copied;
  }
  set_colors(heif, picture, image);
  *out = image;
  return kFine;
}

// The first picture, and only if nothing was wrong on the way to it.
heif_error decode_image(void* handle, heif_image** out) {
  const De265& de265 = *de265_library();
  de265_decoder_context* const context = static_cast<const Decoding*>(handle)->context;
  if (de265.flush(context) != DE265_OK) return refused("libde265 refused its data");
  int more = 1;
  while (more != 0) {
    if (de265.decode(context, &more) != DE265_OK)
      return refused("its data is wrong or larger than the file says");
    if (de265.warning(context) != DE265_OK) return refused("its data is wrong");
    const de265_image* const picture = de265.next_picture(context);
    if (picture != nullptr) return convert(picture, out);
  }
  return refused("its data holds no picture");
}

int does_support(heif_compression_format format) {
  return format == heif_compression_HEVC && current_budget != nullptr ? 1000 : 0;
}
const char* name() { return "libde265 within limits"; }
void do_nothing() {}
void set_strict(void* /*handle*/, int /*strict*/) {}

constexpr heif_decoder_plugin kPlugin = {3,           name,         do_nothing, do_nothing,   does_support,
                                         new_decoder, free_decoder, push_data,  decode_image, set_strict,
                                         kHevcDecoder};

Result<Heif> load_heif() {
  const Result<De265>& de265 = de265_library();
  if (!de265) return de265.error();
  BASCULE_ASSIGN(const SharedLibrary library, open_codec("libheif.so.1", "libheif1"));
  Heif heif;
  BASCULE_TRY(library.find("heif_register_decoder_plugin", heif.register_decoder));
  BASCULE_TRY(library.find("heif_context_alloc", heif.new_context));
  BASCULE_TRY(library.find("heif_context_free", heif.free_context));
  BASCULE_TRY(library.find("heif_context_set_maximum_image_size_limit", heif.set_side_limit));
  BASCULE_TRY(library.find("heif_context_set_max_decoding_threads", heif.set_threads));
  BASCULE_TRY(library.find("heif_context_read_from_memory_without_copy", heif.read));
  BASCULE_TRY(library.find("heif_context_get_primary_image_handle", heif.primary));
  BASCULE_TRY(library.find("heif_image_handle_release", heif.release_handle));
  BASCULE_TRY(library.find("heif_image_handle_get_width", heif.width_of));
  BASCULE_TRY(library.find("heif_image_handle_get_height", heif.height_of));
  BASCULE_TRY(library.find("heif_image_handle_get_ispe_width", heif.coded_width_of));
  BASCULE_TRY(library.find("heif_image_handle_get_ispe_height", heif.coded_height_of));
  BASCULE_TRY(library.find("heif_decoding_options_alloc", heif.new_options));
  BASCULE_TRY(library.find("heif_decoding_options_free", heif.free_options));
  BASCULE_TRY(library.find("heif_decode_image", heif.decode));
  BASCULE_TRY(library.find("heif_image_release", heif.release_image));
  BASCULE_TRY(library.find("heif_image_create", heif.new_image));
  BASCULE_TRY(library.find("heif_image_add_plane", heif.add_plane));
  BASCULE_TRY(library.find("heif_image_get_plane", heif.plane_of));
  BASCULE_TRY(library.find("heif_image_get_plane_readonly", heif.read_plane_of));
  BASCULE_TRY(library.find("heif_image_get_width", heif.image_width));
  BASCULE_TRY(library.find("heif_image_get_height", heif.image_height));
  BASCULE_TRY(library.find("heif_image_set_nclx_color_profile", heif.set_colors));
  BASCULE_TRY(library.find("heif_nclx_color_profile_alloc", heif.new_colors));
  BASCULE_TRY(library.find("heif_nclx_color_profile_free", heif.free_colors));
  BASCULE_TRY(library.find("heif_nclx_color_profile_set_color_primaries", heif.set_primaries));
  BASCULE_TRY(library.find("heif_nclx_color_profile_set_transfer_characteristics", heif.set_transfer));
  BASCULE_TRY(library.find("heif_nclx_color_profile_set_matrix_coefficients", heif.set_matrix));
  const heif_error failed = heif.register_decoder(&kPlugin);
  if (failed.code != heif_error_Ok) return internal_error("libheif does not take a decoder.");
  return heif;
}

}  // namespace

const Result<Heif>& heif_library() {
  static const Result<Heif> loaded = load_heif();
  return loaded;
}

HevcBudget::HevcBudget(std::uint64_t picture, std::uint64_t all) : picture_(picture), left_(all) {
  current_budget = this;
}

HevcBudget::~HevcBudget() { current_budget = nullptr; }

bool HevcBudget::spend(std::uint64_t pixels) {
  if (pixels > left_) return false;
  left_ -= pixels;
  return true;
}

std::uint64_t hevc_pixels(std::span<const std::uint8_t> sps) {
  NalBits bits(sps);
  bits.skip(16 + 4);  // the unit's header, the number of the video's parameters
  const std::uint32_t sub_layers = bits.take(3);
  bits.skip(1);
  constexpr std::size_t kProfile = 88;
  constexpr std::size_t kLevel = 8;
  bits.skip(kProfile + kLevel);
  std::array<std::uint32_t, 8> present{};
  for (std::uint32_t i = 0; i < sub_layers; ++i) present[i] = bits.take(2);
  if (sub_layers > 0) bits.skip(std::size_t{2} * (8 - sub_layers));
  for (std::uint32_t i = 0; i < sub_layers; ++i) {
    bits.skip((present[i] & 2U) != 0 ? kProfile : 0);
    bits.skip((present[i] & 1U) != 0 ? kLevel : 0);
  }
  (void)bits.exp_golomb();  // its own number
  constexpr std::uint64_t kSeparable = 3;
  if (bits.exp_golomb() == kSeparable) bits.skip(1);
  constexpr std::uint64_t kMost = 1U << 31;  // so that their product is what it is
  const std::uint64_t width = std::min(bits.exp_golomb(), kMost);
  const std::uint64_t height = std::min(bits.exp_golomb(), kMost);
  return bits.over() ? 0 : width * height;
}

}  // namespace bascule::image
