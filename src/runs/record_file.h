#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runs/item.h"
#include "runs/records.h"

namespace bascule::runs {

// What a file is by the ending of its name: JSON (.jsonl, .ndjson, .json), CSV (.csv) or text (.txt).
[[nodiscard]] std::optional<Form> record_form(std::string_view name);

// A file whose lines or records are inputs, or standard input; read as they are asked for.
// Thread-safety: external (one thread).
class RecordFile {
 public:
  using Stop = std::function<bool()>;

  // "-" is standard input. Where `form` is not said, the first character tells JSON; else it is `otherwise`.
  // Errors: kNotFound, kInvalidArgument for what is no file.
  static Result<RecordFile> open(const std::string& path, std::optional<Form> form, Form otherwise);
  ~RecordFile();
  RecordFile(RecordFile&& other) noexcept;
  RecordFile& operator=(RecordFile&& other) = delete;
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  // False at the end, and once `stop` says so; it is asked while nothing comes. Errors: kUnavailable for a
  // file that cannot be read further.
  Result<bool> next(RecordSplitter::Record& out, const Stop& stop);
  // Whether reading on would have to wait for whoever writes.
  [[nodiscard]] bool pauses();

  [[nodiscard]] Form form() const { return form_; }
  [[nodiscard]] const std::string& shown() const { return shown_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return read_; }
  // Of the file; 0 where it is not known.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  RecordFile(int number, std::string shown) : number_(number), shown_(std::move(shown)) {}
  Result<bool> fill(const Stop& stop);
  void decide(Form otherwise);
  bool take(RecordSplitter::Record& out);

  int number_ = -1;
  std::string shown_;
  Form form_ = Form::kSentence;
  std::optional<Form> otherwise_;  // while the form is open
  std::string front_;              // until then
  std::optional<RecordSplitter> splitter_;
  std::optional<RecordSplitter::Record> ahead_;  // found by pauses()
  std::uint64_t read_ = 0;
  std::uint64_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace bascule::runs
