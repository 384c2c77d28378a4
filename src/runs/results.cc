#include "runs/results.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace bascule::runs {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& file) {
  std::error_code code;
  return fs::exists(file, code);
}

// A result with what a database keeps beside it.
void remove_result(const fs::path& file) {
  std::error_code code;
  for (const char* ending : {"-wal", "-shm", "-journal", ""}) fs::remove(file.string() + ending, code);
}

}  // namespace

fs::path checkpoint_of(const fs::path& out) { return out.string() + ".checkpoint"; }

fs::path errors_of(const fs::path& out) {
  return out.parent_path() / (out.stem().string() + ".errors.jsonl");
}

Result<Results> Results::open(ResultsOptions options) {
  Results results(std::move(options));
  BASCULE_TRY(results.begin());
  return Result<Results>(std::move(results));
}

// Nothing is replaced that somebody may still want.
Result<void> Results::refuse_what_is_there() const {
  std::error_code code;
  const bool errors = !options_.errors.empty() && fs::file_size(options_.errors, code) > 0 && !code;
  const bool result = options_.out != "-" && is_there(options_.out);
  if (!errors && !result) return {};
  return Error{
      .code = Code::kAlreadyExists,
      .message = fmt::format("'{}' is there already, and belongs to no unfinished run. --overwrite "
                             "replaces it; or name another --{}.",
                             (result ? options_.out : options_.errors).string(), result ? "out" : "errors")};
}

Result<void> Results::begin() {
  const bool file = options_.out != "-";
  const fs::path checkpoint = checkpoint_of(options_.out);
  const bool unfinished = file && !options_.restart && is_there(checkpoint);
  if (!unfinished && !options_.restart && !options_.overwrite) BASCULE_TRY(refuse_what_is_there());
  // The errors' lock keeps a second run away from all the files, and comes before any of them is touched.
  if (!options_.errors.empty()) {
    BASCULE_ASSIGN(AppendFile errors, AppendFile::open(options_.errors));
    errors_.emplace(std::move(errors));
  }
  if (!file) {
    if (errors_) BASCULE_TRY(errors_->cut(0));
    return open_files(true);
  }
  if (options_.restart) Checkpoint::remove(checkpoint);
  BASCULE_ASSIGN(Checkpoint opened, Checkpoint::open(checkpoint));
  checkpoint_.emplace(std::move(opened));
  BASCULE_TRY(checkpoint_->agree(options_.terms));
  BASCULE_ASSIGN(const std::optional<Progress> before, checkpoint_->load());
  if (before) progress_ = *before;
  resumed_ = before.has_value();
  return open_files(!before);
}

Result<void> Results::open_files(bool fresh) {
  const bool file = options_.out != "-";
  // Only now that the checkpoint says that nothing of it counts.
  if (fresh && file) remove_result(options_.out);
  BASCULE_ASSIGN(const ResultForm form, result_form(options_.out));
  BASCULE_ASSIGN(writer_, open_writer(options_.out, form, options_.pictures));
  if (!file) return {};
  BASCULE_TRY(writer_->cut(progress_.result_at, progress_.columns));
  if (errors_) BASCULE_TRY(errors_->cut(progress_.errors_at));
  return sync_folder_of(options_.out);
}

Result<void> Results::add(const Outcome& outcome) {
  if (outcome.good) {
    ++progress_.good;
    return writer_->add(outcome);
  }
  ++progress_.bad;
  if (errors_) return errors_->append(error_line_of(outcome));
  Outcome told = outcome;
  told.answer = error_members_of(outcome);
  return writer_->add(told);
}

Result<void> Results::flush() {
  if (errors_) BASCULE_TRY(errors_->flush());
  return writer_->flush();
}

Result<void> Results::save(const Position& position, std::string report) {
  if (!checkpoint_) return flush();
  BASCULE_TRY(writer_->sync());
  if (errors_) BASCULE_TRY(errors_->sync());
  progress_.position = position;
  progress_.result_at = writer_->at();
  progress_.errors_at = errors_ ? errors_->bytes() : 0;
  progress_.columns = writer_->columns();
  progress_.report = std::move(report);
  return checkpoint_->save(progress_);
}

Result<void> Results::finish() {
  BASCULE_TRY(flush());
  BASCULE_TRY(writer_->finish());
  if (errors_ && errors_->bytes() == 0) {
    std::error_code code;
    fs::remove(options_.errors, code);
  }
  if (!checkpoint_) return {};
  checkpoint_.reset();
  Checkpoint::remove(checkpoint_of(options_.out));
  return {};
}

}  // namespace bascule::runs
