#pragma once

#include <libheif/heif.h>
#include <libheif/heif_plugin.h>

#include <cstdint>
#include <span>

#include "base/result.h"
#include "image/codec_library.h"

// Private to this room: the HEVC pictures within a HEIC file, by libde265. libheif has such a decoder of its
// own; this one starts no thread and holds limits: libde265 takes memory for whatever size a stream names.
namespace bascule::image {

// What is used of libheif 1.15.
struct Heif {
  decltype(heif_register_decoder_plugin)* register_decoder = nullptr;
  decltype(heif_context_alloc)* new_context = nullptr;
  decltype(heif_context_free)* free_context = nullptr;
  decltype(heif_context_set_maximum_image_size_limit)* set_side_limit = nullptr;
  decltype(heif_context_set_max_decoding_threads)* set_threads = nullptr;
  decltype(heif_context_read_from_memory_without_copy)* read = nullptr;
  decltype(heif_context_get_primary_image_handle)* primary = nullptr;
  decltype(heif_image_handle_release)* release_handle = nullptr;
  decltype(heif_image_handle_get_width)* width_of = nullptr;
  decltype(heif_image_handle_get_height)* height_of = nullptr;
  decltype(heif_image_handle_get_ispe_width)* coded_width_of = nullptr;
  decltype(heif_image_handle_get_ispe_height)* coded_height_of = nullptr;
  decltype(heif_decoding_options_alloc)* new_options = nullptr;
  decltype(heif_decoding_options_free)* free_options = nullptr;
  decltype(heif_decode_image)* decode = nullptr;
  decltype(heif_image_release)* release_image = nullptr;
  decltype(heif_image_create)* new_image = nullptr;
  decltype(heif_image_add_plane)* add_plane = nullptr;
  decltype(heif_image_get_plane)* plane_of = nullptr;
  decltype(heif_image_get_plane_readonly)* read_plane_of = nullptr;
  decltype(heif_image_get_width)* image_width = nullptr;
  decltype(heif_image_get_height)* image_height = nullptr;
  decltype(heif_image_set_nclx_color_profile)* set_colors = nullptr;
  decltype(heif_nclx_color_profile_alloc)* new_colors = nullptr;
  decltype(heif_nclx_color_profile_free)* free_colors = nullptr;
  decltype(heif_nclx_color_profile_set_color_primaries)* set_primaries = nullptr;
  decltype(heif_nclx_color_profile_set_transfer_characteristics)* set_transfer = nullptr;
  decltype(heif_nclx_color_profile_set_matrix_coefficients)* set_matrix = nullptr;
};

// libheif with the decoder below; loaded once.
const Result<Heif>& heif_library();

// The decoder's name, for heif_decoding_options::decoder_id.
inline constexpr char kHevcDecoder[] = "bascule";

// What the decoder may spend in this thread while one of these lives: pixels of one coded picture, and of all
// that are decoded. Thread-safety: stays in the thread that made it.
class HevcBudget {
 public:
  HevcBudget(std::uint64_t picture, std::uint64_t all);
  ~HevcBudget();
  HevcBudget(const HevcBudget&) = delete;
  HevcBudget& operator=(const HevcBudget&) = delete;

  [[nodiscard]] bool fits(std::uint64_t pixels) const { return pixels <= picture_; }
  bool spend(std::uint64_t pixels);  // false: no longer

 private:
  std::uint64_t picture_;
  std::uint64_t left_;
};

// The number of pixels that a sequence parameter set announces (H.265, 7.3.2.2.1), without the unit's length;
// 0 where it cannot be read. For tests, too.
std::uint64_t hevc_pixels(std::span<const std::uint8_t> sps);

}  // namespace bascule::image
