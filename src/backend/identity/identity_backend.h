#pragma once

#include <memory>

#include "backend/backend.h"

namespace bascule::backend {

// An engine whose models give their inputs back: the first input as the first output, and so on. They have no
// file; what they take is declared (LoadOptions::declared). For clients that try a server out, and to measure
// what everything but a model costs.
[[nodiscard]] std::unique_ptr<Backend> make_identity_backend();

}  // namespace bascule::backend
