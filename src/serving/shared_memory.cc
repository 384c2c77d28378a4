#include "serving/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::serving {
namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxKey = 255;  // NAME_MAX of the file system below it, and the "/"
constexpr std::uint64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();

std::string shown(std::string_view name) { return text::escape_controls(text::shortened(name)); }

Error off() {
  return {.code = Code::kUnsupported,
          .message =
              "Shared memory of clients is not used here; start the server with --allow-client-shm, or send "
              "the data."};
}

Error refused(std::string_view name, std::string_view why) {
  return invalid_argument(fmt::format("failed to register shared memory region '{}': {}", shown(name), why));
}

// What POSIX allows: one name below one folder, nothing that leads elsewhere.
bool valid_key(std::string_view key) {
  if (key.size() < 2 || key.size() > kMaxKey || key[0] != '/') return false;
  const std::string_view name = key.substr(1);
  return name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

Result<void> check_region(const content::SharedRegion& region) {
  if (region.name.empty() || region.name.size() > kMaxName) {
    return refused(region.name,
                   fmt::format("its name must have 1 to {} bytes; it has {}.", kMaxName, region.name.size()));
  }
  if (!valid_key(region.key)) {
    return refused(region.name, "its key must be '/' and one name of at most 254 bytes without '/'.");
  }
  if (region.byte_size == 0) return refused(region.name, "its byte_size is 0; it must be 1 or more.");
  if (region.offset > kMaxOffset || region.byte_size > kMaxOffset - region.offset) {
    return refused(region.name, fmt::format("its offset {} and byte_size {} are more than any memory has.",
                                            region.offset, region.byte_size));
  }
  return {};
}

}  // namespace

// A region and its descriptor. Thread-safety: immutable; reads and writes of the descriptor may overlap.
struct SharedMemory::Open {
  explicit Open(content::SharedRegion known) : region(std::move(known)) {}
  ~Open() {
    if (descriptor >= 0) ::close(descriptor);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

  const content::SharedRegion region;
  int descriptor = -1;
};

Result<void> SharedMemory::add(content::SharedRegion region) {
  if (!allowed_) return off();
  BASCULE_TRY(check_region(region));
  const std::string name = region.name;
  const auto open = std::make_shared<Open>(std::move(region));
  open->descriptor = ::shm_open(open->region.key.c_str(), O_RDWR, 0);  // follows no link
  struct stat status{};
  if (open->descriptor < 0 || ::fstat(open->descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return refused(name, "there is no shared memory with its key, or the server may not open it.");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (open->region.offset + open->region.byte_size > size) {
    return refused(name, fmt::format("it ends at byte {}, but the memory has {} bytes.",
                                     open->region.offset + open->region.byte_size, size));
  }
  return regions_.with([&](auto& regions) -> Result<void> {
    if (regions.contains(name)) {
      return Error{.code = Code::kAlreadyExists,
                   .message = fmt::format(
                       "shared memory region '{}' already in manager; unregister it first.", shown(name))};
    }
    if (regions.size() >= kMaxRegions) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format(
                       "There are {} shared memory regions, the limit; unregister one first.", kMaxRegions)};
    }
    regions.emplace(name, open);
    return {};
  });
}

void SharedMemory::remove(std::string_view name) {
  // Closed outside the lock.
  const auto gone = regions_.with([&](auto& regions) -> std::shared_ptr<const Open> {
    const auto found = regions.find(name);
    if (found == regions.end()) return nullptr;
    auto open = std::move(found->second);
    regions.erase(found);
    return open;
  });
}

void SharedMemory::remove_all() {
  const auto gone = regions_.with([](auto& regions) { return std::exchange(regions, {}); });
}

Result<std::vector<content::SharedRegion>> SharedMemory::list(std::string_view name) const {
  std::vector<content::SharedRegion> out;
  regions_.with([&](const auto& regions) {
    for (const auto& [known, open] : regions) {
      if (name.empty() || known == name) out.push_back(open->region);
    }
  });
  if (out.empty() && !name.empty()) {
    return not_found(
        fmt::format("Unable to find system shared memory region: '{}'; register it first.", shown(name)));
  }
  return out;
}

Result<std::shared_ptr<const SharedMemory::Open>> SharedMemory::find(const content::SharedPart& part) const {
  if (!allowed_) return off();
  auto open = regions_.with([&](const auto& regions) -> std::shared_ptr<const Open> {
    const auto found = regions.find(part.region);
    return found == regions.end() ? nullptr : found->second;
  });
  if (open == nullptr) {
    return not_found(
        fmt::format("Unable to find shared memory region: '{}'; register it first.", shown(part.region)));
  }
  const std::uint64_t size = open->region.byte_size;
  if (part.offset > size || part.byte_size > size - part.offset) {
    return invalid_argument(
        fmt::format(
            "Invalid offset + byte size for shared memory region: '{}' has {} bytes, of which {} from "
            "byte {} on were asked for.",
            shown(part.region), size, part.byte_size, part.offset),
        Reason::kDataSizeMismatch);
  }
  return open;
}

Result<void> SharedMemory::check(const content::SharedPart& part) const {
  BASCULE_TRY(find(part));
  return {};
}

Result<tensor::Tensor> SharedMemory::read(const content::SharedPart& part) const {
  BASCULE_ASSIGN(const auto open, find(part));
  // Within the size that the region was registered with, which the memory had then.
  BASCULE_ASSIGN(tensor::MutableTensor copy,
                 tensor::make_tensor(tensor::DataType::kUint8, {static_cast<std::int64_t>(part.byte_size)}));
  auto at = static_cast<off_t>(open->region.offset + part.offset);
  for (std::span<std::byte> rest = copy.bytes; !rest.empty();) {
    const ssize_t count = ::pread(open->descriptor, rest.data(), rest.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return invalid_argument(
          fmt::format("Shared memory region '{}' has become smaller than it was when it was registered.",
                      shown(part.region)),
          Reason::kDataSizeMismatch);
    }
    at += count;
    rest = rest.subspan(static_cast<std::size_t>(count));
  }
  return std::move(copy.tensor);
}

Result<void> SharedMemory::write(const content::SharedPart& part, std::span<const std::byte> bytes) const {
  BASCULE_ASSIGN(const auto open, find(part));
  if (bytes.size() > part.byte_size) {
    return invalid_argument(
        fmt::format("The answer has {} bytes; shared_memory_byte_size in region '{}' is {}.", bytes.size(),
                    shown(part.region), part.byte_size),
        Reason::kDataSizeMismatch);
  }
  auto at = static_cast<off_t>(open->region.offset + part.offset);
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(open->descriptor, bytes.data(), bytes.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return Error{.code = Code::kUnavailable,
                   .message = fmt::format("The answer could not be written to shared memory region '{}': the "
                                          "machine has no memory left for it.",
                                          shown(part.region))};
    }
    at += count;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace bascule::serving
