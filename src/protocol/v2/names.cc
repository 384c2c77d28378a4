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
  // Only what is there: parameters of a request are checked, but no model sees them yet.
  std::vector<std::string_view> names = {"classification",
                                         "sequence",
                                         "model_repository",
                                         "model_repository(unload_dependents)",
                                         "schedule_policy",
                                         "model_configuration",
                                         "binary_tensor_data",
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

Error unknown_control_parameter(std::string_view name) {
  return invalid_argument(
      fmt::format("The parameter '{}' is not taken; known are unload_dependents, and of a load config and "
                  "file:PATH.",
                  text::escape_controls(text::shortened(name))));
}

}  // namespace bascule::protocol::v2
