#pragma once

#include "app/model_trial.h"
#include "base/result.h"
#include "config/option.h"

namespace bascule::app {

// What `bascule tune` measures and compares with, as --samples and --labels say: pictures, v2 requests
// (.json) and tables (.csv, each row a request of its own), at most 200, evenly from all that is there; none
// where nothing is said. Errors: kNotFound for what is not there; of read_sample and content::CsvReader with
// the file; of find_data_set.
Result<TrialInputs> trial_inputs(const config::Values& values);

}  // namespace bascule::app
