#pragma once

#include <string>
#include <string_view>

namespace bascule::http {

// GET /openapi.json: every line of the route table as OpenAPI 3.0.3 (https://spec.openapis.org/oas/v3.0.3),
// for client generators and for tests that are made from it. `version`: the server's.
[[nodiscard]] std::string openapi_document(std::string_view version);

}  // namespace bascule::http
