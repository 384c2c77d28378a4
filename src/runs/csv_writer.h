#pragma once

#include <memory>

#include "runs/append_file.h"
#include "runs/writer.h"

namespace bascule::runs {

// CSV with a header. Of pictures: input, id, width, height, objects, label and confidence of the surest, and
// the results as JSON. Of rows: input, id, and the answer's members, those within members called a.b. What
// the first answer has are the columns; what a later one has beyond them is an error.
Result<std::unique_ptr<Writer>> open_csv_writer(AppendFile file, bool pictures);

}  // namespace bascule::runs
