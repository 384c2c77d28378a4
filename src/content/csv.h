#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "content/rows.h"

namespace bascule::content {

// Reads CSV (RFC 4180) as it comes: a header row, then rows of as many fields. Quoted fields may hold commas,
// quotes (twice) and line ends; a byte order mark in front is dropped; lines may end in LF or CRLF, empty
// lines are skipped. Thread-safety: external (one thread at a time).
class CsvReader {
 public:
  static constexpr std::size_t kMaxField = std::size_t{1} << 20U;  // bytes
  // Called with up to `block` rows at a time. An error ends the reading.
  using Take = std::function<Result<void>(Table)>;

  CsvReader(std::size_t block, Take take);
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;
  CsvReader(CsvReader&&) = delete;
  CsvReader& operator=(CsvReader&&) = delete;

  // The next bytes. Errors, all kInvalidArgument with the row: a quote inside a field that is not quoted, a
  // row with another number of fields than the header, two columns of one name, more than kMaxColumns, a
  // field beyond kMaxField, a NUL or bytes that are not UTF-8; what `take` said.
  Result<void> feed(std::string_view bytes);
  // After the last byte: gives what is left. Errors: as above; a quote that is not closed; no header, no row.
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A whole CSV text as one table. Errors: as CsvReader.
Result<Table> read_csv(std::string_view text);

// Appends a field, in quotes where it needs them.
void append_csv(std::string& out, std::string_view field);

}  // namespace bascule::content
