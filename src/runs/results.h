#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "runs/append_file.h"
#include "runs/checkpoint.h"
#include "runs/item.h"
#include "runs/writer.h"

namespace bascule::runs {

struct ResultsOptions {
  std::filesystem::path out;     // "-": standard output, of which nothing is kept in mind
  std::filesystem::path errors;  // empty: bad inputs are told of in the result
  bool pictures = true;          // what the results say
  bool restart = false;          // forget what was done
  bool overwrite = false;        // replace a result that belongs to no unfinished run
  Terms terms = {};
};

// The file of the checkpoint beside a result.
[[nodiscard]] std::filesystem::path checkpoint_of(const std::filesystem::path& out);
// Where bad inputs are told of where nobody says: results.errors.jsonl for results.jsonl.
[[nodiscard]] std::filesystem::path errors_of(const std::filesystem::path& out);

// What a run leaves: the result, the bad inputs, and a checkpoint that makes both durable together. A result
// that is found with a checkpoint is cut to it.
// Thread-safety: external (one thread).
class Results {
 public:
  // Errors: kAlreadyExists for a result without a checkpoint; kFailedPrecondition where the terms are others,
  // the files have changed, or another run writes to them; of the files.
  static Result<Results> open(ResultsOptions options);

  // Where the run stands, and what it goes on from.
  [[nodiscard]] const Progress& progress() const { return progress_; }
  [[nodiscard]] bool resumed() const { return resumed_; }

  Result<void> add(const Outcome& outcome);
  // What was added can be seen.
  Result<void> flush();
  // What was added is on the disk, and the run goes on from here once it is ended, whatever ends it.
  Result<void> save(const Position& position, std::string report);
  // The run is over: its checkpoint goes, and an empty file of errors, too.
  Result<void> finish();

 private:
  explicit Results(ResultsOptions options) : options_(std::move(options)) {}
  [[nodiscard]] Result<void> refuse_what_is_there() const;
  Result<void> begin();
  Result<void> open_files(bool fresh);

  ResultsOptions options_;
  std::unique_ptr<Writer> writer_;
  std::optional<AppendFile> errors_;
  std::optional<Checkpoint> checkpoint_;  // none of standard output
  Progress progress_;
  bool resumed_ = false;
};

}  // namespace bascule::runs
