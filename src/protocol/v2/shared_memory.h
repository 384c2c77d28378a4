#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "content/infer.h"
#include "content/shared_region.h"
#include "protocol/body.h"
#include "protocol/v2/v2.h"
#include "tensor/tensor.h"

// The shared-memory extension. Source: Triton, extension_shared_memory.md.
namespace bascule::protocol::v2 {

// Takes the inputs' bytes out of the regions that `call` names for them, checked as those of a body are, and
// has the places checked that it names for outputs. `read` gives a copy of a part's bytes. Errors: theirs;
// kInvalidArgument where a part's size is not that of its tensor, before anything is read.
Result<void> read_shared(InferCall& call,
                         const std::function<Result<tensor::Tensor>(const content::SharedPart&)>& read,
                         const std::function<Result<void>(const content::SharedPart&)>& check);
// Puts each output for which `choice` names a place there. Errors: of `write`.
Result<void> write_shared(
    const content::InferResponse& response, const ReplyChoice& choice,
    const std::function<Result<void>(const content::SharedPart&, std::span<const std::byte>)>& write);

// POST …/region/{name}/register: {"key":"/k","offset":0,"byte_size":64}. Errors: kInvalidArgument.
Result<content::SharedRegion> parse_register_request(std::string_view name, const RequestBody& body);
// GET …/status: [{"name":…,"key":…,"offset":…,"byte_size":…}]
[[nodiscard]] std::string write_regions(const std::vector<content::SharedRegion>& regions);

// SystemSharedMemoryRegisterRequest. Errors: kInvalidArgument.
Result<content::SharedRegion> parse_register_message(const RequestBody& message);
// The region that a SystemSharedMemoryStatusRequest or …UnregisterRequest, or its CUDA twin, names; alike on
// the wire.
Result<std::string> parse_region_message(const RequestBody& message);
// SystemSharedMemoryStatusResponse; of no regions also CudaSharedMemoryStatusResponse.
[[nodiscard]] std::string write_regions_message(const std::vector<content::SharedRegion>& regions);

}  // namespace bascule::protocol::v2
