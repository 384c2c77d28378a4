#include "runs/csv_writer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "content/csv.h"
#include "runs/facts.h"

namespace bascule::runs {
namespace {

constexpr std::string_view kPictureColumns = "input,id,width,height,objects,label,confidence,results";

// An id as JSON has it: a text without its quotes where that needs no more reading.
std::string plain_id(const std::string& id) {
  if (id.size() < 2 || id.front() != '"' || id.find('\\') != std::string::npos) return id;
  return id.substr(1, id.size() - 2);
}

// Thread-safety: external (one thread).
class CsvWriter final : public Writer {
 public:
  CsvWriter(AppendFile file, bool pictures) : file_(std::move(file)), pictures_(pictures) {}

  Result<void> add(const Outcome& outcome) override {
    std::string line;
    content::append_csv(line, outcome.key);
    line += ',';
    content::append_csv(line, plain_id(outcome.id));
    BASCULE_TRY(pictures_ ? add_picture(outcome, line) : add_row(outcome, line));
    line += '\n';
    return file_.append(line);
  }
  Result<void> flush() override { return file_.flush(); }
  Result<void> sync() override { return file_.sync(); }
  [[nodiscard]] std::uint64_t at() const override { return file_.bytes(); }
  Result<void> cut(std::uint64_t at, const std::string& columns) override {
    if (!columns.empty()) BASCULE_TRY(take_header(columns));
    return file_.cut(at);
  }
  [[nodiscard]] std::string columns() const override { return header_; }
  Result<void> finish() override { return file_.flush(); }

 private:
  Result<void> begin(std::string header) {
    header_ = std::move(header);
    return file_.append(header_ + '\n');
  }

  Result<void> take_header(const std::string& header) {
    header_ = header;
    if (pictures_) return {};
    // A table of one row that says the names once more, so that the reader of CSV takes the header apart.
    BASCULE_ASSIGN(const content::Table table, content::read_csv(header + '\n' + header + '\n'));
    names_.assign(table.columns.begin() + 2, table.columns.end());
    return {};
  }

  Result<void> add_picture(const Outcome& outcome, std::string& line) {
    if (header_.empty()) BASCULE_TRY(begin(std::string(kPictureColumns)));
    BASCULE_ASSIGN(const PictureFacts facts, picture_facts(outcome.answer));
    const auto best = std::ranges::max_element(facts.objects, {}, &Fact::confidence);
    line += fmt::format(",{},{},{},", facts.width, facts.height, facts.objects.size());
    if (best != facts.objects.end()) {
      content::append_csv(line, best->name);
      line += best->confidence < 0 ? "," : fmt::format(",{}", best->confidence);
    } else {
      line += ',';
    }
    line += ',';
    content::append_csv(line, facts.results);
    return {};
  }

  Result<void> add_row(const Outcome& outcome, std::string& line) {
    BASCULE_ASSIGN(const Values values, row_values(outcome.answer));
    if (header_.empty()) {
      std::string header = "input,id";
      for (const auto& [name, value] : values) {
        header += ',';
        content::append_csv(header, name);
        names_.push_back(name);
      }
      BASCULE_TRY(begin(std::move(header)));
    }
    std::size_t next = 0;  // values come in the header's order
    for (const std::string& name : names_) {
      line += ',';
      if (next < values.size() && values[next].first == name)
        content::append_csv(line, values[next++].second);
    }
    if (next == values.size()) return {};
    return internal_error(
        fmt::format("The answer says '{}', which is none of the table's columns in their order. "
                    "Write the result as .jsonl.",
                    text::escape_controls(text::shortened(values[next].first))));
  }

  AppendFile file_;
  const bool pictures_;
  std::string header_;              // empty until the first answer
  std::vector<std::string> names_;  // of rows, behind input and id
};

}  // namespace

Result<std::unique_ptr<Writer>> open_csv_writer(AppendFile file, bool pictures) {
  return Result<std::unique_ptr<Writer>>(std::make_unique<CsvWriter>(std::move(file), pictures));
}

}  // namespace bascule::runs
