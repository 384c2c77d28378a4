#include "content/csv.h"

#include <csv.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace bascule::content {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kPiece = std::size_t{1} << 16U;  // bytes
constexpr std::size_t kMaxText =
    std::numeric_limits<std::uint32_t>::max();  // of a table: what a cell can say

int no_space(unsigned char /*c*/) { return 0; }  // RFC 4180: spaces are part of a field

}  // namespace

struct CsvReader::State {
  State(std::size_t rows_of_block, Take taker) : block(rows_of_block), take(std::move(taker)) {
    BASCULE_CHECK(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
    csv_set_space_func(&parser, no_space);
    csv_set_blk_size(&parser, 4096);
    table.untyped = true;
  }
  ~State() { csv_free(&parser); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;

  static void on_field(void* value, std::size_t size, void* self) {
    static_cast<State*>(self)->field({static_cast<const char*>(value), size});
  }
  static void on_row(int /*end*/, void* self) { static_cast<State*>(self)->end_row(); }

  void fail(Error why) {
    if (!error) error = std::move(why);
  }

  // "The header" or "Row 3".
  [[nodiscard]] std::string place() const {
    return table.columns.empty() ? std::string("The header") : fmt::format("Row {}", table.first_row + rows);
  }

  void field(std::string_view value) {
    if (error) return;
    if (value.size() > kMaxField) return fail(too_long());
    if (value.find('\0') != std::string_view::npos) {
      return fail(
          invalid_argument(fmt::format("{}, field {} holds a NUL byte; CSV is text.", place(), fields + 1)));
    }
    if (!text::is_utf8(value)) {
      return fail(
          invalid_argument(fmt::format("{}, field {} is not UTF-8: '{}'. Save the file as UTF-8.", place(),
                                       fields + 1, text::escape_controls(text::shortened(value)))));
    }
    ++fields;
    if (table.columns.empty()) return header_field(value);
    if (fields > table.width) return;  // told at the row's end, with their number
    if (table.text.size() + value.size() > kMaxText) {
      return fail({.code = Code::kPayloadTooLarge,
                   .message = fmt::format("The table holds more than {} bytes; split it.", kMaxText)});
    }
    table.cells.push_back({.at = static_cast<std::uint32_t>(table.text.size()),
                           .length = static_cast<std::uint32_t>(value.size()),
                           .kind = Cell::Kind::kText});
    table.text += value;
  }

  void header_field(std::string_view value) {
    if (header.size() == kMaxColumns) {
      return fail(invalid_argument(fmt::format("The header names more than {} columns.", kMaxColumns)));
    }
    if (!names.emplace(value).second) {
      return fail(invalid_argument(
          fmt::format("The header names column '{}' twice.", text::escape_controls(text::shortened(value)))));
    }
    header.emplace_back(value);
  }

  void end_row() {
    if (error) return;
    if (table.columns.empty()) {
      table.columns = header;
      table.width = header.size();
    } else if (fields != table.width) {
      return fail(invalid_argument(
          fmt::format("{} has {} fields; the header names {} columns.", place(), fields, table.width)));
    } else if (++rows == block) {
      flush();
    }
    fields = 0;
  }

  void flush() {
    Table next;
    next.columns = table.columns;
    next.width = table.width;
    next.untyped = true;
    next.first_row = table.first_row + rows;
    any_rows = any_rows || rows > 0;
    rows = 0;
    if (auto taken = take(std::exchange(table, std::move(next))); !taken) fail(std::move(taken).error());
  }

  [[nodiscard]] Error too_long() const {
    return invalid_argument(
        fmt::format("{}, field {} is longer than {} bytes.", place(), fields + 1, kMaxField));
  }

  // What the parser itself refused.
  [[nodiscard]] Error refused(bool at_end) const {
    if (at_end) {
      return invalid_argument(
          fmt::format("{}, field {} opens a quote that is never closed.", place(), fields + 1));
    }
    return invalid_argument(
        fmt::format("{}, field {} has a quote in a place where RFC 4180 allows none; put the field in quotes "
                    "and write the quotes within it twice.",
                    place(), fields + 1));
  }

  csv_parser parser{};
  const std::size_t block;
  const Take take;
  bool begun = false;
  std::string front;  // the first bytes, until they are enough to tell a byte order mark
  Table table;
  std::vector<std::string> header;
  std::unordered_set<std::string> names;
  std::size_t rows = 0;    // of `table`
  std::size_t fields = 0;  // of the row that is read
  bool any_rows = false;
  std::optional<Error> error;
};

CsvReader::CsvReader(std::size_t block, Take take)
    : state_(std::make_unique<State>(std::max<std::size_t>(block, 1), std::move(take))) {}

CsvReader::~CsvReader() = default;

Result<void> CsvReader::feed(std::string_view bytes) {
  State& state = *state_;
  if (!state.begun) {
    state.front += bytes;
    if (state.front.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(state.front)) return {};
    state.begun = true;
    const std::string front = std::exchange(state.front, {});
    const std::string_view rest(front);
    return feed(rest.starts_with(kByteOrderMark) ? rest.substr(kByteOrderMark.size()) : rest);
  }
  // In pieces, so that a field that never ends is seen before it fills the memory.
  while (!bytes.empty() && !state.error) {
    const std::string_view piece = bytes.substr(0, kPiece);
    const std::size_t read =
        csv_parse(&state.parser, piece.data(), piece.size(), State::on_field, State::on_row, &state);
    if (read != piece.size()) state.fail(state.refused(false));
    if (state.parser.entry_pos > kMaxField) state.fail(state.too_long());
    bytes.remove_prefix(piece.size());
  }
  if (state.error) return *state.error;
  return {};
}

Result<void> CsvReader::finish() {
  State& state = *state_;
  if (!state.begun) {
    state.begun = true;
    BASCULE_TRY(feed(std::exchange(state.front, {})));
  }
  const bool closed = csv_fini(&state.parser, State::on_field, State::on_row, &state) == 0;
  if (!state.error && !closed) state.fail(state.refused(true));
  if (!state.error && state.table.columns.empty()) {
    state.fail(invalid_argument("The CSV is empty; send a header row and at least one row of values."));
  }
  if (!state.error && state.rows > 0) state.flush();
  if (!state.error && !state.any_rows) {
    state.fail(invalid_argument("The CSV has a header and no row; send at least one row of values."));
  }
  if (state.error) return *state.error;
  return {};
}

Result<Table> read_csv(std::string_view text) {
  std::optional<Table> whole;
  CsvReader reader(std::numeric_limits<std::size_t>::max(), [&](Table table) -> Result<void> {
    whole = std::move(table);
    return {};
  });
  BASCULE_TRY(reader.feed(text));
  BASCULE_TRY(reader.finish());
  return *std::move(whole);
}

void append_csv(std::string& out, std::string_view field) {
  if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += field;
    return;
  }
  const std::size_t at = out.size();
  out.resize(at + 2 * field.size() + 2);
  out.resize(at + csv_write(out.data() + at, out.size() - at, field.data(), field.size()));
}

}  // namespace bascule::content
