#include "runs/record_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::runs {
namespace {

constexpr std::size_t kRead = std::size_t{1} << 16U;  // bytes
constexpr int kLookEveryMs = 100;                     // whether it is still wanted

bool can_read(int number, int wait_ms) {
  pollfd one{.fd = number, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, wait_ms) > 0;
}

}  // namespace

std::optional<Form> record_form(std::string_view name) {
  const std::string ending = text::to_lower(std::filesystem::path(name).extension().string());
  if (ending == ".jsonl" || ending == ".ndjson" || ending == ".json") return Form::kJson;
  if (ending == ".csv") return Form::kCsv;
  return ending == ".txt" ? std::optional(Form::kSentence) : std::nullopt;
}

Result<RecordFile> RecordFile::open(const std::string& path, std::optional<Form> form, Form otherwise) {
  const bool input = path == "-";
  const int number = input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0)
    return not_found(fmt::format("'{}' cannot be opened: {}.", path, std::generic_category().message(errno)));
  RecordFile file(number, input ? "stdin" : path);
  struct stat status{};
  if (::fstat(number, &status) != 0 || S_ISDIR(status.st_mode)) {
    return invalid_argument(fmt::format("'{}' is no file.", path));
  }
  if (S_ISREG(status.st_mode)) file.bytes_ = static_cast<std::uint64_t>(status.st_size);
  if (form) {
    file.form_ = *form;
    file.splitter_.emplace(*form == Form::kCsv);
  } else {
    file.otherwise_ = otherwise;
  }
  return Result<RecordFile>(std::move(file));
}

RecordFile::~RecordFile() {
  if (number_ > STDIN_FILENO) ::close(number_);
}

RecordFile::RecordFile(RecordFile&& other) noexcept
    : number_(std::exchange(other.number_, -1)),
      shown_(std::move(other.shown_)),
      form_(other.form_),
      otherwise_(other.otherwise_),
      front_(std::move(other.front_)),
      splitter_(std::move(other.splitter_)),
      ahead_(std::move(other.ahead_)),
      read_(other.read_),
      bytes_(other.bytes_),
      ended_(other.ended_) {}

void RecordFile::decide(Form otherwise) {
  const std::size_t first = front_.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string::npos && !ended_ && front_.size() < kRead) return;
  const bool json =
      first != std::string::npos && std::string_view("{[\"").find(front_[first]) != std::string_view::npos;
  form_ = json ? Form::kJson : otherwise;
  otherwise_.reset();
  splitter_.emplace(form_ == Form::kCsv);
  splitter_->feed(std::exchange(front_, {}));
}

// False where `stop` ended the wait.
Result<bool> RecordFile::fill(const Stop& stop) {
  std::array<char, kRead> bytes;
  while (!can_read(number_, kLookEveryMs)) {
    if (stop()) return false;
  }
  const ssize_t count = ::read(number_, bytes.data(), bytes.size());
  if (count < 0) {
    if (errno == EINTR || errno == EAGAIN) return true;
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("'{}' cannot be read further: {}.", shown_,
                                        std::generic_category().message(errno))};
  }
  ended_ = count == 0;
  read_ += static_cast<std::uint64_t>(count);
  const std::string_view came(bytes.data(), static_cast<std::size_t>(count));
  if (otherwise_) {
    front_ += came;
    decide(*otherwise_);
  } else {
    splitter_->feed(came);
  }
  if (ended_ && splitter_) splitter_->finish();
  return true;
}

bool RecordFile::take(RecordSplitter::Record& out) {
  if (ahead_) {
    out = *std::exchange(ahead_, std::nullopt);
    return true;
  }
  return splitter_ && splitter_->next(out);
}

Result<bool> RecordFile::next(RecordSplitter::Record& out, const Stop& stop) {
  while (!take(out)) {
    if (ended_) return false;
    BASCULE_ASSIGN(const bool wanted, fill(stop));
    if (!wanted) return false;
  }
  return true;
}

bool RecordFile::pauses() {
  if (ahead_ || ended_) return false;
  if (RecordSplitter::Record record; splitter_ && splitter_->next(record)) {
    ahead_ = std::move(record);
    return false;
  }
  return !can_read(number_, 0);
}

}  // namespace bascule::runs
