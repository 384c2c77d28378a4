#include "runs/csv_id.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"
#include "content/csv.h"

namespace bascule::runs {

bool has_id(const std::string& header) {
  // The header once more as its own row: the reader wants one.
  const auto table = content::read_csv(header + '\n' + header + '\n');
  return table && std::ranges::find(table->columns, "id") != table->columns.end();
}

Result<CsvWithoutId> without_id(const std::string& header, const std::string& record) {
  BASCULE_ASSIGN(const content::Table table, content::read_csv(header + '\n' + record + '\n'));
  CsvWithoutId out;
  bool first = true;
  for (std::size_t i = 0; i < table.width; ++i) {
    const std::string_view value = table.text_of(table.cells[i]);
    if (table.columns[i] == "id") {
      out.id = text::json_quoted(value);
      continue;
    }
    if (!first) out.record += ',';
    first = false;
    content::append_csv(out.record, value);
  }
  return out;
}

}  // namespace bascule::runs
