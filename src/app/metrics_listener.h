#pragma once

#include <memory>

#include "base/result.h"
#include "config/option.h"
#include "http/server.h"

namespace bascule::app {

// The listener of --metrics-port, beside that of `main`; null where it is off, or where the default port is
// taken and nobody asked for it. Errors: of a port that was asked for.
Result<std::unique_ptr<http::Server>> listen_for_metrics(const config::Values& values,
                                                         const http::ServerOptions& main,
                                                         const http::Services& services);

}  // namespace bascule::app
