#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
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
