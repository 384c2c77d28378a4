#include <string>
#include <vector>

#include "content/csv.h"
#include "protocol/rows/rows.h"
#include "runs/facts.h"
#include "runs/json_line.h"
#include "runs/records.h"
#include "targets.h"
#include "tasks/table/rows.h"

namespace bascule::fuzz {
namespace {

// Read at once or piece by piece, the rows are the same, or refused.
bool csv(Bytes bytes) {
  if (bytes.empty()) return false;
  const std::size_t step = std::to_integer<std::size_t>(bytes.front()) % 16 + 1;
  const std::string_view text = text_of(bytes.subspan(1));
  const auto whole = content::read_csv(text);
  if (!whole) check_refusal(whole.error());
  std::size_t rows = 0;
  std::string cells;
  content::CsvReader reader(step, [&](const content::Table& table) -> Result<void> {
    BASCULE_CHECK(table.cells.size() == table.rows() * table.width && table.first_row == rows + 1);
    rows += table.rows();
    cells += table.text;
    return {};
  });
  Result<void> fed;
  for (std::size_t at = 0; fed && at < text.size(); at += step) fed = reader.feed(text.substr(at, step));
  if (fed) fed = reader.finish();
  BASCULE_CHECK(fed.has_value() == whole.has_value());
  if (whole) BASCULE_CHECK(rows == whole->rows() && cells == whole->text);
  return true;
}

bool rows(Bytes bytes) {
  static constexpr std::string_view kTypes[] = {"application/json", "text/csv", "text/plain",
                                                "application/x-www-form-urlencoded"};
  const Choice choice = choose(bytes, std::size(kTypes));
  const std::string_view type = kTypes[choice.which];
  (void)protocol::rows::brings_rows(type, text_of(choice.rest));
  const auto call = protocol::rows::parse_rows({.bytes = choice.rest, .owner = nullptr}, type, {});
  if (!call) {
    check_refusal(call.error());
    return true;
  }
  using tensor::DataType;
  const backend::ModelSpec spec{.inputs = {{.name = "a", .type = DataType::kFp32, .shape = {-1}},
                                           {.name = "b", .type = DataType::kInt16, .shape = {-1, 1}},
                                           {.name = "c", .type = DataType::kString, .shape = {-1}},
                                           {.name = "d", .type = DataType::kBool, .shape = {-1}}},
                                .outputs = {{.name = "y", .type = DataType::kFp32, .shape = {-1}}}};
  const auto format = tasks::table::row_format(spec, {});
  const auto inputs = tasks::table::encode_rows(*format, spec, *call->request.rows);
  if (!inputs) check_refusal(inputs.error());
  if (inputs) BASCULE_CHECK(backend::check_inputs(spec, *inputs).has_value());
  return true;
}

// The records of `text`, read `step` bytes at a time, with their lines; each as an input of a run may be
// looked at.
std::string records(std::string_view text, bool of_csv, std::size_t step) {
  runs::RecordSplitter splitter(of_csv);
  runs::RecordSplitter::Record record;
  std::string out;
  const auto take = [&] {
    while (splitter.next(record)) {
      BASCULE_CHECK(!record.too_long);
      out += std::to_string(record.line) + ':' + record.text + '\x1e';
    }
  };
  for (std::size_t at = 0; at < text.size(); at += step) {
    splitter.feed(text.substr(at, step));
    take();
  }
  splitter.finish();
  take();
  return out;
}

// A run's inputs are the same however they come, and what a line of JSON asks for is JSON itself.
bool lines(Bytes bytes) {
  if (bytes.empty()) return false;
  const std::size_t step = std::to_integer<std::size_t>(bytes.front()) % 16 + 1;
  const std::string_view text = text_of(bytes.subspan(1));
  for (const bool of_csv : {false, true}) {
    BASCULE_CHECK(records(text, of_csv, step) == records(text, of_csv, text.size() + 1));
  }
  for (const bool pictures : {false, true}) {
    const auto line = runs::read_json_line(text, pictures, false);
    if (!line) check_refusal(line.error());
    if (line && !pictures) BASCULE_CHECK(runs::read_json_line(line->row, false, true).has_value());
  }
  (void)runs::picture_facts(text);
  (void)runs::row_values(text);
  return true;
}

constexpr Target kTargets[] = {{"csv", csv, 4096}, {"lines", lines, 4096}, {"rows", rows, 4096}};

}  // namespace

std::span<const Target> table_targets() { return kTargets; }

}  // namespace bascule::fuzz
