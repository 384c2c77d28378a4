#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule {

enum class Compression { kGzip, kDeflate };

// "gzip" (and its old name "x-gzip") or "deflate", in any case (RFC 9110, section 8.4.1); nothing for others.
[[nodiscard]] std::optional<Compression> parse_compression(std::string_view coding);

// Inflates one gzip member (RFC 1952) or zlib stream (RFC 1950), which must be all of `bytes`. Memory grows
// with what comes out, never with what the stream announces, and stops at `limit`. Costs the calling thread
// about 3 ms for each MB that comes out. Errors: kPayloadTooLarge with kBodyTooLarge beyond `limit` bytes;
// kInvalidArgument for what is damaged, ends too early or goes on after its end; kResourceExhausted.
Result<std::vector<std::byte>> decompress(std::span<const std::byte> bytes, Compression compression,
                                          std::size_t limit);

// Packs the pieces, one after the other, into one stream at zlib's fastest level. Errors: kResourceExhausted.
Result<std::vector<std::byte>> compress(std::span<const std::span<const std::byte>> pieces,
                                        Compression compression);

}  // namespace bascule
