#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "content/csv.h"
#include "protocol/json_reader.h"
#include "protocol/rows/rows.h"

namespace bascule::protocol::rows {
namespace {

using content::Cell;
using content::Table;
using Kind = JsonReader::Kind;

constexpr std::string_view kWhat = "the request body";

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kObject: return "an object";
    case Kind::kArray: return "a list";
    case Kind::kString: return "text";
    case Kind::kNumber: return "a number";
    case Kind::kBool: return "true or false";
    case Kind::kNull: return "null";
  }
  return "a value";
}

// Collects the rows of one list. All are of the first one's form.
class RowReader {
 public:
  explicit RowReader(JsonReader& json) : json_(json) {}

  // Precondition: a value comes next.
  bool read_list() {
    bool more = false;
    if (!json_.begin_array()) return false;
    while (json_.next_element(more) && more) {
      if (!read_row()) return false;
      ++row_;
    }
    return !json_.failed();
  }

  // One value that is a row by itself.
  bool read_lone() { return read_row(); }

  [[nodiscard]] Table take() { return std::move(table_); }

 private:
  bool fail(std::string what) {
    return json_.fail(invalid_argument(fmt::format("Row {}{}", row_ + 1, what)));
  }

  bool read_row() {
    Kind kind{};
    if (!json_.peek(kind)) return false;
    const Kind form = kind == Kind::kObject || kind == Kind::kArray ? kind : Kind::kString;
    if (row_ == 0) form_ = form;
    if (form != form_) {
      return fail(fmt::format(" is {}, and the first is {}; send all rows in one form.", kind_name(kind),
                              form_ == Kind::kString ? "a single value" : kind_name(form_)));
    }
    if (form == Kind::kObject) return read_object();
    if (form == Kind::kArray) return read_array();
    return read_cell(1) && end_row(1);
  }

  bool read_object() {
    const std::size_t start = table_.cells.size();
    if (row_ > 0) {
      table_.cells.resize(start + table_.width);
      seen_.assign(table_.width, false);
    }
    bool more = false;
    std::size_t expected = 0;  // members mostly come in one order
    std::size_t count = 0;
    if (!json_.begin_object()) return false;
    while (json_.next_member(more) && more) {
      ++count;
      if (row_ == 0) {
        if (!add_column(json_.key()) || !read_cell(count)) return false;
        continue;
      }
      const auto column = find_column(json_.key(), expected);
      if (!column) {
        return fail(fmt::format(" has a column '{}', which the first row has not.",
                                text::escape_controls(text::shortened(json_.key()))));
      }
      if (seen_[*column]) return twice(json_.key());
      seen_[*column] = true;
      expected = *column + 1;
      if (!read_value(table_.cells[start + *column], *column + 1)) return false;
    }
    if (json_.failed()) return false;
    if (row_ == 0) table_.width = count;
    if (count == table_.width) return table_.width > 0 || fail(" is empty.");
    const auto missing = std::ranges::find(seen_, false) - seen_.begin();
    return fail(fmt::format(
        ": column '{}' is missing, which the first row has.",
        text::escape_controls(text::shortened(table_.columns[static_cast<std::size_t>(missing)]))));
  }

  bool twice(std::string_view name) {
    return fail(fmt::format(" has column '{}' twice.", text::escape_controls(text::shortened(name))));
  }

  bool add_column(std::string_view name) {
    if (table_.columns.size() == content::kMaxColumns) {
      return fail(fmt::format(" has more than {} columns.", content::kMaxColumns));
    }
    if (!places_.emplace(name, table_.columns.size()).second) return twice(name);
    table_.columns.emplace_back(name);
    return true;
  }

  [[nodiscard]] std::optional<std::size_t> find_column(std::string_view name, std::size_t expected) const {
    if (expected < table_.width && table_.columns[expected] == name) return expected;
    const auto found = places_.find(std::string(name));
    return found != places_.end() ? std::optional(found->second) : std::nullopt;
  }

