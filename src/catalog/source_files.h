#pragma once

#include <filesystem>
#include <vector>

#include "backend/backend.h"
#include "catalog/source.h"

// The parts of the search for models that look at one folder.
namespace bascule::catalog {

// Those without a leading dot.
[[nodiscard]] std::vector<std::filesystem::path> sorted_children(const std::filesystem::path& folder);
// All zeros for a file that is not there.
[[nodiscard]] FileStamp stamp_of(const std::filesystem::path& file);
// The versions of the model in this folder that shall be served, the highest first; none where it is no
// model's folder. One that is a model's by its configuration but cannot be served is there, with the problem.
[[nodiscard]] std::vector<ModelSource> sources_in(const std::filesystem::path& folder, const Look& look,
                                                  const backend::Backend& backend);

}  // namespace bascule::catalog
