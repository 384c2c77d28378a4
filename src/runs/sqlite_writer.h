#pragma once

#include <filesystem>
#include <memory>

#include "runs/writer.h"

namespace bascule::runs {

// A database with one table, results(number, input, id, answer): the answer is a JSON object.
Result<std::unique_ptr<Writer>> open_sqlite_writer(const std::filesystem::path& file);

}  // namespace bascule::runs
