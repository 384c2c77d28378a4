#pragma once

// For the leaves of this room.

#include <filesystem>
#include <string>

#include "base/result.h"

namespace bascule::backend {

// A file's name without its folder, fit for a sentence.
[[nodiscard]] std::string shown_name(const std::filesystem::path& file);

// Refuses what need not be opened to be known as no model. Errors: kNotFound; kInvalidArgument with a
// sentence that names the file: a folder, no regular file, empty, not readable.
Result<void> check_model_file(const std::filesystem::path& file);

// What a file is that no engine took for a model, as far as its first bytes tell: the rest of a sentence that
// begins with its name, such as "is a Git LFS pointer, not the model; …". `kind`: what it should be, with its
// article.
[[nodiscard]] std::string describe_unreadable(const std::filesystem::path& file, const std::string& kind);

}  // namespace bascule::backend
