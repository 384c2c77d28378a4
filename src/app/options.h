#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/option.h"
#include "content/model_settings.h"

namespace bascule::app {

// What can be set, once for the server and for each model: see docs/configuration.md.
[[nodiscard]] const config::Tables& tables();
// Precondition: the server's table has it.
[[nodiscard]] const config::Option& server_option(std::string_view name);

// What `predict` and `batch` ask a detector for: conf, iou, imgsz, classes, max_det.
[[nodiscard]] std::vector<config::Option> detection_options();
// Which frames of a video they look at.
[[nodiscard]] config::Option stride_option();
// Where a command computes.
[[nodiscard]] config::Option threads_option();

// The model's table, in the order of content::ModelSettings.
[[nodiscard]] std::vector<config::Option> model_options();
// What values of the model's table mean; all but `warm_up`, whose files depend on where it stands. `values`
// has the defaults. Errors: kInvalidArgument where two settings contradict each other, with both places.
Result<content::ModelSettings> to_settings(const config::Values& values);

}  // namespace bascule::app
