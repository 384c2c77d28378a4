#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "content/model_config.h"

// Triton's model configuration: what a config.pbtxt or an override of it says, and the answer that describes
// a model in its terms.
// Source: Triton, model_config.proto, whose definitions scripts/setup.sh brings;
// extension_model_configuration.md.
namespace bascule::protocol::v2 {

inline constexpr std::size_t kMaxModelConfig = std::size_t{1} << 20U;  // bytes

// Reads a config.pbtxt: protobuf's text format. All of it is checked: names, datatypes, dimensions, ranges.
// Nothing is held against a model file yet. `origin` names it in messages: "config.pbtxt". Errors:
// kInvalidArgument with origin and line, beyond kMaxModelConfig too.
Result<content::ModelConfig> parse_model_config(std::string_view text, std::string_view origin);

// The same as JSON, by protobuf's rules: "16" is 16. Errors: kInvalidArgument.
Result<content::ModelConfig> parse_model_config_json(std::string_view json, std::string_view origin);

// GET /v2/models/{m}[/versions/{v}]/config: the whole configuration with its defaults, field names as in the
// definition, 64-bit numbers as numbers. What was declared, completed by what was understood and how it is
// served.
[[nodiscard]] std::string write_model_config(const content::ServedModel& model);
// ModelConfigResponse
[[nodiscard]] std::string write_model_config_message(const content::ServedModel& model);

}  // namespace bascule::protocol::v2
