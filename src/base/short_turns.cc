#include "base/short_turns.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace bascule {
namespace {

constexpr std::uint64_t kTurnNs = 100'000;  // the shortest that Linux gives

// As in linux/sched/types.h, which cannot be included beside glibc's <sched.h>; its first version's size.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime_ns;
  std::uint64_t deadline_ns;
  std::uint64_t period_ns;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

void ask_for_short_turns() {
  SchedulingAttributes attributes{};
  // What the thread has stays: policy and nice value. Zero is the calling thread.
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0U) != 0) return;
  attributes.size = sizeof(attributes);
  attributes.runtime_ns = kTurnNs;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

}  // namespace bascule
