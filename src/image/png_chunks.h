#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "image/decoders.h"

// Private to this room: the chunk structure of a PNG file (ISO/IEC 15948, section 5).
namespace bascule::image {

struct PngChunk {
  std::span<const std::byte> whole;    // length, type, content and checksum
  std::span<const std::byte> content;  // only
  bool ancillary = false;
  [[nodiscard]] bool is(const char (&type)[5]) const;
};

// Walks over the chunks of a file. Thread-safety: external.
class PngChunks {
 public:
  // Precondition: the signature was checked.
  explicit PngChunks(std::span<const std::byte> bytes) : bytes_(bytes) {}
  // The next chunk; errors: the file ends before it does.
  Result<PngChunk> next();

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 8;  // behind the signature
};

}  // namespace bascule::image
