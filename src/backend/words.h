#pragma once

// For the leaves of this room: what engines say, in words for the one who asked.

#include <string>
#include <string_view>

namespace bascule::backend {

// Without line breaks, runs of spaces, and spaces or full stops at the end.
[[nodiscard]] std::string one_line(std::string_view text);

// Removes every `part`.
void erase_all(std::string& text, std::string_view part);

// Removes the folders of absolute paths; names of files stay.
void erase_folders(std::string& text);

// On one line, at most 300 characters, ending in a full stop (or in an ellipsis where it was cut).
[[nodiscard]] std::string as_sentence(std::string_view text);

}  // namespace bascule::backend
