#pragma once

#include <filesystem>
#include <memory>

#include "applications/checkout/till.h"
#include "applications/look.h"
#include "base/result.h"
#include "config/application_yaml.h"
#include "serving/inference_service.h"

namespace bascule::app {

// Where a till's files lie, and how it looks at pictures.
// Thread-safety: a value.
struct TillPlace {
  std::filesystem::path folder;  // that its paths are relative to
  std::filesystem::path state;   // of what must survive
  applications::LookOptions look;
};

// The till of an application that has a `checkout`. `service` outlives it. Errors: of Till::open; of taxes
// and currency, with their place.
Result<std::shared_ptr<applications::checkout::Till>> open_till(const config::ApplicationYaml& application,
                                                                const TillPlace& place,
                                                                serving::InferenceService& service);

}  // namespace bascule::app
