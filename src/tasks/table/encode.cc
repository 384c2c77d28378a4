#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/table/rows.h"

namespace bascule::tasks::table {
namespace {

using content::Cell;
using content::Table;
using tensor::DataType;

constexpr std::size_t kShownNames = 20;

std::string quoted_name(std::string_view name) {
  return fmt::format("'{}'", text::escape_controls(text::shortened(name)));
}

// "alcohol, malic_acid and 11 more".
std::string listed(const content::RowFormat& format) {
  std::string out;
  const std::size_t shown = std::min(format.columns.size(), kShownNames);
  for (std::size_t i = 0; i < shown; ++i) {
    out += (i == 0 ? "" : ", ") + text::escape_controls(text::shortened(format.columns[i].name));
  }
  if (shown < format.columns.size()) out += fmt::format(" and {} more", format.columns.size() - shown);
  return out;
}

// Which of the table's columns is each of the model's.
Result<std::vector<std::size_t>> match_columns(const content::RowFormat& format, const Table& table) {
  std::vector<std::size_t> out(format.columns.size());
  const bool by_name = format.named && !table.columns.empty();
  if (!by_name) {
    if (table.width != format.columns.size()) {
      return invalid_argument(
          fmt::format(
              "Row {} has {} {}; the model takes {}{}.", table.first_row, table.width,
              table.width == 1 ? "value" : "values", format.columns.size(),
              format.named ? fmt::format(" columns: {}", listed(format)) : std::string(" in its own order")),
          Reason::kShapeMismatch);
    }
    if (!format.named && !table.columns.empty() && !table.untyped) {
      return invalid_argument(fmt::format(
          "The rows name their columns, the model does not: name its {} columns in its model.yaml "
          "(columns: [{}, …]), or send each row as a list in the model's order.",
          format.columns.size(), text::escape_controls(text::shortened(table.columns.front()))));
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = i;
    return out;
  }
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < table.columns.size(); ++i) places.emplace(table.columns[i], i);
  for (std::size_t i = 0; i < format.columns.size(); ++i) {
    const auto found = places.find(format.columns[i].name);
    if (found == places.end()) {
      return invalid_argument(
          fmt::format("Row {}: column {} is missing; the model takes {}.", table.first_row,
                      quoted_name(format.columns[i].name), listed(format)),
          Reason::kMissingInput);
    }
    out[i] = found->second;
    places.erase(found);
  }
  if (!places.empty()) {
    const std::string& extra =
        table.columns[std::ranges::min_element(places, {}, [](const auto& p) { return p.second; })->second];
    return invalid_argument(fmt::format("Row {}: column {} is none of the model's; it takes {}.",
                                        table.first_row, quoted_name(extra), listed(format)),
                            Reason::kUnknownInput);
  }
  return out;
}

// A cell of a column, and how to say where it stands.
struct Place {
  const content::RowFormat& format;
  const Table& table;
  std::size_t row;
  std::size_t column;  // the model's

