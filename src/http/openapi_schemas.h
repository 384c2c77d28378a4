#pragma once

#include <string_view>

namespace bascule::http {

// The "components" of the OpenAPI document: schemas, the refusal, how keys are sent.
[[nodiscard]] std::string_view openapi_components();

}  // namespace bascule::http