  bool read_array() {
    bool more = false;
    std::size_t count = 0;
    if (!json_.begin_array()) return false;
    while (json_.next_element(more) && more) {
      if (++count > content::kMaxColumns)
        return fail(fmt::format(" has more than {} values.", content::kMaxColumns));
      if (!read_cell(count)) return false;
    }
    if (json_.failed()) return false;
    if (count == 0) return fail(" is empty.");
    return end_row(count);
  }

  bool end_row(std::size_t count) {
    if (row_ == 0) table_.width = count;
    if (count == table_.width) return true;
    return fail(fmt::format(" has {} values, and the first has {}.", count, table_.width));
  }

  bool read_cell(std::size_t column) {
    Cell cell;
    if (!read_value(cell, column)) return false;
    table_.cells.push_back(cell);
    return true;
  }

  bool read_value(Cell& cell, std::size_t column) {
    Kind kind{};
    if (!json_.peek(kind)) return false;
    std::string_view value;
    switch (kind) {
      case Kind::kNumber: {
        bool integer = false;
        if (!json_.read_number(value, integer)) return false;
        return keep(cell, Cell::Kind::kNumber, value);
      }
      case Kind::kString:
        if (!json_.read_string(value)) return false;
        return keep(cell, Cell::Kind::kText, value);
      case Kind::kBool: {
        bool flag = false;
        if (!json_.read_bool(flag)) return false;
        return keep(cell, Cell::Kind::kFlag, flag ? "true" : "false");
      }
      case Kind::kNull: return json_.skip_value();
      case Kind::kObject:
      case Kind::kArray: break;
    }
    return fail(
        fmt::format(", column {} is {}; a number, a text, true, false or null was expected.",
                    table_.columns.empty()
                        ? std::to_string(column)
                        : "'" + text::escape_controls(text::shortened(table_.columns[column - 1])) + "'",
                    kind_name(kind)));
  }

  bool keep(Cell& cell, Cell::Kind kind, std::string_view value) {
    if (table_.text.size() + value.size() > std::numeric_limits<std::uint32_t>::max()) {
      return fail(" is beyond the 4 GiB of text that one request may hold; split it.");
    }
    cell = {.at = static_cast<std::uint32_t>(table_.text.size()),
            .length = static_cast<std::uint32_t>(value.size()),
            .kind = kind};
    table_.text += value;
    return true;
  }

  JsonReader& json_;
  Table table_;
  std::size_t row_ = 0;
  Kind form_ = Kind::kNull;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<bool> seen_;
};

// What a JSON body says.
struct Said {
  std::optional<Table> rows;
  std::string member;  // that held them
};

Error unknown_member(std::string_view key) {
  return invalid_argument(
      fmt::format("Unknown member '{}'; send {{\"rows\":[…]}}, {{\"text\":\"…\"}}, or "
                  "{{\"instances\":[…]}} as TensorFlow Serving has it.",
                  text::escape_controls(text::shortened(key, 40))));
}

bool is_rows_member(std::string_view key) { return key == "rows" || key == "instances" || key == "text"; }

bool read_member(JsonReader& json, Said& said) {
  const std::string key(json.key());
  if (key == "signature_name") return json.skip_value();
  if (!is_rows_member(key)) return json.fail(unknown_member(key));
  if (said.rows) {
    return json.fail(
        invalid_argument(fmt::format("There are '{}' and '{}'; send one of them.", said.member, key)));
  }
  Kind kind{};
  if (!json.peek(kind)) return false;
  RowReader rows(json);
  if (kind == Kind::kArray) {
    if (!rows.read_list()) return false;
  } else if (key == "text" && kind == Kind::kString) {
    if (!rows.read_lone()) return false;
  } else {
    return json.fail(invalid_argument(fmt::format(
        "'{}' is {}; a list was expected, with one element for each row.", key, kind_name(kind))));
  }
  said.rows = rows.take();
  said.member = key;
  return true;
}

