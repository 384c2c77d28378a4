#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "runs/item.h"

namespace bascule::runs {

enum class ResultForm : std::uint8_t { kJsonLines, kCsv, kSqlite };

// By the ending of the name: .jsonl and .ndjson, .csv, .sqlite and .db; "-" is JSON lines. Errors:
// kInvalidArgument for others.
Result<ResultForm> result_form(const std::filesystem::path& file);

// Where results go, one for each input, in their order.
// Thread-safety: external (one thread).
class Writer {
 public:
  virtual ~Writer() = default;

  // Errors: of AppendFile, or of the database.
  virtual Result<void> add(const Outcome& outcome) = 0;
  // What was added can be seen by others.
  virtual Result<void> flush() = 0;
  // What was added is on the disk.
  virtual Result<void> sync() = 0;
  // How far the result goes, for cut().
  [[nodiscard]] virtual std::uint64_t at() const = 0;
  // Forgets what lies behind; before anything was added. `columns` as it was then.
  virtual Result<void> cut(std::uint64_t at, const std::string& columns) = 0;
  // What a table's header says, once it is known.
  [[nodiscard]] virtual std::string columns() const { return {}; }
  // The run is over: leaves nothing beside the file.
  virtual Result<void> finish() = 0;
};

// `pictures`: what the results say. Errors: of AppendFile::open, or Database::open.
Result<std::unique_ptr<Writer>> open_writer(const std::filesystem::path& file, ResultForm form,
                                            bool pictures);

// {"input":…,"id":…,members}: one line of JSON, with its end.
[[nodiscard]] std::string json_line_of(const Outcome& outcome);
// "error":…,"code":… of a bad input, and the whole line of one.
[[nodiscard]] std::string error_members_of(const Outcome& outcome);
[[nodiscard]] std::string error_line_of(const Outcome& outcome);

}  // namespace bascule::runs