  [[nodiscard]] Error wrong(const Cell& cell, std::string_view wanted) const {
    const std::string name =
        format.named ? quoted_name(format.columns[column].name) : std::to_string(column + 1);
    const std::string_view value = table.text_of(cell);
    std::string is;
    if (cell.kind == Cell::Kind::kNull) {
      is = "is null";
    } else if (table.untyped && value.empty()) {
      is = "is empty";
    } else {
      const std::string shown = text::escape_controls(text::shortened(value, 40));
      is = cell.kind == Cell::Kind::kText ? fmt::format("is '{}'", shown) : fmt::format("is {}", shown);
    }
    return invalid_argument(
        fmt::format("Row {}, column {} {}; {} was expected.", table.first_row + row, name, is, wanted),
        Reason::kDatatypeMismatch);
  }
};

std::string_view trimmed_number(std::string_view text) {
  text = text::trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  return text;
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  // "3.0" and "1e3" are whole numbers, too, as far as a double tells.
  const auto real = text::parse_double(text);
  if (error == std::errc::result_out_of_range || !real || std::floor(*real) != *real) return std::nullopt;
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::abs(*real) > kExact || *real < static_cast<double>(std::numeric_limits<T>::min()) ||
      *real > static_cast<double>(std::numeric_limits<T>::max())) {
    return std::nullopt;
  }
  return static_cast<T>(*real);
}

std::optional<double> real_number(std::string_view text) {
  if (const auto value = text::parse_double(text)) return value;
  const std::string word = text::to_lower(text);
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (word == "inf" || word == "infinity") return std::numeric_limits<double>::infinity();
  if (word == "-inf" || word == "-infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

std::optional<bool> truth(const Cell& cell, std::string_view text, bool untyped) {
  if (cell.kind == Cell::Kind::kFlag) return text == "true";
  if (!untyped) return std::nullopt;
  const std::string word = text::to_lower(text::trimmed(text));
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0") return false;
  return std::nullopt;
}

bool may_be_number(const Cell& cell, bool untyped) {
  return cell.kind == Cell::Kind::kNumber || (untyped && cell.kind == Cell::Kind::kText);
}

template <class T>
Result<T> read_whole(const Cell& cell, const Place& place) {
  if (may_be_number(cell, place.table.untyped)) {
    if (const auto value = whole_number<T>(trimmed_number(place.table.text_of(cell)))) return *value;
  }
  return place.wrong(cell, fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(),
                                       std::numeric_limits<T>::max()));
}

// A table of text knows NaN; JSON does not.
Result<double> read_real(const Cell& cell, const Place& place) {
  if (may_be_number(cell, place.table.untyped)) {
    const std::string_view number = trimmed_number(place.table.text_of(cell));
    const auto value = place.table.untyped ? real_number(number) : text::parse_double(number);
    if (value) return *value;
  }
  return place.wrong(cell, "a number");
}

Result<std::uint8_t> read_flag(const Cell& cell, const Place& place) {
  const auto value = truth(cell, place.table.text_of(cell), place.table.untyped);
  if (value) return std::uint8_t{*value};
  return place.wrong(cell, "true or false");
}

Result<float> read_float(const Cell& cell, const Place& place) {
  BASCULE_ASSIGN(const double value, read_real(cell, place));
  if (std::isfinite(value) && std::abs(value) > static_cast<double>(std::numeric_limits<float>::max())) {
    return place.wrong(cell, "a number that FP32 can hold");
  }
  return static_cast<float>(value);
}

// Where a column's values go: every `stride`-th of a tensor from `first` on.
struct Target {
  tensor::MutableTensor& tensor;
  std::size_t first;
  std::size_t stride;
};

template <class T, class Read>
Result<void> fill(const Target& target, const Place& column, std::size_t from, const Read& read) {
  const std::span<T> values = target.tensor.elements<T>();
  Place place = column;
  for (place.row = 0; place.row < column.table.rows(); ++place.row) {
    const Cell& cell = column.table.cells[place.row * column.table.width + from];
    BASCULE_ASSIGN(values[target.first + place.row * target.stride], read(cell, place));
  }
  return {};
}

Result<void> fill_column(const Target& target, const Place& place, std::size_t from) {
  switch (target.tensor.tensor.type) {
    case DataType::kBool: return fill<std::uint8_t>(target, place, from, read_flag);
    case DataType::kUint8: return fill<std::uint8_t>(target, place, from, read_whole<std::uint8_t>);
    case DataType::kUint16: return fill<std::uint16_t>(target, place, from, read_whole<std::uint16_t>);
    case DataType::kUint32: return fill<std::uint32_t>(target, place, from, read_whole<std::uint32_t>);
    case DataType::kUint64: return fill<std::uint64_t>(target, place, from, read_whole<std::uint64_t>);
    case DataType::kInt8: return fill<std::int8_t>(target, place, from, read_whole<std::int8_t>);
    case DataType::kInt16: return fill<std::int16_t>(target, place, from, read_whole<std::int16_t>);
    case DataType::kInt32: return fill<std::int32_t>(target, place, from, read_whole<std::int32_t>);
    case DataType::kInt64: return fill<std::int64_t>(target, place, from, read_whole<std::int64_t>);
    case DataType::kFp32: return fill<float>(target, place, from, read_float);
    case DataType::kFp64: return fill<double>(target, place, from, read_real);
    case DataType::kFp16:
      return fill<std::uint16_t>(target, place, from,
                                 [](const Cell& cell, const Place& at) -> Result<std::uint16_t> {
                                   BASCULE_ASSIGN(const float value, read_float(cell, at));
                                   return tensor::float_to_fp16(value);
                                 });
    case DataType::kBf16:
      return fill<std::uint16_t>(target, place, from,
                                 [](const Cell& cell, const Place& at) -> Result<std::uint16_t> {
                                   BASCULE_ASSIGN(const float value, read_float(cell, at));
                                   return tensor::float_to_bf16(value);
                                 });
    case DataType::kString: break;
  }
  return internal_error("Text is no column of numbers.");
}

// Of `count` columns from the model's `first` on, row after row.
Result<tensor::Tensor> encode_text(const content::RowFormat& format, const Table& table,
                                   std::span<const std::size_t> from, std::size_t first,
                                   tensor::Shape shape) {
  std::vector<std::string_view> values;
  values.reserve(table.rows() * from.size());
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      const Cell& cell = table.cells[row * table.width + from[i]];
      if (cell.kind != Cell::Kind::kText) {
        return Place{.format = format, .table = table, .row = row, .column = first + i}.wrong(cell, "text");
      }
      values.push_back(table.text_of(cell));
    }
  }
  return tensor::make_string_tensor(std::move(shape), values);
}

Result<tensor::Tensor> encode_columns(const content::RowFormat& format, const Table& table,
                                      std::span<const std::size_t> from, std::size_t first,
                                      tensor::Shape shape) {
  const DataType type = format.columns[first].type;
  if (type == DataType::kString) return encode_text(format, table, from, first, std::move(shape));
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(type, std::move(shape)));
  for (std::size_t i = 0; i < from.size(); ++i) {
    BASCULE_TRY(fill_column({.tensor = out, .first = i, .stride = from.size()},
                            {.format = format, .table = table, .row = 0, .column = first + i}, from[i]));
  }
  return std::move(out.tensor);
}

}  // namespace

Result<std::vector<tensor::NamedTensor>> encode_rows(const content::RowFormat& format,
                                                     const backend::ModelSpec& spec, const Table& table) {
  if (table.rows() == 0) return invalid_argument("There are no rows; send at least one.");
  BASCULE_ASSIGN(const std::vector<std::size_t> from, match_columns(format, table));
  const auto rows = static_cast<std::int64_t>(table.rows());
  std::vector<tensor::NamedTensor> out;
  std::size_t column = 0;
  for (const tensor::TensorSpec& input : spec.inputs) {
    if (input.optional) continue;
    const std::size_t count = format.matrix ? format.columns.size() : 1;
    tensor::Shape shape = {rows};
    if (input.shape.size() == 2) shape.push_back(static_cast<std::int64_t>(count));
    BASCULE_ASSIGN(
        tensor::Tensor tensor,
        encode_columns(format, table, std::span(from).subspan(column, count), column, std::move(shape)));
    out.push_back({.name = input.name, .tensor = std::move(tensor)});
    column += count;
  }
  return out;
}

}  // namespace bascule::tasks::table
