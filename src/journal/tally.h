#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/database.h"

namespace bascule::journal {

inline constexpr std::size_t kMostDays = 400;          // of which counts are kept, the last ones
inline constexpr std::size_t kMostTalliesOfDay = 500;  // then labels that are new count as kOtherLabel
inline constexpr const char* kOtherLabel = "(other)";

// How often something was so on one day.
// Thread-safety: a value.
struct Tally {
  std::string day;    // "2026-11-27": in the order of time, as texts
  std::string what;   // is counted
  std::string whose;  // may be empty
  std::string label;  // may be empty
  std::uint64_t count = 0;
};

// Counts by day, in a table of a database beside whatever else it keeps.
// Errors of all: of Database::run.
Result<void> make_tallies(Database& database);  // where they are not there
// Adds to what is there. Within the caller's transaction.
Result<void> add_tallies(Database& database, std::span<const Tally> tallies);
// Of the last so many days that something is kept of, the oldest first; within a day by what, whose, label.
Result<std::vector<Tally>> read_tallies(Database& database, std::size_t days);

}  // namespace bascule::journal
