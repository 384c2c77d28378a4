#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "content/ensemble.h"
#include "content/model_info.h"
#include "content/model_settings.h"
#include "content/sequence.h"
#include "tensor/tensor.h"

// What a configuration that lies beside a model, or came with a request to load it, says of it. It is read in
// `protocol/`, becomes settings in `app/`, and is held against the model file in `catalog/`.
namespace bascule::content {

// How a picture lies in a tensor, for clients that send pictures as tensors.
enum class TensorFormat : std::uint8_t { kNone, kNhwc, kNchw };

// An input or output as a configuration declares it.
// Thread-safety: a value.
struct ConfiguredTensor {
  std::string name;
  std::optional<tensor::DataType> type;  // absent: the file's
  tensor::Shape dims;                    // without the batch dimension where max_batch_size is above 0
  std::optional<tensor::Shape> reshape;  // what the file's tensor has in place of `dims`
  TensorFormat format = TensorFormat::kNone;
  bool optional = false;
  bool is_shape_tensor = false;
  std::string labels;  // of an output: the name of a file with a label on each line; may be empty
};

// One input of a warm-up request.
struct WarmUpInput {
  std::string name;
  tensor::DataType type = tensor::DataType::kFp32;
  tensor::Shape dims;  // without the batch dimension where max_batch_size is above 0
  enum class Data : std::uint8_t { kZero, kRandom, kFile } data = Data::kZero;
  std::string file;  // of kFile: the tensor's bytes, below the folder `warmup` of the model
};

// A request that is run before the model serves.
struct WarmUpRequest {
  std::string name;
  std::size_t rows = 0;  // 0: the model has no batch dimension
  std::size_t count = 1;
  std::vector<WarmUpInput> inputs;
};

// One setting that the configuration gives, in the words of the settings' own table, and where it stands.
struct ConfiguredSetting {
  std::string name;                // "max_queue_delay_microseconds"
  std::vector<std::string> items;  // one, of what is no list
  std::string place;               // "config.pbtxt:12"
};

// Which versions of a model are served.
// Thread-safety: a value.
struct VersionPolicy {
  std::size_t latest = 1;               // so many of the highest; 0: all
  std::vector<std::uint64_t> specific;  // where not empty, these alone
};

// Thread-safety: immutable.
struct ModelConfig {
  std::string origin;    // "config.pbtxt": for messages
  std::string name;      // empty: the folder's
  std::string platform;  // as it says; may be empty
  std::string backend;
  std::string default_model_filename;
  // Rows of one run. Above 0, `dims` have no batch dimension. Absent: it does not say.
  std::optional<std::size_t> max_batch_size;
  std::optional<VersionPolicy> versions;
  std::vector<ConfiguredTensor> inputs;  // empty: the file's
  std::vector<ConfiguredTensor> outputs;
  std::vector<ConfiguredSetting> settings;
  std::vector<WarmUpRequest> warm_up;
  std::optional<SequenceBatching> sequences;
  std::optional<Ensemble> ensemble;  // it is made of other models, and has no file
  std::map<std::string, std::string> parameters;
  // What it asks for and is not done, in its own words: "optimization.cuda (config.pbtxt:8)".
  std::vector<std::string> not_done;
  std::string wire;  // all of it, in the dialect's serialized form, so that a reply can say what was said
};

// A model version that serves, as a reply that describes its configuration needs it.
// Thread-safety: immutable.
struct ServedModel {
  std::shared_ptr<const ModelInfo> info;
  ModelSettings settings;
  std::size_t max_batch_size = 1;  // rows of a run that requests may share; 1: each runs alone
};

}  // namespace bascule::content
