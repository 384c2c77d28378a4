#pragma once

#include <memory>
#include <string>

#include "grpc/bytes_service.h"
#include "grpc/context.h"

namespace bascule::grpc_front {

// inference.GRPCInferenceService. What it is given outlives it.
std::unique_ptr<BytesService> make_inference_service(Context& context, CallCount& calls);
// "inference.GRPCInferenceService"
[[nodiscard]] std::string inference_service_name();

}  // namespace bascule::grpc_front
