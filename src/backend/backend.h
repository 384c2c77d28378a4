#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace bascule::backend {

// What a model file says of itself.
// Thread-safety: immutable.
struct ModelSpec {
  std::string format;                   // "onnx"
  std::string engine;                   // that loaded it: its backend's name
  std::string engine_version;           // "1.32.0"; may be empty
  std::vector<std::string> notes = {};  // what whoever serves it should know of how: a sentence each
  // Inputs with a default in the file have `optional` set. An empty shape is a scalar, or an input whose file
  // names no shape at all: then the engine alone decides what fits.
  std::vector<tensor::TensorSpec> inputs;
  // The tensors that `run` gives. Where the file gives something else, it appears here as:
  // - a sequence of tensors: one tensor, stacked, with a new first dimension;
  // - a map, or a sequence of maps (the probabilities of a scikit-learn classifier): two tensors. NAME holds
  //   the values, one row per map, and NAME_labels the keys in the same places, sorted, as BYTES or INT64.
  //   Keys are repeated for every row, so that a batch can be cut along the first dimension like any other
  //   output.
  std::vector<tensor::TensorSpec> outputs;
  std::map<std::string, std::string> metadata;  // free key-value pairs of the file
  // What its classifier calls the classes, in the order of its scores; empty: it does not say.
  std::vector<std::string> class_labels;
  // Its runs compute on threads of the engine while the calling one waits: what they cost does not show in
  // that thread's time.
  bool computes_elsewhere = false;
};

// "f32", "bf16", "f16": in which numbers a model of floats is computed.
[[nodiscard]] std::string_view precision_name(tensor::DataType precision);

// Input shapes that a model may be compiled for on their own.
inline constexpr std::size_t kMaxShapes = 8;

struct LoadOptions {
  int threads = 1;    // threads that compute one run; 1: the calling thread alone, no pool
  int instances = 1;  // runs at the same time that are to be expected
  // FP32, BF16 or FP16: in which a model of FP32 is computed. Its inputs and outputs keep their datatypes.
  tensor::DataType precision = tensor::DataType::kFp32;
  std::string engine = {};  // the name of the one that has to load it; empty: any
  // Shapes that the model's one input will often have: an engine that gains by knowing them compiles the
  // model for each of them as well. At most kMaxShapes.
  std::vector<tensor::Shape> shapes = {};
  // What a model takes and gives that has no file but is declared, for an engine of such; else null.
  const ModelSpec* declared = nullptr;
};

// A loaded model, ready to run.
// Thread-safety: thread-safe; runs may overlap.
class Executable {
 public:
  virtual ~Executable() = default;

  [[nodiscard]] virtual const ModelSpec& spec() const = 0;

  // Runs the model once on the calling thread.
  // `inputs`: one tensor for every input that is not optional, in any order, names and datatypes as in
  // `spec()`, shapes that fit (checked by the caller, with `check_inputs`). `outputs`: names wanted, in that
  // order; empty means all, in the spec's order. The answer may keep the engine's memory, but never the
  // caller's. Errors: kInvalidArgument where the engine refuses these shapes or values (the message says what
  // it said) or a sequence has unequal shapes, kResourceExhausted where memory ran out, kInternal for the
  // engine's own failures.
  virtual Result<std::vector<tensor::NamedTensor>> run(std::span<const tensor::NamedTensor> inputs,
                                                       std::span<const std::string> outputs) const = 0;

  // The next run may be the last for long: what memory it worked in need not be kept.
  virtual void rest() const {}
};

// An engine.
// Thread-safety: thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  // True for file names this engine is meant for (by extension; nothing is read).
  [[nodiscard]] virtual bool accepts(const std::filesystem::path& file) const = 0;
  // The names that a configuration may call it by, its own among them.
  [[nodiscard]] virtual std::vector<std::string_view> names() const { return {name()}; }
  // Errors: kInvalidArgument with one sentence that names the file and the cause; kNotFound; kUnavailable
  // where the engine itself is missing.
  virtual Result<std::unique_ptr<Executable>> load(const std::filesystem::path& file,
                                                   const LoadOptions& options) const = 0;
};

// The rows of a model whose file has a fixed batch: every input and output begins with the same number, 2 to
// kMaxStaticBatch. 0: it has none.
[[nodiscard]] std::size_t static_batch(const ModelSpec& spec);
inline constexpr std::int64_t kMaxStaticBatch = 1024;

// Checks a request's tensors against a model: unknown, missing or duplicated inputs, datatypes, ranks and
// fixed dimensions, and that the bytes are as many as the shape says. `fewer_rows`: whoever runs it pads the
// model's fixed batch, so that all inputs may begin with one number that is smaller. Errors: kInvalidArgument
// with a `Reason`.
Result<void> check_inputs(const ModelSpec& spec, std::span<const tensor::NamedTensor> inputs,
                          bool fewer_rows = false);
// Checks the names of wanted outputs: unknown or duplicated.
Result<void> check_outputs(const ModelSpec& spec, std::span<const std::string> outputs);

}  // namespace bascule::backend
