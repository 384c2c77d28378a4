#pragma once

#include <model_config.pb.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "content/model_config.h"
#include "protocol/v2/model_config_node.h"
#include "tensor/dtype.h"

// The parts of the reader of model configurations.
namespace bascule::protocol::v2 {

// Nothing for TYPE_INVALID.
[[nodiscard]] std::optional<tensor::DataType> data_type_of(inference::DataType type);
[[nodiscard]] inference::DataType wire_type_of(tensor::DataType type);

// `version_policy`, `dynamic_batching`, `instance_group` and `parameters`, as far as they are settings here.
Result<void> read_settings(const inference::ModelConfig& wire, const ConfigNode& node,
                           content::ModelConfig& out);
// `model_warmup`
Result<void> read_warm_up(const inference::ModelConfig& wire, const ConfigNode& node,
                          content::ModelConfig& out);
// `sequence_batching`
Result<void> read_sequences(const inference::ModelConfig& wire, const ConfigNode& node,
                            content::ModelConfig& out);
// `ensemble_scheduling`
Result<void> read_ensemble(const inference::ModelConfig& wire, const ConfigNode& node,
                           content::ModelConfig& out);
// What the configuration asks for and nothing here does.
[[nodiscard]] std::vector<std::string> not_done_of(const inference::ModelConfig& wire,
                                                   const ConfigNode& node);

// Dimensions of a tensor: each above 0, or -1; at most tensor::kMaxRank. Errors: kInvalidArgument.
Result<tensor::Shape> read_dims(const google::protobuf::RepeatedField<std::int64_t>& dims,
                                const ConfigNode& node, int number, bool open_too = true);
// A name of a tensor. Errors: kInvalidArgument where it is empty, too long or not printable.
Result<std::string> read_tensor_name(const std::string& name, const ConfigNode& node, int number);

}  // namespace bascule::protocol::v2
