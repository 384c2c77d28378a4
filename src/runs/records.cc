#include "runs/records.h"

#include <algorithm>

namespace bascule::runs {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void RecordSplitter::feed(std::string_view bytes) {
  buffer_.erase(0, start_);
  at_ -= start_;
  start_ = 0;
  buffer_ += bytes;
}

void RecordSplitter::step(char c) {
  switch (state_) {
    case State::kFieldStart:
      state_ = c == '"' ? State::kQuoted : c == ',' ? State::kFieldStart : State::kPlain;
      break;
    case State::kPlain: state_ = c == ',' ? State::kFieldStart : State::kPlain; break;
    case State::kQuoted: state_ = c == '"' ? State::kQuoteSeen : State::kQuoted; break;
    case State::kQuoteSeen:
      state_ = c == '"' ? State::kQuoted : c == ',' ? State::kFieldStart : State::kPlain;
      break;
  }
}

// Goes to the LF that ends the record; false where it is not there yet.
bool RecordSplitter::find_end() {
  if (!csv_) {
    const std::size_t found = buffer_.find('\n', at_);
    at_ = std::min(found, buffer_.size());
    return found != std::string::npos;
  }
  for (; at_ < buffer_.size(); ++at_) {
    if (buffer_[at_] != '\n') {
      step(buffer_[at_]);
    } else if (state_ != State::kQuoted) {
      return true;
    } else {
      ++line_;
    }
  }
  return false;
}

// Keeps no record in memory that is longer than one may be.
void RecordSplitter::drop_if_long() {
  if (at_ - start_ <= kMaxRecord) return;
  too_long_ = true;
  if (state_ == State::kQuoted) state_ = State::kPlain;  // a quote that nobody closes ends with its line
  start_ = at_;
}

bool RecordSplitter::take(std::size_t end, Record& out) {
  std::string_view text = std::string_view(buffer_).substr(start_, end - start_);
  if (text.ends_with('\r')) text.remove_suffix(1);
  const bool long_one = too_long_ || text.size() > kMaxRecord;
  const bool any = long_one || text.find_first_not_of(" \t\r") != std::string_view::npos;
  if (any) {
    out.text = long_one ? std::string_view() : text;
    out.line = start_line_;
    out.too_long = long_one;
  }
  too_long_ = false;
  state_ = State::kFieldStart;
  start_ = at_ = std::min(end + 1, buffer_.size());
  start_line_ = ++line_;
  return any;
}

bool RecordSplitter::next(Record& out) {
  if (!begun_) {
    if (!finished_ && buffer_.size() < kByteOrderMark.size()) return false;
    begun_ = true;
    if (buffer_.starts_with(kByteOrderMark)) start_ = at_ = kByteOrderMark.size();
  }
  while (find_end()) {
    if (take(at_, out)) return true;
  }
  drop_if_long();
  return finished_ && (start_ < buffer_.size() || too_long_) && take(buffer_.size(), out);
}

}  // namespace bascule::runs
