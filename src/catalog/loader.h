#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/source.h"

namespace bascule::catalog {

struct LoaderOptions {
  backend::LoadOptions load;
  tasks::TaskOptions task;
};

// Loads one file, understands it, and runs it once or more on zeros of its smallest shapes (warm-up), so that
// a model that cannot run is found now.
Result<Handle> load_model(const ModelSource& source, const backend::Backend& backend,
                          const LoaderOptions& options, const Clock& clock);

}  // namespace bascule::catalog
