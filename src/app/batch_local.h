#pragma once

#include <string>
#include <vector>

#include "app/local_model.h"
#include "content/prediction.h"
#include "runs/asker.h"

namespace bascule::app {

// A run's questions, answered by a model in this process. The same question has the same answer, down to the
// last digit: no two share a run of the engine.
// Thread-safety: thread-safe, but not on threads of the model's executor.
class LocalAsker final : public runs::Asker {
 public:
  // `model` outlives it. `decimals` of what is said of pictures.
  LocalAsker(LocalModel& model, content::PredictOptions options, int decimals)
      : model_(model), options_(std::move(options)), decimals_(decimals) {}

  Result<std::string> ask_picture(const content::EncodedPicture& picture) override;
  Result<std::vector<std::string>> ask_rows(const runs::RowsQuestion& question) override;

 private:
  LocalModel& model_;
  const content::PredictOptions options_;
  const int decimals_;
};

}  // namespace bascule::app
