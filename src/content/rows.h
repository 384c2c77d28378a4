#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

// Tables and sentences: what goes in as rows of named columns, and what a model answers for each row. A
// sentence is a row of one column.
namespace bascule::content {

// Beyond this many columns a table is refused where it is read.
inline constexpr std::size_t kMaxColumns = 16'384;

// One value as it came, not yet of its column's type. Its text lies in the table's.
struct Cell {
  enum class Kind : std::uint8_t {
    kNull,
    kNumber,  // text: as it was written
    kText,
    kFlag,  // text: true or false
  };
  std::uint32_t at = 0;
  std::uint32_t length = 0;
  Kind kind = Kind::kNull;
};

// Rows as a caller sent them; not trusted, not checked against a model.
// Thread-safety: immutable once filled.
struct Table {
  std::vector<std::string> columns;  // names, each once; empty: cells are meant by their place
  std::size_t width = 0;             // cells of a row
  std::vector<Cell> cells;           // row after row
  std::string text;                  // of all cells
  bool untyped = false;              // every cell came as text, numbers too (CSV)
  std::size_t first_row = 1;         // number of the first row in messages

  [[nodiscard]] std::size_t rows() const { return width == 0 ? 0 : cells.size() / width; }
  [[nodiscard]] std::string_view text_of(const Cell& cell) const {
    return std::string_view(text).substr(cell.at, cell.length);
  }
};

// One column that a model takes.
struct RowColumn {
  std::string name;  // empty where the model names none
  tensor::DataType type = tensor::DataType::kFp32;
};

// What one output of a model says of each row.
struct RowOutput {
  enum class Form : std::uint8_t {
    kValue,    // one value
    kList,     // several, in the model's order
    kByClass,  // one for each class, by the class's name
  };
  std::string key;     // as the answer calls it: "label", "probabilities", "value", or the output's own name
  std::string tensor;  // the output's name
  Form form = Form::kValue;
  // Of kByClass: the classes' names, or the output that names them row by row. Of kValue: what the number 0,
  // 1, … stands for, where it is not to be told as a number.
  std::vector<std::string> names;
  std::string names_tensor;
};

// How rows become a model's inputs, and its outputs what is said of each row.
// Thread-safety: immutable.
struct RowFormat {
  std::vector<RowColumn> columns;
  bool named = false;  // the columns have names; else they are meant by their place
  // One input of [rows, columns]; else each column is an input of its own.
  bool matrix = false;
  std::vector<RowOutput> outputs;

  // Every column is text.
  [[nodiscard]] bool is_text() const {
    for (const RowColumn& column : columns) {
      if (column.type != tensor::DataType::kString) return false;
    }
    return true;
  }
};

// What a model answered for each row: outputs as the format has them, by their place in it.
// Thread-safety: a value.
struct RowAnswers {
  struct Column {
    tensor::Tensor values;                // first dimension: rows
    std::size_t width = 1;                // values of a row
    std::vector<std::string_view> texts;  // of kString values, in their order; views into `values`
    std::vector<std::string> name_texts;  // of `values` in their order, where a names_tensor tells them
  };
  std::size_t rows = 0;
  std::vector<Column> columns;
};

}  // namespace bascule::content
