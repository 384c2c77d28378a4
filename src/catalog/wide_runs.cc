#include "catalog/wide_runs.h"

#include <algorithm>
#include <chrono>

namespace bascule::catalog {

void WideRuns::load() const {
  Model loaded = load_();
  load_ = nullptr;
  state_.with([&](State& state) { state.model = std::move(loaded); });
}

WideRuns::Model WideRuns::choose(const Model& usual) const {
  return state_.with([&](const State& state) {
    if (state.model == nullptr) return usual;
    if (state.wide.runs == kTrials && state.usual.runs == kTrials) return state.model;
    if (state.wide.runs <= state.usual.runs) return state.model;
    if (state.usual.runs + 1 == kTrials) usual->rest();
    return usual;
  });
}

void WideRuns::took(bool wide, Duration time) const {
  Model freed;  // outside the lock
  state_.with([&](State& state) {
    Trial& trial = wide ? state.wide : state.usual;
    if (state.model == nullptr || trial.runs == kTrials) return;
    ++trial.runs;
    trial.shortest = std::min(trial.shortest, time);
    if (state.wide.runs < kTrials || state.usual.runs < kTrials) return;
    const auto longest = kWorthIt * std::chrono::duration<double>(state.usual.shortest);
    if (state.wide.shortest > longest) freed = std::exchange(state.model, nullptr);
  });
}

}  // namespace bascule::catalog
