#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/catalog.h"

namespace bascule::catalog {

// Models whose last request has its answer, until the loader frees them: to free one takes time.
// Thread-safety: thread-safe.
class Retired {
 public:
  void add(Handle model, std::uint64_t bytes) {
    models_.with([&](auto& models) { models.emplace_back(std::move(model), bytes); });
  }
  [[nodiscard]] bool empty() {
    return models_.with([](const auto& models) { return models.empty(); });
  }
  // Frees them all on the calling thread. The memory that they needed.
  std::uint64_t free_all() {
    const auto models = models_.with([](auto& held) { return std::exchange(held, {}); });
    std::uint64_t bytes = 0;
    for (const auto& [model, size] : models) bytes += size;
    return bytes;
  }

 private:
  Guarded<std::vector<std::pair<Handle, std::uint64_t>>> models_;
};

}  // namespace bascule::catalog
