#include "runs/answer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "runs/csv_id.h"
#include "runs/json_line.h"

namespace bascule::runs {
namespace {

constexpr std::uint64_t kMaxPictureBytes = 256ULL << 20U;

// No input at all can be answered.
bool is_fatal(const Error& error) {
  switch (error.code) {
    case Code::kUnavailable:
    case Code::kUnauthenticated:
    case Code::kNotFound:
    case Code::kCancelled: return true;
    default: return false;
  }
}

void refuse(Outcome& outcome, Error why) {
  outcome.error = std::move(why);
  outcome.good = false;
}

std::optional<Error> ask_picture(Asker& asker, const content::EncodedPicture& picture, Outcome& outcome) {
  auto answer = asker.ask_picture(picture);
  if (answer) {
    outcome.answer = *std::move(answer);
    outcome.good = true;
    return std::nullopt;
  }
  if (is_fatal(answer.error())) return std::move(answer).error();
  refuse(outcome, std::move(answer).error());
  return std::nullopt;
}

std::optional<Error> ask_file(Asker& asker, const std::string& path, Outcome& outcome) {
  auto read = read_file(path, kMaxPictureBytes);
  if (!read) {
    refuse(outcome, std::move(read).error());
    return std::nullopt;
  }
  const auto bytes = std::make_shared<const std::vector<std::byte>>(*std::move(read));
  return ask_picture(asker, {.bytes = *bytes, .owner = bytes, .name = path}, outcome);
}

// The rows of one unit, as they are asked for.
class Rows {
 public:
  Rows(Asker& asker, const Unit& unit, const AnswerOptions& options, std::vector<Outcome>& outcomes)
      : asker_(asker), form_(unit.form), outcomes_(outcomes) {
    if (form_ != Form::kCsv) return;
    header_ = *unit.header;
    takes_id_ = !options.keeps_id && has_id(header_);
    if (!takes_id_) return;
    if (auto rest = without_id(header_, header_)) header_without_id_ = std::move(rest->record);
  }

  // A record of CSV; its `id` is taken out where the model has no such column.
  void add_record(std::size_t item, const std::string& record) {
    if (!takes_id_) return add(item, record);
    auto rest = without_id(header_, record);
    if (!rest) return refuse(outcomes_[item], std::move(rest).error());
    outcomes_[item].id = std::move(rest->id);
    add(item, std::move(rest->record));
  }

  // Of the item at this place. Its text is a row as JSON, a record or a sentence.
  void add(std::size_t item, std::string row) {
    places_.push_back(item);
    rows_.push_back(std::move(row));
  }

  std::optional<Error> ask() { return rows_.empty() ? std::nullopt : ask(0, rows_.size()); }

 private:
  [[nodiscard]] RowsQuestion question(std::size_t from, std::size_t to) const {
    RowsQuestion out{.body = {}, .csv = form_ == Form::kCsv};
    if (out.csv)
      out.body = (takes_id_ ? header_without_id_ : header_) + '\n';
    else
      out.body = "{\"rows\":[";
    for (std::size_t i = from; i < to; ++i) {
      if (out.csv) {
        out.body += rows_[i] + '\n';
        continue;
      }
      if (i > from) out.body += ',';
      if (form_ == Form::kSentence)
        text::append_json_quoted(out.body, rows_[i]);
      else
        out.body += rows_[i];
    }
    if (!out.csv) out.body += "]}";
    return out;
  }

  // Halves what is refused, as deep as the logarithm of a unit's rows.
  // NOLINTNEXTLINE(misc-no-recursion)
  std::optional<Error> ask(std::size_t from, std::size_t to) {
    auto answers = asker_.ask_rows(question(from, to));
    if (answers && answers->size() == to - from) {
      for (std::size_t i = from; i < to; ++i) {
        Outcome& outcome = outcomes_[places_[i]];
        outcome.answer = std::move((*answers)[i - from]);
        outcome.good = true;
      }
      return std::nullopt;
    }
    Error why = answers ? internal_error("The answer has another number of rows than were asked for.")
                        : std::move(answers).error();
    if (is_fatal(why)) return why;
    if (to - from == 1) {
      refuse(outcomes_[places_[from]], std::move(why));
      return std::nullopt;
    }
    const std::size_t middle = from + (to - from) / 2;
    if (auto fatal = ask(from, middle)) return fatal;
    return ask(middle, to);
  }

  Asker& asker_;
  const Form form_;
  std::vector<Outcome>& outcomes_;
  std::string header_;
  bool takes_id_ = false;
  std::string header_without_id_;
  std::vector<std::size_t> places_;  // of the items
  std::vector<std::string> rows_;
};

// Goes through the items: pictures are asked for at once, rows are gathered.
std::optional<Error> ask_item(Asker& asker, const Unit& unit, std::size_t i, const AnswerOptions& options,
                              std::pair<Rows&, Outcome&> to) {
  const Item& item = unit.items[i];
  auto& [rows, outcome] = to;
  if (!item.fault.empty()) {
    refuse(outcome, invalid_argument(item.fault));
    return std::nullopt;
  }
  if (!item.frame.bytes.empty()) return ask_picture(asker, item.frame, outcome);
  if (unit.form == Form::kPicture) return ask_file(asker, item.key, outcome);
  if (unit.form == Form::kSentence && !text::is_utf8(item.text)) {
    refuse(outcome, invalid_argument("The line is not UTF-8; save the file as UTF-8."));
    return std::nullopt;
  }
  if (unit.form == Form::kCsv) {
    rows.add_record(i, item.text);
    return std::nullopt;
  }
  if (unit.form == Form::kSentence) {
    rows.add(i, item.text);
    return std::nullopt;
  }
  auto line = read_json_line(item.text, options.pictures, options.keeps_id);
  if (!line) {
    refuse(outcome, std::move(line).error());
    return std::nullopt;
  }
  outcome.id = std::move(line->id);
  if (!options.pictures) {
    rows.add(i, std::move(line->row));
    return std::nullopt;
  }
  outcome.key = line->picture;
  return ask_file(asker, line->picture, outcome);
}

}  // namespace

Answered answer(Asker& asker, const Unit& unit, const AnswerOptions& options) {
  Answered out;
  out.outcomes.resize(unit.items.size());
  Rows rows(asker, unit, options, out.outcomes);
  for (std::size_t i = 0; i < unit.items.size(); ++i) {
    out.outcomes[i].key = unit.items[i].key;
    out.fatal = ask_item(asker, unit, i, options, {rows, out.outcomes[i]});
    if (out.fatal) break;
  }
  if (!out.fatal) out.fatal = rows.ask();
  if (out.fatal) out.outcomes.clear();
  return out;
}

}  // namespace bascule::runs
