#include "catalog/memory.h"

#include <algorithm>
#include <tuple>

namespace bascule::catalog {

Room make_room(const MemoryNow& memory, std::uint64_t need, std::string_view keep) {
  std::vector<const Resident*> others;
  std::uint64_t loaded = 0;
  std::uint64_t kept = 0;
  for (const Resident& resident : memory.loaded) {
    loaded += resident.bytes;
    if (resident.name == keep) {
      kept += resident.bytes;
    } else {
      others.push_back(&resident);
    }
  }
  if (need > memory.budget || kept > memory.budget - need) return {};
  Room room{.possible = true, .now = loaded + memory.leaving + need <= memory.budget, .evict = {}};
  std::ranges::sort(others, {},
                    [](const Resident* resident) { return std::tuple(resident->busy, resident->last_use); });
  for (const Resident* const resident : others) {
    if (loaded + need <= memory.budget) break;
    loaded -= resident->bytes;
    room.evict.push_back(resident->name);
  }
  return room;
}

}  // namespace bascule::catalog
