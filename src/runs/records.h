#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bascule::runs {

// Cuts bytes into lines, or into records of CSV, whose quoted fields may hold line ends (RFC 4180). Empty
// ones are left out, as are a byte order mark in front and the CR before an LF. What a record holds is not
// judged: a quote in a place where none may be does not swallow the lines behind it. Thread-safety: external
// (one thread).
class RecordSplitter {
 public:
  static constexpr std::size_t kMaxRecord = std::size_t{1} << 20U;  // bytes

  struct Record {
    std::string text;
    std::uint64_t line = 0;  // on which it begins, from 1
    bool too_long = false;   // beyond kMaxRecord; its text was dropped
  };

  explicit RecordSplitter(bool csv) : csv_(csv) {}

  void feed(std::string_view bytes);
  // After the last byte: what is left is a record.
  void finish() { finished_ = true; }
  // False where more bytes are needed.
  bool next(Record& out);

 private:
  enum class State : std::uint8_t { kFieldStart, kPlain, kQuoted, kQuoteSeen };

  bool find_end();
  void step(char c);
  bool take(std::size_t end, Record& out);
  void drop_if_long();

  const bool csv_;
  bool begun_ = false;
  bool finished_ = false;
  bool too_long_ = false;  // the record that is read
  State state_ = State::kFieldStart;
  std::string buffer_;
  std::size_t start_ = 0;   // of the record, in the buffer
  std::size_t at_ = 0;      // looked at until here
  std::uint64_t line_ = 1;  // at `at_`
  std::uint64_t start_line_ = 1;
};

}  // namespace bascule::runs