Result<Said> read_json(std::string_view body) {
  BASCULE_TRY(check_utf8(body, kWhat));
  JsonReader json(body, kWhat);
  Said said;
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    if (!read_member(json, said)) return json.error();
  }
  if (json.failed() || !json.finish()) return json.error();
  if (!said.rows) return invalid_argument("The body has no rows; send {\"rows\":[…]} or {\"text\":\"…\"}.");
  if (said.rows->rows() == 0)
    return invalid_argument(fmt::format("'{}' is empty; send at least one row.", said.member));
  return said;
}

Result<Table> read_sentence(std::string_view body) {
  BASCULE_TRY(check_utf8(body, kWhat));
  if (body.size() > std::numeric_limits<std::uint32_t>::max()) {
    return Error{.code = Code::kPayloadTooLarge, .message = "A text may have up to 4 GiB."};
  }
  Table table;
  table.width = 1;
  table.text = body;
  table.cells.push_back({.length = static_cast<std::uint32_t>(body.size()), .kind = Cell::Kind::kText});
  return table;
}

std::string_view media_type(std::string_view content_type) {
  return text::trimmed(content_type.substr(0, content_type.find(';')));
}

bool begins_as_object(std::string_view body) {
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] == '{';
}

bool is_json(std::string_view type, std::string_view body) {
  if (text::equals_ignoring_case(type, "application/json")) return true;
  // What curl -d says where no one says otherwise.
  return text::equals_ignoring_case(type, "application/x-www-form-urlencoded") && begins_as_object(body);
}

}  // namespace

bool brings_rows(std::string_view content_type, std::string_view body) {
  const std::string_view type = media_type(content_type);
  if (text::equals_ignoring_case(type, "text/csv") || text::equals_ignoring_case(type, "text/plain"))
    return true;
  if (!is_json(type, body)) return false;
  // A picture within JSON stands in a member of its own.
  JsonReader json(body, kWhat);
  bool more = false;
  if (!json.begin_object()) return true;
  while (json.next_member(more) && more) {
    const std::string_view key = json.key();
    if (is_rows_member(key)) return true;
    if (key == "source" || key == "image" || key == "file" || key == "url") return false;
    if (!json.skip_value()) return true;
  }
  return true;
}

Result<Table> read_json_rows(std::string_view text) {
  BASCULE_ASSIGN(Said said, read_json(text));
  return *std::move(said.rows);
}

Result<RowsCall> parse_rows(const RequestBody& body, std::string_view content_type, std::string_view accept) {
  const std::string_view bytes(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  const std::string_view type = media_type(content_type);
  RowsCall call;
  if (text::equals_ignoring_case(type, "text/csv")) {
    BASCULE_ASSIGN(call.request.rows, content::read_csv(bytes));
    call.style = Style::kCsv;
  } else if (text::equals_ignoring_case(type, "text/plain")) {
    BASCULE_ASSIGN(call.request.rows, read_sentence(bytes));
  } else if (is_json(type, bytes)) {
    BASCULE_ASSIGN(Said said, read_json(bytes));
    if (said.member == "instances") call.style = Style::kPredictions;
    call.request.rows = *std::move(said.rows);
  } else {
    return Error{
        .code = Code::kUnsupported,
        .message = fmt::format("Content-Type '{}' holds no rows that can be read; send application/json, "
                               "text/csv or text/plain.",
                               text::escape_controls(text::shortened(type, 60))),
        .reason = Reason::kUnsupportedMedia};
  }
  if (call.style != Style::kPredictions) {
    if (accept.find("text/csv") != std::string_view::npos) {
      call.style = Style::kCsv;
    } else if (accept.find("application/json") != std::string_view::npos) {
      call.style = Style::kRows;
    }
  }
  return call;
}

}  // namespace bascule::protocol::rows
