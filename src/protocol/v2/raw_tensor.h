#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "protocol/body.h"
#include "tensor/tensor.h"

// What the REST and the gRPC form of the protocol share in reading a request.
namespace bascule::protocol::v2 {

// More than any model has; without a limit a body of tiny inputs would cost many times its size.
inline constexpr std::size_t kMaxTensors = 1024;

// "Input 'NAME' PROBLEM".
[[nodiscard]] Error input_error(std::string_view name, std::string_view problem, Reason reason);

// Points `tensor` (type and shape are set) at `bytes`, a part of `body`, or at a copy of them where they are
// not aligned. Errors: kInvalidArgument where the bytes are not as many as the shape says; BYTES data holds
// one length and that many bytes for each element, and nothing else.
Result<void> attach_raw(tensor::Tensor& tensor, std::span<const std::byte> bytes, const RequestBody& body,
                        std::string_view name);

}  // namespace bascule::protocol::v2
