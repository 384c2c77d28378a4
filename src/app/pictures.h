#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::app {

// A file of a table or of sentences, by its name (.csv, .json, .txt), or - for standard input.
[[nodiscard]] bool looks_like_rows(const std::string& word);

// Whether a word is to be fetched.
[[nodiscard]] bool is_url(std::string_view word);

// The picture files that command-line words mean: a file, a URL or "-" is itself, a folder is the pictures
// directly in it in name order, and a word with * ? [ that is no file is a glob. Errors: kNotFound for what
// means nothing.
Result<std::vector<std::string>> expand_pictures(const std::vector<std::string>& words);

// Whether the file's name is that of a picture.
[[nodiscard]] bool looks_like_picture(const std::filesystem::path& file);
// Or of a video.
[[nodiscard]] bool looks_like_video(const std::filesystem::path& file);

}  // namespace bascule::app
