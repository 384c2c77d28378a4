#include "catalog/wide_runs.h"

#include <algorithm>
#include <chrono>

namespace bascule::catalog {

void WideRuns::load() const {
  executable_ = load_();
  load_ = nullptr;
  loaded_ = executable_ != nullptr;
}

const backend::Executable& WideRuns::choose(const backend::Executable& usual) const {
  if (!loaded_) return usual;
  return trials_.with([&](const Trials& trials) -> const backend::Executable& {
    if (trials.usual.runs >= kTrials && trials.wide.runs >= kTrials) {
      const auto longest = kWorthIt * std::chrono::duration<double>(trials.usual.shortest);
      return std::chrono::duration<double>(trials.wide.shortest) <= longest ? *executable_ : usual;
    }
    if (trials.usual.runs < trials.wide.runs) {
      if (trials.usual.runs + 1 == kTrials) usual.rest();
      return usual;
    }
    return *executable_;
  });
}

void WideRuns::took(const backend::Executable& chosen, Duration time) const {
  if (!loaded_) return;
  trials_.with([&](Trials& trials) {
    Trial& trial = &chosen == executable_.get() ? trials.wide : trials.usual;
    if (trial.runs == kTrials) return;
    ++trial.runs;
    trial.shortest = std::min(trial.shortest, time);
  });
}

}  // namespace bascule::catalog
