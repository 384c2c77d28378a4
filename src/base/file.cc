#include "base/file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule {
namespace fs = std::filesystem;
namespace {

Error too_large(std::string_view name, std::uint64_t max_bytes) {
  return {.code = Code::kPayloadTooLarge,
          .message = fmt::format("{} is larger than the limit of {}.", name, text::human_bytes(max_bytes))};
}

Result<std::vector<std::byte>> read_stdin(std::uint64_t max_bytes) {
  std::vector<std::byte> out;
  std::array<std::byte, 65536> chunk;
  while (true) {
    const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), stdin);
    out.insert(out.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(n));
    if (out.size() > max_bytes) return too_large("Standard input", max_bytes);
    if (n < chunk.size()) return out;
  }
}

}  // namespace

Result<std::vector<std::byte>> read_file(const fs::path& path, std::uint64_t max_bytes) {
  if (path == "-") return read_stdin(max_bytes);
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) return not_found(fmt::format("There is no file '{}'.", path.string()));
  if (!fs::is_regular_file(status)) {
    return invalid_argument(fmt::format("'{}' is not a regular file.", path.string()));
  }
  const std::uint64_t size = fs::file_size(path, code);
  if (code) {
    return invalid_argument(fmt::format("'{}' cannot be read: {}.", path.string(), code.message()));
  }
  if (size > max_bytes) return too_large(fmt::format("'{}'", path.string()), max_bytes);
  std::ifstream in(path, std::ios::binary);
  std::vector<std::byte> out(size);
  if (!in || !in.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(size))) {
    return invalid_argument(fmt::format(
        "'{}' cannot be read; check its permissions and that nothing is writing it.", path.string()));
  }
  return out;
}

Result<void> write_file(const fs::path& path, std::string_view bytes) {
  fs::path temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  const auto failed = [&](std::string_view what) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("'{}' cannot be written: {}.", path.string(), what)};
  };
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.flush();
    if (!out) return failed("the folder is missing, full or read-only");
  }
  std::error_code code;
  fs::rename(temporary, path, code);
  if (code) return failed(code.message());
  return {};
}

Result<fs::path> safe_join(const fs::path& root, std::string_view name) {
  const auto refused = [&](std::string_view why) {
    return invalid_argument(
        fmt::format("'{}' is not accepted as a file name: {}.", text::shortened(name), why));
  };
  if (name.empty()) return refused("it is empty");
  if (name.find('\0') != std::string_view::npos) return refused("it holds a NUL byte");
  const fs::path relative{std::string(name)};
  if (relative.is_absolute()) return refused("it is absolute");
  if (name.find("//") != std::string_view::npos) return refused("it has an empty part");
  for (const fs::path& part : relative) {
    if (part == "..") return refused("it leaves its folder");
    if (part.empty()) return refused("it has an empty part");
    if (part.native().size() > 255) return refused("a part is longer than 255 bytes");
  }
  std::error_code code;
  const fs::path canonical_root = fs::weakly_canonical(root, code);
  if (code) return refused("its folder cannot be resolved");
  fs::path joined = fs::weakly_canonical(canonical_root / relative, code);
  if (code) return refused("it cannot be resolved");
  const auto [end, rest] =
      std::mismatch(canonical_root.begin(), canonical_root.end(), joined.begin(), joined.end());
  if (end != canonical_root.end()) return refused("a link leaves its folder");
  // What could not be resolved because it is not there stands in `joined` as given: a link to nothing, too.
  for (fs::path part = joined; part != canonical_root; part = part.parent_path()) {
    if (fs::is_symlink(fs::symlink_status(part, code))) return refused("it is a link to nothing");
  }
  return joined;
}

bool valid_model_name(std::string_view name) {
  if (name.empty() || name.size() > 128 || name[0] == '.' || name[0] == '-') return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

}  // namespace bascule
