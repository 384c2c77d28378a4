#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/compression.h"
#include "http/reply.h"

namespace bascule::http {

// What is smaller is sent as it is: packing would cost more than it saves.
inline constexpr std::size_t kWorthPacking = 1024;

// "gzip" or "deflate", as header fields say it.
[[nodiscard]] std::string_view coding_name(Compression coding);

// How the client likes an answer packed best, by the value of its Accept-Encoding (RFC 9110, section 12.5.3):
// the highest q, gzip before deflate; "*" stands for what is not named. Nothing: as it is, where it names
// neither, or says that it would rather not. What cannot be read is as if it were not there.
[[nodiscard]] std::optional<Compression> choose_coding(std::string_view accept);

// Packs the body of `reply`, unless it is small or comes out no smaller. Costs the calling thread about 10 ms
// for each MB.
void pack(Reply& reply, Compression coding);

}  // namespace bascule::http
