#pragma once

#include <cstddef>

#include "base/clock.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/source.h"
#include "catalog/warm_up.h"

namespace bascule::catalog {

struct LoaderOptions {
  tasks::TaskOptions task;
  // Where `max_batch_size` is 0, it becomes kAutoBatch where a trial at load shows that it pays, else 1.
  content::ModelSettings settings;
  SampleReader read_sample;  // of settings.warm_up; needed where that is not empty
};

// Beyond this engines gain little, and the first of the batch waits for the last.
inline constexpr std::size_t kAutoBatch = 16;

// Loads one file, understands it, and runs it once or more on zeros of its smallest shapes, or on the samples
// that its settings name (warm-up), so that a model that cannot run is found now. Where requests may share a
// run, a trial shows whether the model's answers allow it. `clock` measures those runs, except where they
// compute on other threads than this.
Result<Handle> load_model(const ModelSource& source, const backend::Backend& backend,
                          const LoaderOptions& options, const Clock& clock);

}  // namespace bascule::catalog
