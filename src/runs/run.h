#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "runs/answer.h"
#include "runs/progress.h"
#include "runs/reader.h"
#include "runs/results.h"

namespace bascule::runs {

class ReportState;

struct RunOptions {
  std::size_t lanes = 4;    // units that are asked for at the same time, each by a thread
  std::size_t window = 16;  // units in memory: those, and the ones that wait for their turn to be written
  std::optional<std::uint64_t> max_errors = {};
  AnswerOptions answer = {};
  Duration save_every = std::chrono::seconds(1);
};

// What a run needs of those around it. All outlive it.
// Thread-safety: a value.
struct RunHooks {
  const Clock& clock;
  std::function<bool()> stop;                 // asked by two threads: whether to end at a checkpoint
  std::function<void(const Standing&)> tick;  // now and then, to be shown
  ReportState* report = nullptr;              // told of each outcome
};

enum class Ending : std::uint8_t { kDone, kStopped, kTooManyErrors };

// Reads, asks and writes until the input ends, `stop` says so, or there are more bad inputs than may be. In
// each of these cases, and where nobody can answer any more, all that was written is saved. Errors: of
// Reader::next, Asker and Results.
Result<Ending> run(Reader& reader, Asker& asker, Results& results, const RunOptions& options,
                   const RunHooks& hooks);

}  // namespace bascule::runs
