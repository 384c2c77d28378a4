#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/result.h"
#include "content/model_info.h"

// Words that the REST and the gRPC form of the protocol share.
namespace bascule::protocol::v2 {

inline constexpr std::size_t kMaxSmallMessage = 64ULL << 10U;  // of a call that carries names only

// READY, LOADING or UNAVAILABLE.
[[nodiscard]] std::string_view state_name(content::ModelState state);
// "onnxruntime_onnx"
[[nodiscard]] std::string platform_name(const content::ModelInfo& model);
// Of an output that is asked for as classes and to lie in shared memory.
[[nodiscard]] Error classes_elsewhere(std::string_view output);
// Of a sequence whose name is too long.
[[nodiscard]] Error long_sequence_id(std::size_t size);
// The protocol's extensions that are there, for server metadata. `shared_memory`: whether that one is on.
[[nodiscard]] std::vector<std::string_view> extensions(bool shared_memory);
// Refuses names that a request's own parameters may not have: "headers", and those that begin with "triton_",
// but for the one that Triton's stream clients send. Source: Triton, extension_parameters.md. Errors:
// kInvalidArgument.
Result<void> check_custom_parameter(std::string_view name);
// Of a load or unload that names a parameter nothing here acts on.
[[nodiscard]] Error unknown_control_parameter(std::string_view name);

}  // namespace bascule::protocol::v2
