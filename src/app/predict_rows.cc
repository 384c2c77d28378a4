#include "app/predict_rows.h"

#include <cstdio>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "app/commands.h"
#include "base/file.h"
#include "base/text.h"
#include "content/csv.h"
#include "protocol/rows/rows.h"

namespace bascule::app {
namespace {

namespace rows = protocol::rows;

constexpr std::size_t kBlock = 1000;                  // rows
constexpr std::size_t kRead = std::size_t{1} << 16U;  // bytes
constexpr std::uint64_t kMaxJsonBytes = 1ULL << 30U;

enum class Form { kCsv, kJson, kText, kUnknown };

Form form_of(const std::string& file) {
  const std::string ending = text::to_lower(std::filesystem::path(file).extension().string());
  if (ending == ".csv") return Form::kCsv;
  if (ending == ".json") return Form::kJson;
  return ending == ".txt" ? Form::kText : Form::kUnknown;
}

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, Close>;

// Sends blocks of rows in, and prints what comes back in their order.
class RowsPrinter {
 public:
  RowsPrinter(serving::InferenceService& service, const content::ModelInfo& model, const RowsRun& run)
      : service_(service), model_(model), run_(run) {
    if (run_.json) fmt::print("{{\"rows\":[");
  }

  Result<void> take(content::Table table) {
    auto promise = std::make_shared<std::promise<Answer>>();
    waiting_.push_back(promise->get_future());
    content::InferRequest request;
    request.dialect = "cli";
    request.rows = std::move(table);
    service_.infer(std::move(request), [promise](Answer answer, bool last) {
      if (last) promise->set_value(std::move(answer));
    });
    return waiting_.size() > run_.width ? print_first() : Result<void>{};
  }

  // Answers what still waits.
  Result<void> drain() {
    while (!waiting_.empty()) BASCULE_TRY(print_first());
    return {};
  }

  void end() {
    waiting_.clear();
    if (run_.json) fmt::print("{}]}}\n", begun_ ? "\n" : "");
  }

 private:
  using Answer = Result<content::InferResponse>;

  Result<void> print_first() {
    Answer answer = waiting_.front().get();
    waiting_.pop_front();
    if (!answer) return std::move(answer).error();
    if (!answer->rows) return internal_error("The answer holds no rows.");
    std::string out;
    if (run_.json) {
      out = begun_ ? ",\n" : "\n";
      rows::append_json_rows(out, *model_.rows, *answer->rows);
    } else {
      if (!begun_) rows::append_csv_header(out, *model_.rows, *answer->rows);
      rows::append_csv_rows(out, *model_.rows, *answer->rows);
    }
    begun_ = true;
    if (std::fwrite(out.data(), 1, out.size(), stdout) == out.size()) return {};
    return internal_error("Standard output cannot be written to.");
  }

  serving::InferenceService& service_;
  const content::ModelInfo& model_;
  const RowsRun& run_;
  std::deque<std::future<Answer>> waiting_;
  bool begun_ = false;
};

content::Table sentences(std::string_view text, bool each_line) {
  content::Table table;
  table.width = 1;
  table.text = text;
  for (std::size_t at = 0; at < text.size() || at == 0;) {
    const std::size_t end = each_line ? std::min(text.find('\n', at), text.size()) : text.size();
    std::size_t length = end - at;
    if (each_line && length > 0 && text[at + length - 1] == '\r') --length;
    if (length > 0 || !each_line) {
      table.cells.push_back({.at = static_cast<std::uint32_t>(at),
                             .length = static_cast<std::uint32_t>(length),
                             .kind = content::Cell::Kind::kText});
    }
    at = end + 1;
  }
  return table;
}

Result<void> read_csv_blocks(std::FILE* file, std::string_view begun, RowsPrinter& printer) {
  content::CsvReader reader(kBlock, [&](content::Table table) { return printer.take(std::move(table)); });
  BASCULE_TRY(reader.feed(begun));
  std::string buffer(kRead, '\0');
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) {
    BASCULE_TRY(reader.feed(std::string_view(buffer).substr(0, count)));
  }
  if (std::ferror(file) != 0) return invalid_argument("The file cannot be read to its end.");
  return reader.finish();
}

// The rest of a file whose beginning was read.
Result<std::string> read_rest(std::FILE* file, std::string begun) {
  std::string buffer(kRead, '\0');
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) {
    begun.append(buffer, 0, count);
    if (begun.size() > kMaxJsonBytes) {
      return Error{
          .code = Code::kPayloadTooLarge,
          .message = fmt::format("There are more than {} bytes of JSON or text; send CSV, which is read "
                                 "block by block, or split it.",
                                 kMaxJsonBytes)};
    }
  }
  return begun;
}

Result<void> predict_file(const std::string& name, RowsPrinter& printer, const content::ModelInfo& model) {
  Form form = form_of(name);
  if (form == Form::kUnknown && name != "-") {
    return invalid_argument(fmt::format("model '{}' takes {}: give a file of .csv, .json or .txt.",
                                        model.name, model.rows->is_text() ? "text" : "rows"));
  }
  const File file(name == "-" ? stdin : std::fopen(name.c_str(), "rb"));
  if (file == nullptr) return not_found("there is no such file, or it may not be read.");
  std::string begun(kRead, '\0');
  begun.resize(std::fread(begun.data(), 1, begun.size(), file.get()));
  if (form == Form::kUnknown) {
    const std::size_t first = begun.find_first_not_of(" \t\r\n");
    const bool json = first != std::string::npos && begun[first] == '{';
    form = json ? Form::kJson : model.rows->is_text() ? Form::kText : Form::kCsv;
  }
  if (form == Form::kCsv) return read_csv_blocks(file.get(), begun, printer);
  BASCULE_ASSIGN(const std::string text, read_rest(file.get(), std::move(begun)));
  if (form == Form::kJson) {
    BASCULE_ASSIGN(content::Table table, rows::read_json_rows(text));
    return printer.take(std::move(table));
  }
  if (!text::is_utf8(text)) return invalid_argument("it is not UTF-8; save it as UTF-8.");
  content::Table table = sentences(text, true);
  if (table.rows() == 0) return invalid_argument("it holds no line of text.");
  return printer.take(std::move(table));
}

}  // namespace

int predict_rows(serving::InferenceService& service, const content::ModelInfo& model, const RowsRun& run,
                 const std::vector<std::string>& files) {
  RowsPrinter printer(service, model, run);
  bool failed = false;
  const auto tell = [&](const std::string& name, const Result<void>& done) {
    if (done) return;
    fmt::print(stderr, "bascule: {}: {}\n", name, done.error().message);
    failed = true;
  };
  if (!run.text.empty()) {
    Result<void> done = printer.take(sentences(run.text, false));
    if (done) done = printer.drain();
    tell("--text", done);
  }
  for (const std::string& file : files) {
    Result<void> done = predict_file(file, printer, model);
    // What was read before the fault is answered all the same.
    const Result<void> drained = printer.drain();
    tell(file, done ? drained : done);
  }
  printer.end();
  return failed ? kFailed : kOk;
}

}  // namespace bascule::app
