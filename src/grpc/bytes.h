#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "protocol/body.h"

// Between gRPC's buffers and the bytes that protocol/ reads and writes.
namespace bascule::grpc_front {

// The message as one piece of memory: gRPC's own where it came so, else one copy. What came compressed is
// unpacked here, to at most `limit` bytes: gRPC itself looks at a message's size only when it has unpacked
// all of it. Errors: as decompress, kPayloadTooLarge beyond `limit`.
Result<protocol::RequestBody> body_of(const grpc::ByteBuffer& message, std::size_t limit);
// The reply's pieces, handed to gRPC without a copy where they are large; their owners live as long as gRPC
// needs them.
grpc::ByteBuffer buffer_of(protocol::ReplyBody reply);
grpc::ByteBuffer buffer_of(const std::string& message);
grpc::Status status_of(const Error& error, protocol::Dialect dialect);

}  // namespace bascule::grpc_front
