#pragma once

#include "base/clock.h"
#include "metrics/metrics.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"

namespace bascule::serving {

// Everything a front end answers from; all outlive it.
struct Services {
  InferenceService& inference;
  ControlService& control;
  metrics::Metrics& metrics;
  const Clock& clock;
};

}  // namespace bascule::serving
