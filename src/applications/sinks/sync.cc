#include "applications/sinks/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <system_error>

#include <fmt/format.h>

namespace bascule::applications {

Result<void> write_all(int descriptor, std::string_view bytes, const std::filesystem::path& shown) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int number = count == 0 ? ENOSPC : errno;
      return Error{
          .code = number == ENOSPC || number == EDQUOT ? Code::kResourceExhausted : Code::kUnavailable,
          .message = fmt::format("'{}' cannot be written: {}.", shown.string(),
                                 std::generic_category().message(number))};
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const std::filesystem::path named = folder.empty() ? "." : folder;
  const int descriptor = ::open(named.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int number = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (synced) return {};
  return Error{.code = Code::kUnavailable,
               .message = fmt::format("The folder '{}' cannot be written to the disk: {}.", named.string(),
                                      std::generic_category().message(number))};
}

}  // namespace bascule::applications
