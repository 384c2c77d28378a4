#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "content/infer.h"
#include "content/sequence.h"
#include "tensor/tensor.h"

namespace bascule::serving {

// Bytes that all sequences of a model keep together.
using KeptBytes = std::atomic<std::uint64_t>;

// What one sequence keeps from one of its requests to the next: the model's states, by the names of its
// inputs. Empty until the first request was run.
// Thread-safety: external (the one request of the sequence that is under way).
class SequenceMemory {
 public:
  // `from_start`: the sequence begins with it; else the model had no states when it began.
  SequenceMemory(std::shared_ptr<KeptBytes> kept, bool from_start)
      : kept_(std::move(kept)), from_start_(from_start) {}
  ~SequenceMemory() { kept_->fetch_sub(bytes_, std::memory_order_relaxed); }
  SequenceMemory(const SequenceMemory&) = delete;
  SequenceMemory& operator=(const SequenceMemory&) = delete;

  [[nodiscard]] const std::vector<tensor::NamedTensor>& states() const { return states_; }
  [[nodiscard]] bool from_start() const { return from_start_; }
  // Replaces the states. Errors: kResourceExhausted where all sequences would keep more than `limit` bytes,
  // with the three figures; then nothing has changed. `model`: for the message.
  Result<void> keep(std::vector<tensor::NamedTensor> states, std::uint64_t limit, const std::string& model);

 private:
  const std::shared_ptr<KeptBytes> kept_;
  const bool from_start_;
  std::uint64_t bytes_ = 0;
  std::vector<tensor::NamedTensor> states_;
};

// Adds the states to a request's inputs, as the sequence has kept them or as they are at first, and to the
// outputs that are wanted, of which there then is at least one named. Gives the names of those that were
// added. Errors: kFailedPrecondition where what was kept does not fit the model, which may be another one
// since a reload.
Result<std::vector<std::string>> add_states(const backend::ModelSpec& spec,
                                            const content::SequenceBatching& settings,
                                            const SequenceMemory& memory, const std::string& model,
                                            content::InferRequest& request);

// Keeps the states of an answer, and takes those out of it that were `added`. `shared`: the run was, so that
// its outputs are parts of larger ones. Errors: of SequenceMemory::keep; kInternal where a state has a shape
// that the model does not take.
Result<void> take_states(const backend::ModelSpec& spec, const content::SequenceBatching& settings,
                         const std::vector<std::string>& added, bool shared, const std::string& model,
                         SequenceMemory& memory, std::vector<tensor::NamedTensor>& outputs);

}  // namespace bascule::serving
