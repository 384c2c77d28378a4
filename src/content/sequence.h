#pragma once

#include <array>
#include <cstdint>
#include <string>
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

}  // namespace bascule::content
