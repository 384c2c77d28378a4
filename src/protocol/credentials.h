#pragma once

namespace bascule::protocol {

// Where callers put a key that is not a Bearer token: a header field, or gRPC metadata.
inline constexpr const char* kApiKeyField = "x-api-key";

}  // namespace bascule::protocol
