#pragma once

#include <memory>
#include <string>

#include <grpcpp/impl/codegen/service_type.h>

#include "grpc/context.h"

namespace bascule::grpc_front {

// inference.GRPCInferenceService. `context` outlives it.
std::unique_ptr<grpc::Service> make_inference_service(Context& context);
// "inference.GRPCInferenceService"
[[nodiscard]] std::string inference_service_name();

}  // namespace bascule::grpc_front
