#include "runs/reader.h"

#include <glob.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::runs {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPictureWeight = 100'000;  // about its bytes: a picture beside a file of rows

std::vector<std::string> globbed(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t matches{};
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  globfree(&matches);
  return files;
}

}  // namespace

Result<Reader> Reader::open(ReaderOptions options) {
  Reader reader(std::move(options));
  const std::vector<std::string> words = reader.options_.words;
  for (const std::string& word : words) BASCULE_TRY(reader.add_word(word));
  return Result<Reader>(std::move(reader));
}

bool Reader::is_wanted(const fs::path& file) const {
  return options_.pictures ? options_.is_picture(file) : record_form(file.string()).has_value();
}

Result<void> Reader::add_word(const std::string& word) {
  if (word == "-") {
    unknown_ = true;
    sources_.push_back({.kind = Source::Kind::kRecords, .path = word});
    return {};
  }
  std::error_code code;
  if (word.starts_with('@') && !fs::exists(word, code)) {
    const std::string path = word.substr(1);
    if (path != "-" && !fs::is_regular_file(path, code)) {
      return not_found(
          fmt::format("There is no list '{}'; give a text file with an input on each line.", path));
    }
    unknown_ = true;
    sources_.push_back({.kind = Source::Kind::kList, .path = path});
    return {};
  }
  const fs::file_status status = fs::status(word, code);
  if (fs::is_directory(status)) {
    const std::uint64_t count = count_files(word, [this](const fs::path& file) { return is_wanted(file); });
    if (count == 0) {
      return not_found(fmt::format("The folder '{}' and those in it hold no {}.", word,
                                   options_.pictures ? "pictures" : "files of rows (.jsonl, .csv, .txt)"));
    }
    all_ += count * kPictureWeight;
    sources_.push_back({.kind = Source::Kind::kFolder, .path = word});
    return {};
  }
  if (fs::exists(status)) {
    const std::uint64_t bytes = fs::is_regular_file(status) ? fs::file_size(word, code) : 0;
    add_file(word, code ? 0 : bytes);
    return {};
  }
  return add_glob(word);
}

Result<void> Reader::add_glob(const std::string& word) {
  const std::vector<std::string> found = globbed(word);
  if (found.empty()) return not_found(fmt::format("There is no file, folder or match for '{}'.", word));
  for (const std::string& path : found) {
    std::error_code code;
    if (fs::is_directory(path, code)) {
      BASCULE_TRY(add_word(path));
    } else {
      add_file(path, fs::file_size(path, code));
    }
  }
  return {};
}

void Reader::add_file(const std::string& path, std::uint64_t bytes) {
  const std::optional<Form> form = record_form(path);
  const bool records = options_.pictures ? form == Form::kJson : true;
  const std::uint64_t weight = records ? std::max<std::uint64_t>(bytes, 1) : kPictureWeight;
  all_ += weight;
  sources_.push_back({.kind = records ? Source::Kind::kRecords : Source::Kind::kFile,
                      .path = path,
                      .form = form,
                      .weight = weight});
}

Result<void> Reader::open_records(const std::string& path, std::optional<Form> form) {
  const Form otherwise = options_.pictures ? Form::kPicture : options_.text ? Form::kSentence : Form::kCsv;
  BASCULE_ASSIGN(RecordFile file, RecordFile::open(path, form, otherwise));
  records_.emplace(std::move(file));
  header_ = nullptr;
  ++files_;
  return {};
}

// Goes to the next source; gives the input where it is one itself.
Result<std::optional<Reader::Found>> Reader::begin(const Source& source) {
  switch (source.kind) {
    case Source::Kind::kFile:
      done_ += source.weight;
      return std::optional(Found{.item = {.key = source.path, .text = {}, .fault = {}}});
    case Source::Kind::kFolder:
      folder_.emplace(source.path, [this](const fs::path& file) { return is_wanted(file); });
      break;
    case Source::Kind::kRecords: BASCULE_TRY(open_records(source.path, source.form)); break;
    case Source::Kind::kList: {
      BASCULE_ASSIGN(RecordFile list, RecordFile::open(source.path, Form::kSentence, Form::kSentence));
      list_.emplace(std::move(list));
    }
  }
  return std::optional<Found>();
}

Result<std::optional<Reader::Found>> Reader::find_record(const Stop& stop) {
  RecordSplitter::Record record;
  BASCULE_ASSIGN(bool more, records_->next(record, stop));
  if (more && records_->form() == Form::kCsv && header_ == nullptr) {
    if (record.too_long) {
      return invalid_argument(fmt::format("The header of '{}' is longer than {} bytes.", records_->shown(),
                                          RecordSplitter::kMaxRecord));
    }
    header_ = std::make_shared<const std::string>(std::move(record.text));
    BASCULE_ASSIGN(more, records_->next(record, stop));
  }
  if (!more) {
    if (!stop()) {
      done_ += std::max<std::uint64_t>(records_->bytes(), 1);
      records_.reset();
    }
    return std::optional<Found>();
  }
  Found found{.item = {}, .form = records_->form(), .file = files_};
  if (record.too_long) {
    found.item.fault =
        fmt::format("It is longer than {} bytes, the limit of a line.", RecordSplitter::kMaxRecord);
  }
  if (found.form == Form::kPicture) {
    found.item.key = std::move(record.text);
  } else {
    found.item.key = fmt::format("{}:{}", records_->shown(), record.line);
    found.item.text = std::move(record.text);
  }
  return std::optional(std::move(found));
}

