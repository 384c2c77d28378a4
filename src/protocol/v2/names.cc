#include "protocol/v2/names.h"

#include <fmt/format.h>

#include "base/text.h"
#include "content/sequence.h"

namespace bascule::protocol::v2 {

std::string_view state_name(content::ModelState state) {
  switch (state) {
    case content::ModelState::kReady: return "READY";
    case content::ModelState::kLoading: return "LOADING";
    case content::ModelState::kFailed:
    case content::ModelState::kUnloaded: return "UNAVAILABLE";
  }
  return "UNAVAILABLE";
}

std::string platform_name(const content::ModelInfo& model) {
  return model.format.empty() ? model.backend : model.backend + "_" + model.format;
}

std::vector<std::string_view> extensions(bool shared_memory) {
  // A request's own parameters are checked; no model here looks at them.
  std::vector<std::string_view> names = {"classification",
                                         "sequence",
                                         "model_repository",
                                         "model_repository(unload_dependents)",
                                         "schedule_policy",
                                         "model_configuration",
                                         "binary_tensor_data",
                                         "parameters",
                                         "statistics",
                                         "trace",
                                         "logging"};
  if (shared_memory) names.emplace_back("system_shared_memory");
  return names;
}

Error classes_elsewhere(std::string_view output) {
  return invalid_argument(
      fmt::format("Output '{}' is asked for with classification and shared memory; its classes "
                  "come in the answer, so ask for one of the two.",
                  text::shortened(output)));
}

Error long_sequence_id(std::size_t size) {
  return invalid_argument(
      fmt::format("The parameter 'sequence_id' of the request has {} bytes; the limit is {}.", size,
                  content::kMaxSequenceId));
}

Result<void> check_custom_parameter(std::string_view name) {
  const bool reserved = name == "headers" || name.starts_with("triton_");
  if (!reserved || name == "triton_enable_empty_final_response") return {};
  return invalid_argument(
      fmt::format("Parameter '{}' of the request has a name that is reserved ('headers', and what begins "
                  "with 'triton_'); "
                  "give it another.",
                  text::shortened(text::escape_controls(name))));
}

Error unknown_control_parameter(std::string_view name) {
  return invalid_argument(
      fmt::format("The parameter '{}' is not taken; known are unload_dependents, and of a load config and "
                  "file:PATH.",
                  text::escape_controls(text::shortened(name))));
}

}  // namespace bascule::protocol::v2
