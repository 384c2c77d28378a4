#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "applications/delivery.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/application_yaml.h"

namespace bascule::app {

// The sinks of an application; files lie beside `folder`. `clock` outlives them. Errors: of open_webhook and
// open_mqtt_sink, with the sink's place.
Result<std::vector<applications::NamedSink>> open_sinks(const config::ApplicationYaml& application,
                                                        const std::filesystem::path& folder,
                                                        const Clock& clock);

// Whether a sink wants the annotated picture of an event.
[[nodiscard]] bool wants_pictures(const config::ApplicationYaml& application);

// What a channel says of a setting; `otherwise` where it does not.
[[nodiscard]] std::string setting_of(const config::ApplicationYaml::Channel& channel, const std::string& name,
                                     const std::string& otherwise);

}  // namespace bascule::app
