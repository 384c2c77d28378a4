#pragma once

namespace bascule {

// Asks the system to give the calling thread its turns of a core soon and short, rather than later and long:
// for threads that answer, beside others that compute for a long time. It has its fair share of the core as
// before. Linux 6.12 and later; elsewhere nothing changes. Source: sched_setattr(2), `sched_runtime` of
// SCHED_OTHER; "the slice" of EEVDF in the kernel's Documentation/scheduler/sched-eevdf.rst.
void ask_for_short_turns();

}  // namespace bascule
