#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/local_model.h"
#include "app/model_config.h"
#include "catalog/source.h"
#include "content/infer.h"
#include "tensor/shape.h"
#include "tuning/average_precision.h"
#include "tuning/labels.h"
#include "tuning/search.h"

namespace bascule::app {

// What a model is tried with.
// Thread-safety: a value.
struct TrialInputs {
  std::vector<content::InferRequest> samples;  // pictures or tensors; empty: made up from the model's inputs
  std::vector<std::vector<content::Label>> labels;  // of each sample; empty: answers are compared instead
  std::uint64_t max_pixels = 0;
  std::size_t cores = 1;
};

// A model of this machine, loaded in every way that is to be measured. The first that is probed gives the
// answers that the others are held against; with labels, its mean average precision.
// Thread-safety: external (one thread).
class ModelTrial final : public tuning::Measuring {
 public:
  ModelTrial(std::shared_ptr<const Engines> engines, catalog::ModelSource source,
             content::ModelSettings settings, TrialInputs inputs);

  Result<tuning::Probe> probe(const tuning::Candidate& candidate) override;
  Result<tuning::Speed> measure(const tuning::Candidate& candidate, Duration time) override;

 private:
  Result<std::shared_ptr<LocalModel>> load(const tuning::Candidate& candidate);
  Result<void> make_up_samples(const LocalModel& model);
  Result<std::vector<content::InferResponse>> answers(LocalModel& model);
  Result<double> precision(LocalModel& model);
  Result<double> drop(LocalModel& model);
  [[nodiscard]] std::set<tensor::Shape> planned_shapes(const LocalModel& model) const;
  [[nodiscard]] bool fast_decode(const LocalModel& model) const;

  const std::shared_ptr<const Engines> engines_;
  const catalog::ModelSource source_;
  const content::ModelSettings settings_;
  TrialInputs inputs_;
  std::vector<content::InferRequest> timed_;  // what speed is measured with
  bool made_up_ = false;
  std::vector<content::InferResponse> reference_;
  double reference_precision_ = -1;  // negative: not known yet
  std::map<std::string, std::shared_ptr<LocalModel>> loaded_;
};

}  // namespace bascule::app
