#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::protocol {

inline constexpr std::size_t kMaxBoundary = 70;  // RFC 2046, section 5.1.1
inline constexpr std::size_t kMaxParts = 64;
inline constexpr std::size_t kMaxPartHead = 8192;  // bytes of one part's header lines

// One part of a multipart/form-data body (RFC 7578). All views lie in the body.
struct Part {
  std::string name;
  std::string file_name;     // empty: a plain field
  std::string content_type;  // empty where absent
  std::span<const std::byte> bytes;
};

// The boundary parameter of a Content-Type header value. Errors: kInvalidArgument where it is missing, empty,
// longer than kMaxBoundary (the message has both numbers) or not of RFC 2046's characters.
Result<std::string> multipart_boundary(std::string_view content_type);

// Splits a body; linear in its size whatever it holds. Errors: kInvalidArgument for what ends early, has too
// many parts or a part without a name.
Result<std::vector<Part>> parse_multipart(std::span<const std::byte> body, std::string_view boundary);

}  // namespace bascule::protocol
