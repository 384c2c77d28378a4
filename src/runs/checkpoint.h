#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "journal/database.h"
#include "runs/item.h"

namespace bascule::runs {

// Where a run stood: what its result and its errors hold up to here is whole, and nothing else of them
// counts. Thread-safety: a value.
struct Progress {
  Position position;
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  std::uint64_t result_at = 0;  // Writer::at
  std::uint64_t errors_at = 0;  // bytes
  std::string columns;          // Writer::columns
  std::string report;           // ReportState::saved
};

// What decides on a run's answers, by name and in words: "--conf" -> "0.25".
using Terms = std::vector<std::pair<std::string, std::string>>;

// The file beside a result that says how far it goes: SQLite, so that it is there whole or as it was before.
// Thread-safety: external (one thread).
class Checkpoint {
 public:
  // Opens the file, or makes one. Errors: of journal::Database::open.
  static Result<Checkpoint> open(const std::filesystem::path& file);

  // Nothing in one that was just made.
  Result<std::optional<Progress>> load();
  // Makes sure that a run with these terms goes on with what was done under the same; writes them down where
  // it begins. Errors: kFailedPrecondition with what was said then and now.
  Result<void> agree(const Terms& terms);
  // Once this returns it is on the disk.
  Result<void> save(const Progress& progress);

  // Takes the file away, with what SQLite keeps beside it.
  static void remove(const std::filesystem::path& file);

 private:
  explicit Checkpoint(journal::Database database) : database_(std::move(database)) {}
  journal::Database database_;
};

}  // namespace bascule::runs
