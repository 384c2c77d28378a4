#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::protocol {

// The bytes of a request as they were read; `owner` keeps them alive, so that tensors may stay where they
// are.
struct RequestBody {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// What goes back: `head` first, then each of `parts`, which stay in the memory of the tensors (`owners`).
struct ReplyBody {
  std::string head;
  std::vector<std::span<const std::byte>> parts;
  std::vector<std::shared_ptr<const void>> owners;
  bool binary = false;  // parts follow: `head` is the JSON of the v2 binary extension, its length a header

  [[nodiscard]] std::size_t size() const {
    std::size_t total = head.size();
    for (const auto& part : parts) total += part.size();
    return total;
  }
};

// What a client speaks: statuses and the texts it looks for differ.
enum class Dialect {
  kV2,
  kTriton,  // v2 with the statuses of its first server, where they differ
  kUltralytics,
  kHub,      // the predict call before the platform's
  kHubFirst  // the one before that
};

// {"error":"…"}, with the dialect's own text where its clients look for one (from Reason and fields), else
// the error's message.
[[nodiscard]] std::string error_body(const Error& error, Dialect dialect = Dialect::kV2);

// The same text without JSON around it.
[[nodiscard]] std::string error_text(const Error& error, Dialect dialect = Dialect::kV2);

// The HTTP status a dialect's clients expect for an error.
[[nodiscard]] unsigned http_status(const Error& error, Dialect dialect);
// The gRPC status (google.rpc.Code) that clients of v2 expect for an error; with kTriton, as Triton says it.
[[nodiscard]] int grpc_status(const Error& error, Dialect dialect);

}  // namespace bascule::protocol
