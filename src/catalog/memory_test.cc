#include "catalog/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::catalog {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// a was used longest ago.
std::vector<Resident> three() {
  return {{.name = "c", .bytes = 30, .last_use = 9},
          {.name = "a", .bytes = 10, .last_use = 3},
          {.name = "b", .bytes = 20, .last_use = 5}};
}

struct Case {
  const char* what;
  MemoryNow memory;
  std::uint64_t need;
  const char* keep;
  bool possible;
  bool now;
  std::vector<std::string> evict;
};

TEST(MakeRoom, Table) {
  std::vector<Resident> busy_a = three();
  busy_a[1].busy = true;
  std::vector<Resident> all_busy = three();
  for (Resident& resident : all_busy) resident.busy = true;
  const std::vector<Case> cases = {
      {"nothing is loaded", {.budget = 100}, 100, "new", true, true, {}},
      {"it never fits", {.budget = 100}, 101, "new", false, false, {}},
      {"it fits beside the others", {.budget = 100, .loaded = three()}, 40, "new", true, true, {}},
      {"one byte more: the one used longest ago goes",
       {.budget = 100, .loaded = three()},
       41,
       "new",
       true,
       false,
       {"a"}},
      {"as many as must", {.budget = 100, .loaded = three()}, 65, "new", true, false, {"a", "b"}},
      {"all of them", {.budget = 100, .loaded = three()}, 100, "new", true, false, {"a", "b", "c"}},
      {"a busy one goes last", {.budget = 100, .loaded = busy_a}, 60, "new", true, false, {"b"}},
      {"and only when it must", {.budget = 100, .loaded = busy_a}, 95, "new", true, false, {"b", "c", "a"}},
      {"where all are busy, likewise", {.budget = 100, .loaded = all_busy}, 41, "new", true, false, {"a"}},
      {"what leaves is waited for, not added to",
       {.budget = 100, .loaded = three(), .leaving = 10},
       40,
       "new",
       true,
       false,
       {}},
      {"what leaves is enough",
       {.budget = 100, .loaded = three(), .leaving = 40},
       40,
       "new",
       true,
       false,
       {}},
      {"another version of a model that stays",
       {.budget = 100, .loaded = three()},
       70,
       "c",
       true,
       false,
       {"a", "b"}},
      {"which does not fit beside it", {.budget = 100, .loaded = three()}, 71, "c", false, false, {}},
      {"more is loaded than there may be", {.budget = 55, .loaded = three()}, 0, "c", true, false, {"a"}},
      {"nothing is needed", {.budget = 60, .loaded = three()}, 0, "c", true, true, {}},
      {"what stays is too large by itself", {.budget = 29, .loaded = three()}, 0, "c", false, false, {}},
  };
  for (const Case& c : cases) {
    const Room room = make_room(c.memory, c.need, c.keep);
    EXPECT_EQ(room.possible, c.possible) << c.what;
    EXPECT_EQ(room.now, c.now) << c.what;
    EXPECT_EQ(room.evict, c.evict) << c.what;
  }
}

TEST(MakeRoom, HugeNumbersDoNotWrap) {
  const MemoryNow memory{.budget = 100, .loaded = three()};
  const Room room = make_room(memory, ~std::uint64_t{0}, "new");
  EXPECT_FALSE(room.possible);
  EXPECT_THAT(room.evict, IsEmpty());
}

}  // namespace
}  // namespace bascule::catalog
