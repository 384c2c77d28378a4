#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "content/shared_region.h"
#include "tensor/tensor.h"

namespace bascule::serving {

// The POSIX shared memory that clients on this machine have made known, so that tensors need not go through
// a socket. It is never mapped: bytes are read and written through its descriptor, with one copy, so that a
// client that shrinks or changes its memory meanwhile spoils its own request only.
// Thread-safety: thread-safe.
class SharedMemory {
 public:
  // `allowed`: else every call but `list` and the removals is refused.
  explicit SharedMemory(bool allowed) : allowed_(allowed) {}

  [[nodiscard]] bool allowed() const { return allowed_; }

  // Opens the memory under `region.key`. Errors, none of which tells the key: kUnsupported where this is off;
  // kAlreadyExists for a name that is taken; kInvalidArgument for a name, key, offset or size that cannot be,
  // for what is not there or not ours to open, and where the region reaches beyond its end;
  // kResourceExhausted beyond kMaxRegions.
  Result<void> add(content::SharedRegion region);
  // Requests that read or write it right now finish. A name that is not known is none any more.
  void remove(std::string_view name);
  void remove_all();
  // In the order of their names; an empty name: all. Errors: kNotFound.
  [[nodiscard]] Result<std::vector<content::SharedRegion>> list(std::string_view name) const;

  // Whether there is such a part, now. Errors of this and the following: kUnsupported where this is off;
  // kNotFound for a region that is not known; kInvalidArgument where the part reaches beyond its end.
  [[nodiscard]] Result<void> check(const content::SharedPart& part) const;
  // A copy of the bytes, as UINT8. Errors: kInvalidArgument where the memory has shrunk; as make_tensor.
  [[nodiscard]] Result<tensor::Tensor> read(const content::SharedPart& part) const;
  // Errors: kInvalidArgument where `bytes` are more than the part has; kUnavailable where they cannot be
  // written.
  [[nodiscard]] Result<void> write(const content::SharedPart& part, std::span<const std::byte> bytes) const;

  static constexpr std::size_t kMaxRegions = 1024;

 private:
  struct Open;
  [[nodiscard]] Result<std::shared_ptr<const Open>> find(const content::SharedPart& part) const;

  const bool allowed_;
  Guarded<std::map<std::string, std::shared_ptr<const Open>, std::less<>>> regions_;
};

}  // namespace bascule::serving
