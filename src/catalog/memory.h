#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bascule::catalog {

// A model that is loaded, all its versions together.
// Thread-safety: a value.
struct Resident {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t last_use = 0;  // the smallest was used longest ago
  bool busy = false;           // requests are waiting for it or running
};

// How the memory of models stands.
// Thread-safety: a value.
struct MemoryNow {
  std::uint64_t budget = 0;
  std::vector<Resident> loaded;
  // Of models that serve no more, whose last requests are not answered yet.
  std::uint64_t leaving = 0;
};

// What it takes to load `need` bytes more.
// Thread-safety: a value.
struct Room {
  bool possible = false;           // false: not even when all others have gone
  bool now = false;                // the memory is there; else once that of `evict` and what leaves is freed
  std::vector<std::string> evict;  // models to unload, in this order
};

// Models make room that no request uses, those first that were used longest ago; where that is not enough,
// busy ones likewise, which first finish what they began. No more go than must. `keep` stays: it is the model
// that the room is for. With `need` 0 the room that is missing for what is loaded.
[[nodiscard]] Room make_room(const MemoryNow& memory, std::uint64_t need, std::string_view keep);

}  // namespace bascule::catalog
