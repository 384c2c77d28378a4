#include "runs/append_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace bascule::runs {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 16U;  // bytes

Error failed(const std::string& shown, std::string_view what, int number) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return {.code = full ? Code::kResourceExhausted : Code::kUnavailable,
          .message = fmt::format("'{}' {}: {}.{}", shown, what, std::generic_category().message(number),
                                 full ? " Free space on its disk; the same command then goes on." : "")};
}

}  // namespace

Result<AppendFile> AppendFile::open(const std::filesystem::path& path) {
  if (path == "-") return Result<AppendFile>(AppendFile(STDOUT_FILENO, "standard output"));
  const int number = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (number < 0) {
    return invalid_argument(
        fmt::format("'{}' cannot be written: {}.", path.string(), std::generic_category().message(errno)));
  }
  AppendFile file(number, path.string());
  if (::flock(number, LOCK_EX | LOCK_NB) != 0) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("Another run is writing '{}'; name another file, or wait for it.",
                                        path.string())};
  }
  struct stat status{};
  if (::fstat(number, &status) == 0) file.bytes_ = static_cast<std::uint64_t>(status.st_size);
  return Result<AppendFile>(std::move(file));
}

AppendFile::~AppendFile() {
  if (number_ > STDOUT_FILENO) ::close(number_);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : number_(std::exchange(other.number_, -1)),
      shown_(std::move(other.shown_)),
      buffer_(std::move(other.buffer_)),
      bytes_(other.bytes_) {}

Result<void> AppendFile::cut(std::uint64_t bytes) {
  buffer_.clear();
  if (bytes_ < bytes) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("'{}' has {} bytes, but the run had written {}: it was changed since. "
                               "--restart begins anew.",
                               shown_, bytes_, bytes)};
  }
  if (::ftruncate(number_, static_cast<off_t>(bytes)) != 0 ||
      ::lseek(number_, static_cast<off_t>(bytes), SEEK_SET) < 0) {
    return failed(shown_, "cannot be cut", errno);
  }
  bytes_ = bytes;
  return {};
}

Result<void> AppendFile::append(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBuffer ? Result<void>{} : flush();
}

Result<void> AppendFile::flush() {
  std::size_t at = 0;
  while (at < buffer_.size()) {
    const ssize_t count = ::write(number_, buffer_.data() + at, buffer_.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int number = errno;
      bytes_ += at;
      buffer_.erase(0, at);
      return failed(shown_, "cannot be written further", number);
    }
    at += static_cast<std::size_t>(count);
  }
  bytes_ += at;
  buffer_.clear();
  return {};
}

Result<void> AppendFile::sync() {
  BASCULE_TRY(flush());
  if (number_ != STDOUT_FILENO && ::fdatasync(number_) != 0) {
    return failed(shown_, "cannot be put on the disk", errno);
  }
  return {};
}

Result<void> sync_folder_of(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const int number = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (number < 0) return failed(folder.string(), "cannot be opened", errno);
  const int synced = ::fsync(number);
  const int why = errno;
  ::close(number);
  if (synced != 0) return failed(folder.string(), "cannot be put on the disk", why);
  return {};
}

}  // namespace bascule::runs
