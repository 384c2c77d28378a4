#include "protocol/v2/shared_memory.h"

#include <utility>

#include "http/handlers.h"

namespace bascule::http {
namespace {

namespace v2 = protocol::v2;

Error no_gpu() {
  return {
      .code = Code::kUnsupported,
      .message =
          "CUDA shared memory needs a GPU, which this server does not use; register system shared memory."};
}

}  // namespace

Result<void> Handlers::read_shared(v2::InferCall& call) const {
  const serving::SharedMemory& memory = services_.shared_memory;
  return v2::read_shared(
      call, [&](const auto& part) { return memory.read(part); },
      [&](const auto& part) { return memory.check(part); });
}

Result<protocol::ReplyBody> Handlers::reply_of(const content::InferResponse& answer,
                                               const v2::ReplyChoice& choice) const {
  const serving::SharedMemory& memory = services_.shared_memory;
  BASCULE_TRY(v2::write_shared(answer, choice, [&](const auto& part, std::span<const std::byte> bytes) {
    return memory.write(part, bytes);
  }));
  return v2::write_infer(answer, choice);
}

// There is no CUDA memory: none is listed, and none to forget, so that clients may begin by forgetting all.
Reply Handlers::shared_memory(const Match& match, const protocol::RequestBody& body, TimePoint started) {
  serving::SharedMemory& memory = services_.shared_memory;
  Result<std::string> text = std::string();
  switch (match.route->endpoint) {
    case Endpoint::kSharedMemoryStatus:
      if (const auto regions = memory.list(match.region)) {
        text = v2::write_regions(*regions);
      } else {
        text = regions.error();
      }
      break;
    case Endpoint::kSharedMemoryRegister: {
      auto region = v2::parse_register_request(match.region, body);
      const Result<void> added = region ? memory.add(*std::move(region)) : Result<void>(region.error());
      if (!added) text = added.error();
      break;
    }
    case Endpoint::kSharedMemoryUnregister:
      if (match.region.empty()) {
        memory.remove_all();
      } else {
        memory.remove(match.region);
      }
      break;
    case Endpoint::kCudaMemoryStatus: text = "[]"; break;
    case Endpoint::kCudaMemoryRegister: text = no_gpu(); break;
    default: break;
  }
  if (!text) return fail(match, text.error(), started);
  if (text->empty()) *text = "{}";
  return {.body = {.head = *std::move(text)}};
}

}  // namespace bascule::http