Result<std::optional<Reader::Found>> Reader::find_listed(const Stop& stop) {
  RecordSplitter::Record record;
  BASCULE_ASSIGN(const bool more, list_->next(record, stop));
  if (!more) {
    if (!stop()) list_.reset();
    return std::optional<Found>();
  }
  std::string path(text::trimmed(record.text));
  if (options_.pictures && record_form(path) != Form::kJson) {
    return std::optional(Found{.item = {.key = std::move(path), .text = {}, .fault = {}}});
  }
  if (auto opened = open_records(path, record_form(path)); !opened) {
    return std::optional(
        Found{.item = {.key = std::move(path), .text = {}, .fault = opened.error().message}});
  }
  return std::optional<Found>();
}

// A picture of the folder; nothing where a file of records was opened, or the folder is at its end.
Result<std::optional<Reader::Found>> Reader::find_in_folder() {
  auto one = folder_->next();
  if (!one) {
    folder_.reset();
  } else if (options_.pictures || !one->fault.empty()) {
    done_ += kPictureWeight;
    return std::optional(
        Found{.item = {.key = std::move(one->path), .text = {}, .fault = std::move(one->fault)}});
  } else {
    BASCULE_TRY(open_records(one->path, record_form(one->path)));
  }
  return std::optional<Found>();
}

Result<std::optional<Reader::Found>> Reader::find(const Stop& stop) {
  while (!stop()) {
    if (ahead_) return std::exchange(ahead_, std::nullopt);
    std::optional<Found> found;
    if (records_) {
      BASCULE_ASSIGN(found, find_record(stop));
    } else if (list_) {
      BASCULE_ASSIGN(found, find_listed(stop));
    } else if (folder_) {
      BASCULE_ASSIGN(found, find_in_folder());
    } else if (sources_.empty()) {
      break;
    } else {
      const Source source = std::move(sources_.front());
      sources_.pop_front();
      BASCULE_ASSIGN(found, begin(source));
    }
    if (found) return found;
  }
  return std::optional<Found>();
}

// Whether the input was done by the run that this one continues.
Result<bool> Reader::skipped(const Item& item) {
  position_.chain = chained(position_.chain, item.text.empty() ? item.key : item.text);
  ++position_.inputs;
  if (position_.inputs > options_.from.inputs) return false;
  if (position_.inputs == options_.from.inputs && position_.chain != options_.from.chain) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("The first {} inputs are not those that the run had begun with: files or "
                               "lines came in between, changed or went. --restart begins anew.",
                               options_.from.inputs)};
  }
  return true;
}

double Reader::share() const {
  if (unknown_ || all_ == 0) return -1;
  const std::uint64_t done = done_ + (records_ ? records_->bytes_read() : 0);
  return std::min(1.0, static_cast<double>(done) / static_cast<double>(all_));
}

bool Reader::is_full(const Unit& unit) const {
  return unit.form == Form::kPicture || options_.pictures || unit.items.size() >= options_.block ||
         bytes_ >= options_.block_bytes;
}

// Whether what was gathered is to be asked before there is more.
bool Reader::ends_unit(const Unit& unit) {
  return !unit.items.empty() && (is_full(unit) || (records_ && records_->pauses()));
}

// Counts the input, and adds it where it is ours and was not done.
Result<void> Reader::add(Found found, Unit& unit) {
  BASCULE_ASSIGN(const bool done, skipped(found.item));
  if (done) return {};
  if ((position_.inputs - 1) % options_.shards != options_.shard) {
    if (unit.items.empty()) unit.after = position_;
    return {};
  }
  unit.form = found.form;
  unit.header = header_;
  file_ = found.file;
  bytes_ += found.item.text.size();
  unit.items.push_back(std::move(found.item));
  unit.after = position_;
  return {};
}

Result<std::optional<Unit>> Reader::next(const Stop& stop) {
  Unit unit;
  bytes_ = 0;
  while (!ends_unit(unit)) {
    BASCULE_ASSIGN(std::optional<Found> found, find(stop));
    if (!found) break;
    // A file's rows are asked with those of no other: their columns may be others.
    if (!unit.items.empty() && found->file != file_) {
      ahead_ = std::move(found);
      break;
    }
    BASCULE_TRY(add(*std::move(found), unit));
  }
  // Half a unit would be another one in the run that goes on from here.
  if (stop()) return std::optional<Unit>();
  if (position_.inputs < options_.from.inputs) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("There are {} inputs, but the run had come to {}: files or lines went. "
                               "--restart begins anew.",
                               position_.inputs, options_.from.inputs)};
  }
  if (unit.items.empty() && unit.after.inputs == 0) return std::optional<Unit>();
  unit.share = share();
  return std::optional(std::move(unit));
}

}  // namespace bascule::runs
