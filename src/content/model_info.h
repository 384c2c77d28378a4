#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "content/picture.h"
#include "content/prediction.h"
#include "content/rows.h"
#include "tensor/tensor.h"

namespace bascule::content {

struct ModelConfig;

// One thing understood about a model and where it was read, for `bascule inspect`.
struct Fact {
  std::string name;  // "task", "stride", "class names", …
  std::string value;
  std::string origin;  // "ONNX metadata 'task'", "input shape", "default", …
};

// How a loaded model version presents itself, whatever the dialect.
// Thread-safety: immutable.
struct ModelInfo {
  std::string name;
  std::string version;          // a decimal number
  std::string backend;          // "onnxruntime"
  std::string backend_version;  // "1.32.0"; may be empty
  std::string format;           // "onnx"
  std::vector<tensor::TensorSpec> inputs;
  std::vector<tensor::TensorSpec> outputs;
  bool batchable = false;  // every input and output starts with a dynamic dimension
  // Rows of the file's own fixed batch, where a request may have fewer; 0: there is none. It is padded.
  std::size_t static_batch = 0;
  std::string task;            // "detect"; empty: tensors only
  std::string author_version;  // "8.4.190": version of the package that wrote the file, or empty
  ClassNames class_names;
  // What an output's values stand for, in their order, by the output's name; where its configuration names a
  // file of labels.
  std::map<std::string, std::vector<std::string>> labels;
  std::shared_ptr<const RowFormat> rows;    // how it takes tables and sentences; null: it does not
  std::optional<PictureSize> picture_size;  // the model's own input size, for tasks on pictures
  int stride = 0;
  std::string file;  // file name without folders
  std::uint64_t file_bytes = 0;
  std::vector<Fact> facts;
  std::string proposal;          // a settings file that would make more of it, see tasks::propose
  std::string metadata_literal;  // the file's free key-value pairs as a Python dict; may be empty
  std::shared_ptr<const ModelConfig> config;  // what was declared beside the file; null: nothing
};

enum class ModelState { kLoading, kReady, kFailed, kUnloaded };

// Where one version of a model is in its life.
// Thread-safety: a value.
struct ModelStatus {
  std::string name;
  std::string version;
  ModelState state = ModelState::kLoading;
  // Why it does not serve; for one that serves, why its last reload failed. One sentence, or empty.
  std::string reason;
  // Where it does not serve: the next request for it loads it, and waits meanwhile.
  bool on_use = false;
  // Where it serves: about how much memory it needs.
  std::uint64_t memory_bytes = 0;
};

}  // namespace bascule::content
