#include "video/descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace bascule::video {

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Result<Descriptor> sealed_copy(std::span<const std::byte> bytes) {
  Descriptor file(::memfd_create("video", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  bool ok = file.open();
  while (ok && !bytes.empty()) {
    const ssize_t count = ::write(file.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    ok = count > 0;
    if (ok) bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  ok = ok &&
       ::fcntl(file.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
  if (!ok) {
    return Error{.code = Code::kUnavailable,
                 .message = "There is no memory for a copy of the video. Try again later."};
  }
  return file;
}

Result<Descriptor> open_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) {
    return not_found(fmt::format("'{}' cannot be opened: {}.", path, std::generic_category().message(errno)));
  }
  struct stat about{};
  if (::fstat(file.number(), &about) != 0 || !S_ISREG(about.st_mode)) {
    return invalid_argument(fmt::format("'{}' is no regular file.", path));
  }
  return file;
}

}  // namespace bascule::video
