#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "video/descriptor.h"

namespace bascule::app {

// What a word of the command line names: a video, or what is taken for a picture.
// Thread-safety: a value; one owner at a time.
struct Input {
  std::shared_ptr<std::vector<std::byte>> bytes;  // of a picture; null for a video
  video::Descriptor video;                        // not open for a picture
};

// Reads a file, "-" for standard input, or a URL, which is its own permission. Of a video that is a file
// nothing but its head is read. Errors: of read_file and net::Fetcher.
Result<Input> read_input(const std::string& word, const Clock& clock);

// What the word names, without folders and ending, for a file that is made of it.
[[nodiscard]] std::string stem_of(const std::string& word);

}  // namespace bascule::app
