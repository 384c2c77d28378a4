#pragma once

#include <string>

#include "base/result.h"

namespace bascule::runs {

// A record of CSV without its column `id`, and what stood there, as JSON text.
// Thread-safety: a value.
struct CsvWithoutId {
  std::string id;
  std::string record;
};

// Whether the header names a column `id`. False for one that cannot be read.
[[nodiscard]] bool has_id(const std::string& header);
// Of a header itself, too. Errors: of content::read_csv.
Result<CsvWithoutId> without_id(const std::string& header, const std::string& record);

}  // namespace bascule::runs
