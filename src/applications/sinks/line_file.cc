#include "applications/sinks/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "applications/sinks/sync.h"
#include "base/log.h"

namespace bascule::applications {

Error LineFile::failed(std::string_view what, int number) const {
  return {.code = number == ENOSPC || number == EDQUOT ? Code::kResourceExhausted : Code::kUnavailable,
          .message = fmt::format("'{}' cannot be {}: {}.", file_.string(), what,
                                 std::generic_category().message(number))};
}

void LineFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

// False where it was moved or deleted, to begin a new one.
bool LineFile::is_at_its_path() const {
  struct stat here{};
  struct stat there{};
  return ::fstat(descriptor_, &here) == 0 && ::stat(file_.c_str(), &there) == 0 &&
         here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

Result<void> LineFile::open() {
  if (descriptor_ >= 0 && is_at_its_path()) return {};
  close();
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) return failed("opened", errno);
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return failed("looked at", errno);
  if (!S_ISREG(status.st_mode)) {
    close();
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("'{}' is no regular file; lines are appended to none but those.",
                                        file_.string())};
  }
  half_written_ = false;
  auto mended = mend(static_cast<std::uint64_t>(status.st_size));
  if (mended && status.st_size == 0) mended = sync_folder(file_.parent_path());
  if (!mended) close();
  return mended;
}

Result<void> LineFile::mend(std::uint64_t size) {
  tail_.resize(std::min<std::uint64_t>(size, kTail));
  good_ = static_cast<off_t>(size);
  std::size_t got = 0;
  while (got < tail_.size()) {
    const ssize_t count = ::pread(descriptor_, tail_.data() + got, tail_.size() - got,
                                  static_cast<off_t>(size - tail_.size() + got));
    if (count <= 0) return failed("read", count == 0 ? EIO : errno);
    got += static_cast<std::size_t>(count);
  }
  if (tail_.empty() || tail_.back() == '\n') return {};
  const std::size_t end = tail_.rfind('\n');
  if (end == std::string::npos && size > kTail) {
    return Error{
        .code = Code::kUnavailable,
        .message = fmt::format("'{}' does not look like a file of lines: its last {} bytes hold no line "
                               "end. Move it away.",
                               file_.string(), kTail)};
  }
  const std::size_t half = tail_.size() - (end == std::string::npos ? 0 : end + 1);
  good_ -= static_cast<off_t>(half);
  if (::ftruncate(descriptor_, good_) != 0) return failed("mended", errno);
  tail_.resize(tail_.size() - half);
  log::warning("'{}' ended in a half line of {} bytes, which is taken away; its event comes again.",
               file_.string(), half);
  return {};
}

Result<void> LineFile::append(std::string_view line, std::string_view id) {
  BASCULE_TRY(open());
  if (!id.empty() && tail_.find(id) != std::string::npos) return {};
  if (half_written_ && ::ftruncate(descriptor_, good_) != 0) return failed("mended", errno);
  half_written_ = true;
  std::string bytes;
  if (good_ == 0 && !header_.empty()) bytes = header_ + "\n";
  bytes += line;
  bytes += '\n';
  BASCULE_TRY(write_all(descriptor_, bytes, file_));
  if (::fdatasync(descriptor_) != 0) return failed("written to the disk", errno);
  half_written_ = false;
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return failed("looked at", errno);
  good_ = status.st_size;
  return {};
}

}  // namespace bascule::applications
