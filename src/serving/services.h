#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "metrics/metrics.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"
#include "serving/shared_memory.h"

namespace bascule::serving {

// Everything a front end answers from; all outlive it.
struct Services {
  InferenceService& inference;
  ControlService& control;
  metrics::Metrics& metrics;
  SharedMemory& shared_memory;
  const Clock& clock;
  Executor& executor;  // for what would hold up a thread that reads
};

}  // namespace bascule::serving
