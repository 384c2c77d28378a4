#include "backend/words.h"

#include <cctype>
#include <cstddef>

#include "base/text.h"

namespace bascule::backend {
namespace {

constexpr std::size_t kMaxWords = 300;

}  // namespace

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (space && (out.empty() || out.back() == ' ')) continue;
    out.push_back(space ? ' ' : c);
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  return out;
}

void erase_all(std::string& text, std::string_view part) {
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at))
    text.erase(at, part.size());
}

void erase_folders(std::string& text) {
  const auto part_of_path = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' ||
           std::string_view("._-+~").find(c) != std::string_view::npos;
  };
  for (std::size_t at = text.find('/'); at != text.npos; at = text.find('/', at)) {
    const bool absolute = at == 0 || !part_of_path(text[at - 1]);
    std::size_t end = at;
    while (end < text.size() && part_of_path(text[end])) ++end;
    const std::size_t last = text.rfind('/', end - 1);
    if (absolute && last > at)
      text.erase(at, last + 1 - at);
    else
      at = end;
  }
}

std::string as_sentence(std::string_view text) {
  const std::string out = text::shortened(text::escape_controls(one_line(text)), kMaxWords);
  if (out.empty()) return "no reason was given.";
  return out.ends_with("…") ? out : out + ".";
}

}  // namespace bascule::backend
