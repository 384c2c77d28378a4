#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "content/csv.h"
#include "protocol/json.h"
#include "protocol/rows/rows.h"

namespace bascule::protocol::rows {
namespace {

using content::RowAnswers;
using content::RowFormat;
using content::RowOutput;
using tensor::DataType;

template <class T>
T element(const tensor::Tensor& tensor, std::size_t index) {
  T value{};
  std::memcpy(&value, tensor.bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// A number or a truth, which JSON and CSV write alike but for what is no number.
void append_plain(std::string& out, const tensor::Tensor& tensor, std::size_t i) {
  const auto real = [&](auto value) { append_number(out, value, NonFinite::kNull); };
  switch (tensor.type) {
    case DataType::kBool: out += element<std::uint8_t>(tensor, i) != 0 ? "true" : "false"; break;
    case DataType::kUint8: append_number(out, std::uint64_t{element<std::uint8_t>(tensor, i)}); break;
    case DataType::kUint16: append_number(out, std::uint64_t{element<std::uint16_t>(tensor, i)}); break;
    case DataType::kUint32: append_number(out, std::uint64_t{element<std::uint32_t>(tensor, i)}); break;
    case DataType::kUint64: append_number(out, element<std::uint64_t>(tensor, i)); break;
    case DataType::kInt8: append_number(out, std::int64_t{element<std::int8_t>(tensor, i)}); break;
    case DataType::kInt16: append_number(out, std::int64_t{element<std::int16_t>(tensor, i)}); break;
    case DataType::kInt32: append_number(out, std::int64_t{element<std::int32_t>(tensor, i)}); break;
    case DataType::kInt64: append_number(out, element<std::int64_t>(tensor, i)); break;
    case DataType::kFp16: real(tensor::fp16_to_float(element<std::uint16_t>(tensor, i))); break;
    case DataType::kBf16: real(tensor::bf16_to_float(element<std::uint16_t>(tensor, i))); break;
    case DataType::kFp32: real(element<float>(tensor, i)); break;
    case DataType::kFp64: real(element<double>(tensor, i)); break;
    case DataType::kString: break;
  }
}

void append_json_value(std::string& out, const RowAnswers::Column& column, std::size_t i) {
  if (column.values.type == DataType::kString) {
    text::append_json_quoted(out, column.texts[i]);
  } else {
    append_plain(out, column.values, i);
  }
}

// The name that a number stands for; null where it is to be told as it is.
const std::string* name_of(const RowOutput& output, const RowAnswers::Column& column, std::size_t i) {
  if (output.form != RowOutput::Form::kValue || output.names.empty()) return nullptr;
  const std::int64_t number = column.values.type == DataType::kInt32
                                  ? element<std::int32_t>(column.values, i)
                                  : element<std::int64_t>(column.values, i);
  const bool known = number >= 0 && number < static_cast<std::int64_t>(output.names.size());
  return known ? &output.names[static_cast<std::size_t>(number)] : nullptr;
}

const std::string& class_name(const RowOutput& output, const RowAnswers::Column& column, std::size_t row,
                              std::size_t i) {
  return output.names_tensor.empty() ? output.names[i] : column.name_texts[row * column.width + i];
}

// What an output says of one row, as JSON. `own`: in the model's words, without names that were given to
// them.
void append_json_output(std::string& out, const RowOutput& output, const RowAnswers::Column& column,
                        std::size_t row, bool own) {
  const std::size_t first = row * column.width;
  const bool by_class = output.form == RowOutput::Form::kByClass && (!own || !output.names_tensor.empty());
  if (output.form == RowOutput::Form::kValue) {
    const std::string* const name = own ? nullptr : name_of(output, column, first);
    if (name != nullptr) return text::append_json_quoted(out, *name);
    return append_json_value(out, column, first);
  }
  out += by_class ? '{' : '[';
  for (std::size_t i = 0; i < column.width; ++i) {
    if (i > 0) out += ',';
    if (by_class) {
      text::append_json_quoted(out, class_name(output, column, row, i));
      out += ':';
    }
    append_json_value(out, column, first + i);
  }
  out += by_class ? '}' : ']';
}

// A row of TensorFlow Serving's answer: the value where there is one output, else each by its name.
void append_prediction(std::string& out, const RowFormat& format, const RowAnswers& answers,
                       std::size_t row) {
  if (format.outputs.size() == 1)
    return append_json_output(out, format.outputs[0], answers.columns[0], row, true);
  for (std::size_t i = 0; i < format.outputs.size(); ++i) {
    out += i == 0 ? '{' : ',';
    text::append_json_quoted(out, format.outputs[i].tensor);
    out += ':';
    append_json_output(out, format.outputs[i], answers.columns[i], row, true);
  }
  out += '}';
}

void append_csv_value(std::string& out, const RowAnswers::Column& column, std::size_t i) {
  if (column.values.type == DataType::kString) return content::append_csv(out, column.texts[i]);
  const std::size_t start = out.size();
  append_plain(out, column.values, i);
  if (std::string_view(out).substr(start) == "null") out.resize(start);  // NaN and infinities: nothing
}

// "probabilities.setosa"; "embedding.0".
std::string csv_name(const RowOutput& output, const RowAnswers::Column& column, std::size_t i) {
  if (output.form == RowOutput::Form::kValue) return output.key;
  if (output.form == RowOutput::Form::kByClass) return output.key + "." + class_name(output, column, 0, i);
  return fmt::format("{}.{}", output.key, i);
}

}  // namespace

void append_json_row(std::string& out, const RowFormat& format, const RowAnswers& answers, std::size_t row) {
  for (std::size_t i = 0; i < format.outputs.size(); ++i) {
    out += i == 0 ? '{' : ',';
    text::append_json_quoted(out, format.outputs[i].key);
    out += ':';
    append_json_output(out, format.outputs[i], answers.columns[i], row, false);
  }
  out += '}';
}

void append_json_rows(std::string& out, const RowFormat& format, const RowAnswers& answers) {
  for (std::size_t row = 0; row < answers.rows; ++row) {
    if (row > 0) out += ',';
    append_json_row(out, format, answers, row);
  }
}

void append_csv_header(std::string& out, const RowFormat& format, const RowAnswers& answers) {
  for (std::size_t i = 0; i < format.outputs.size(); ++i) {
    for (std::size_t k = 0; k < answers.columns[i].width; ++k) {
      if (i > 0 || k > 0) out += ',';
      content::append_csv(out, csv_name(format.outputs[i], answers.columns[i], k));
    }
  }
  out += '\n';
}

void append_csv_rows(std::string& out, const RowFormat& format, const RowAnswers& answers) {
  for (std::size_t row = 0; row < answers.rows; ++row) {
    for (std::size_t i = 0; i < format.outputs.size(); ++i) {
      const RowAnswers::Column& column = answers.columns[i];
      for (std::size_t k = 0; k < column.width; ++k) {
        if (i > 0 || k > 0) out += ',';
        const std::string* const name = name_of(format.outputs[i], column, row * column.width + k);
        if (name != nullptr) {
          content::append_csv(out, *name);
        } else {
          append_csv_value(out, column, row * column.width + k);
        }
      }
    }
    out += '\n';
  }
}

std::string example_body(const RowFormat& format) {
  if (format.is_text() && format.columns.size() == 1) return R"({"text":"Hello"})";
  const auto value = [](const content::RowColumn& column) -> std::string_view {
    if (column.type == DataType::kString) return "\"text\"";
    return column.type == DataType::kBool ? "false" : "0";
  };
  std::string out = R"({"rows":[)";
  out += format.named ? '{' : '[';
  for (std::size_t i = 0; i < format.columns.size(); ++i) {
    if (i > 0) out += ',';
    if (format.named) out += text::json_quoted(format.columns[i].name) + ":";
    out += value(format.columns[i]);
  }
  out += format.named ? '}' : ']';
  return out + "]}";
}

Result<ReplyBody> write_rows(const content::InferResponse& response, Style style) {
  if (!response.rows || response.model == nullptr || response.model->rows == nullptr) {
    return internal_error("The answer holds no rows.");
  }
  const RowFormat& format = *response.model->rows;
  const RowAnswers& answers = *response.rows;
  ReplyBody body;
  std::string& out = body.head;
  switch (style) {
    case Style::kCsv:
      append_csv_header(out, format, answers);
      append_csv_rows(out, format, answers);
      break;
    case Style::kRows:
      out += R"({"rows":[)";
      append_json_rows(out, format, answers);
      out += "]}";
      break;
    case Style::kPredictions:
      out += R"({"predictions":[)";
      for (std::size_t row = 0; row < answers.rows; ++row) {
        if (row > 0) out += ',';
        append_prediction(out, format, answers, row);
      }
      out += "]}";
  }
  return body;
}

}  // namespace bascule::protocol::rows
