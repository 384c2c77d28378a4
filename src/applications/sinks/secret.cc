#include "applications/sinks/secret.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace bascule::applications {

Result<std::string> read_secret(const std::filesystem::path& file) {
  constexpr std::uint64_t kMost = 4096;
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMost));
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view secret = text::trimmed(all);
  if (secret.empty()) {
    return invalid_argument(
        fmt::format("Nothing stands in '{}', where a secret is looked for.", file.string()));
  }
  return std::string(secret);
}

}  // namespace bascule::applications
