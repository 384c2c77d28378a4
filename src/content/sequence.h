#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "tensor/tensor.h"

namespace bascule::content {

// What a control input tells a model about the sequence that a row belongs to.
enum class ControlKind : std::uint8_t {
  kStart,          // the row is the first of its sequence
  kEnd,            // the last
  kReady,          // the row holds a request at all
  kCorrelationId,  // the number or name of the sequence
};

// An input that is filled by the server, not by clients.
// Thread-safety: a value.
struct ControlInput {
  std::string name;
  ControlKind kind = ControlKind::kStart;
  tensor::DataType type = tensor::DataType::kInt32;  // kInt32, kFp32 or kBool; of kCorrelationId any
  // The element for "no" and for "yes"; not of kCorrelationId. Those of kBool are 0 and 1.
  std::array<double, 2> false_true = {0, 1};
};

// What a model gives at one step of a sequence and takes at the next: an output and an input of its file.
// Thread-safety: a value.
struct SequenceState {
  std::string input;
  std::string output;
  std::optional<tensor::DataType> type;  // absent: the file's
  std::optional<tensor::Shape> dims;  // likewise; without the batch dimension where max_batch_size is above 0
  // What it is at the first step: the bytes of a file below the folder `initial_state` of the model, or
  // zeros. Open dimensions are 1 where `initial_dims` does not say.
  std::optional<tensor::Shape> initial_dims;
  std::string initial_file;
  tensor::Tensor initial;  // made when the model is loaded, of one row
};

// Requests of one sequence go to one place, in order, with inputs that tell the model where it begins and
// ends.
// Thread-safety: a value.
struct SequenceBatching {
  enum class Strategy : std::uint8_t { kDirect, kOldest };
  Strategy strategy = Strategy::kDirect;
  Duration max_idle = std::chrono::seconds(1);  // then a sequence is given up
  std::vector<ControlInput> controls;
  // Of kOldest: sequences that may be under way at once.
  std::size_t max_candidates = 0;
  std::vector<SequenceState> states;
  std::uint64_t max_state_bytes = std::uint64_t{256} << 20U;  // that all sequences of the model keep together
};

// A sequence as its requests name it: a number and the same number as text are two sequences.
using SequenceId = std::variant<std::uint64_t, std::string>;
inline constexpr std::size_t kMaxSequenceId = 128;  // bytes

// Where a request stands in a sequence of requests.
// Thread-safety: a value.
struct SequenceStep {
  SequenceId id;  // 0 and an empty text: none
  bool start = false;
  bool end = false;
};

}  // namespace bascule::content
