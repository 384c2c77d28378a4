#include "image/font.h"

#include <cstddef>
#include <string_view>

namespace bascule::image {
namespace {

// From ' ' to '~', eight digits of base 32 each (0 to 9, A to V), one digit for a row.
// clang-format off
constexpr std::string_view kGlyphs =
    "00000000" "44444040" "AAA00000" "AAVAVAA0" "4FKE5U40" "OP248J30" "CIK8LID0" "44800000"  //  !"#$%&'
    "24888420" "84222480" "04LEL400" "044V4400" "00000C48" "000V0000" "00000CC0" "01248G00"  // ()*+,-./
    "EHJLPHE0" "4C4444E0" "EH1248V0" "V2421HE0" "26AIV220" "VGU11HE0" "68GUHHE0" "V1248880"  // 01234567
    "EHHEHHE0" "EHHF12C0" "0CC0CC00" "0CC0C480" "248G8420" "00V0V000" "84212480" "EH124040"  // 89:;<=>?
    "EH1DLLE0" "EHHVHHH0" "UHHUHHU0" "EHGGGHE0" "SIHHHIS0" "VGGUGGV0" "VGGUGGG0" "EHGNHHF0"  // @ABCDEFG
    "HHHVHHH0" "E44444E0" "72222IC0" "HIKOKIH0" "GGGGGGV0" "HRLLHHH0" "HHPLJHH0" "EHHHHHE0"  // HIJKLMNO
    "UHHUGGG0" "EHHHLID0" "UHHUKIH0" "FGGE11U0" "V4444440" "HHHHHHE0" "HHHHHA40" "HHHLLLA0"  // PQRSTUVW
    "HHA4AHH0" "HHHA4440" "V1248GV0" "E88888E0" "0G842100" "E22222E0" "4AH00000" "0000000V"  // XYZ[\]^_
    "84200000" "00E1FHF0" "GGMPHHU0" "00EGGHE0" "11DJHHF0" "00EHVGE0" "698S8880" "00FHHF1E"  // `abcdefg
    "GGMPHHH0" "40C444E0" "206222IC" "GGIKOKI0" "C44444E0" "00QLLHH0" "00MPHHH0" "00EHHHE0"  // hijklmno
    "00UHHUGG" "00FHHF11" "00MPGGG0" "00FGE1U0" "88S88960" "00HHHJD0" "00HHHA40" "00HHLLA0"  // pqrstuvw
    "00HA4AH0" "00HHHF1E" "00V248V0" "24484420" "44444440" "84424480" "008L2000";            // xyz{|}~
// clang-format on
constexpr char kFirst = ' ';
constexpr char kLast = '~';
static_assert(kGlyphs.size() == static_cast<std::size_t>(kLast - kFirst + 1) * kGlyphHeight);

std::uint8_t digit(char character) {
  return static_cast<std::uint8_t>(character <= '9' ? character - '0' : character - 'A' + 10);
}

}  // namespace

std::array<std::uint8_t, kGlyphHeight> glyph(char character) {
  if (character < kFirst || character > kLast) character = '?';
  const std::size_t at = static_cast<std::size_t>(character - kFirst) * kGlyphHeight;
  std::array<std::uint8_t, kGlyphHeight> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = digit(kGlyphs[at + i]);
  return rows;
}

}  // namespace bascule::image
