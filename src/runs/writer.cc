#include "runs/writer.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "runs/append_file.h"
#include "runs/csv_writer.h"
#include "runs/sqlite_writer.h"

namespace bascule::runs {
namespace {

std::string begun_line(const Outcome& outcome) {
  std::string line = "{\"input\":";
  text::append_json_quoted(line, outcome.key);
  if (!outcome.id.empty()) line += ",\"id\":" + outcome.id;
  return line;
}

// Thread-safety: external (one thread).
class JsonLinesWriter final : public Writer {
 public:
  explicit JsonLinesWriter(AppendFile file) : file_(std::move(file)) {}

  Result<void> add(const Outcome& outcome) override { return file_.append(json_line_of(outcome)); }
  Result<void> flush() override { return file_.flush(); }
  Result<void> sync() override { return file_.sync(); }
  [[nodiscard]] std::uint64_t at() const override { return file_.bytes(); }
  Result<void> cut(std::uint64_t at, const std::string& /*columns*/) override { return file_.cut(at); }
  Result<void> finish() override { return file_.flush(); }

 private:
  AppendFile file_;
};

}  // namespace

Result<ResultForm> result_form(const std::filesystem::path& file) {
  const std::string ending = text::to_lower(file.extension().string());
  if (file == "-" || ending == ".jsonl" || ending == ".ndjson") return ResultForm::kJsonLines;
  if (ending == ".csv") return ResultForm::kCsv;
  if (ending == ".sqlite" || ending == ".db") return ResultForm::kSqlite;
  return invalid_argument(fmt::format(
      "--out: '{}' is none of .jsonl, .csv and .sqlite; the ending says in which form the result is written.",
      file.string()));
}

std::string json_line_of(const Outcome& outcome) {
  std::string line = begun_line(outcome);
  if (!outcome.answer.empty()) line += ',' + outcome.answer;
  return line + "}\n";
}

std::string error_members_of(const Outcome& outcome) {
  return fmt::format(R"("error":{},"code":"{}")", text::json_quoted(outcome.error.message),
                     to_string(outcome.error.code));
}

std::string error_line_of(const Outcome& outcome) {
  return begun_line(outcome) + ',' + error_members_of(outcome) + "}\n";
}

Result<std::unique_ptr<Writer>> open_writer(const std::filesystem::path& file, ResultForm form,
                                            bool pictures) {
  if (form == ResultForm::kSqlite) return open_sqlite_writer(file);
  BASCULE_ASSIGN(AppendFile opened, AppendFile::open(file));
  if (form == ResultForm::kCsv) return open_csv_writer(std::move(opened), pictures);
  return Result<std::unique_ptr<Writer>>(std::make_unique<JsonLinesWriter>(std::move(opened)));
}

}  // namespace bascule::runs
