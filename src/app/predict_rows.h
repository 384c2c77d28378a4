#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "content/model_info.h"
#include "serving/inference_service.h"

namespace bascule::app {

struct RowsRun {
  std::size_t width = 1;  // blocks of rows that are worked on at the same time
  bool json = false;      // one JSON object; else CSV
  std::string text;       // a sentence given on the command line; empty: none
};

// Answers the rows of files on standard output: .csv (header row; read and answered block by block, so that
// memory does not grow with the file), .json ({"rows":[…]}), .txt (a sentence on each line), or - for one of
// these from standard input, told apart by its first character. An exit code.
int predict_rows(serving::InferenceService& service, const content::ModelInfo& model, const RowsRun& run,
                 const std::vector<std::string>& files);

}  // namespace bascule::app
