#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "content/infer.h"
#include "protocol/body.h"

// Tables and sentences over HTTP: JSON rows, CSV, plain text, and TensorFlow Serving's row format
// (tensorflow.org/tfx/serving/api_rest, "predict").
namespace bascule::protocol::rows {

// How the answer is told.
enum class Style : std::uint8_t {
  kRows,         // {"rows":[{"label":…,"probabilities":{…}}]}
  kPredictions,  // {"predictions":[…]}: TensorFlow Serving's, outputs by their own names
  kCsv,
};

struct RowsCall {
  content::InferRequest request;  // without a model
  Style style = Style::kRows;
};

// True where a body of this type, or one that begins so, is no picture but rows.
[[nodiscard]] bool brings_rows(std::string_view content_type, std::string_view body);

// JSON: one of {"rows":[…]}, {"instances":[…]} (with "signature_name"), {"text":"…"} or a list of texts,
// where a row is an object by column names, a list by place, or one value; all rows alike. text/csv,
// text/plain (one sentence). `accept` asks for CSV or JSON; else the answer is told as the question was.
// Errors: kInvalidArgument with the row; kJsonSyntax and the like; kUnsupportedMedia for other types.
Result<RowsCall> parse_rows(const RequestBody& body, std::string_view content_type, std::string_view accept);

// Errors: kInternal where the response carries no rows.
Result<ReplyBody> write_rows(const content::InferResponse& response, Style style);

// The rows alone, for `bascule predict`: objects with commas between them; CSV with or without its header.
void append_json_row(std::string& out, const content::RowFormat& format, const content::RowAnswers& answers,
                     std::size_t row);
void append_json_rows(std::string& out, const content::RowFormat& format, const content::RowAnswers& answers);
void append_csv_header(std::string& out, const content::RowFormat& format,
                       const content::RowAnswers& answers);
void append_csv_rows(std::string& out, const content::RowFormat& format, const content::RowAnswers& answers);

// A body that the model takes, for messages: {"rows":[{"alcohol":0,…}]}, {"text":"Hello"}.
[[nodiscard]] std::string example_body(const content::RowFormat& format);

// Reads the rows of a JSON text as parse_rows does.
Result<content::Table> read_json_rows(std::string_view text);

}  // namespace bascule::protocol::rows
