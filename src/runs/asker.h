#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "content/picture.h"

namespace bascule::runs {

// Rows as they are asked for: {"rows":[…]}, or CSV with its header.
// Thread-safety: a value.
struct RowsQuestion {
  std::string body;
  bool csv = false;
};

// Who answers: a model in this process, or servers. Answers are members of a JSON object, without its braces,
// and the same each time for the same question.
// Errors: kUnavailable, kUnauthenticated, kNotFound, kCancelled where no input can be answered, so that the
// run ends; all else is the input's. Thread-safety: thread-safe; each call waits for its answer.
class Asker {
 public:
  virtual ~Asker() = default;

  // "shape":[height,width],"results":[…], and what the model says of every pixel.
  virtual Result<std::string> ask_picture(const content::EncodedPicture& picture) = 0;
  // Of each row, in their order.
  virtual Result<std::vector<std::string>> ask_rows(const RowsQuestion& question) = 0;
};

}  // namespace bascule::runs
