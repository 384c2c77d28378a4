#include "backend/model_file.h"

#include <array>
#include <fstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::backend {

std::string shown_name(const std::filesystem::path& file) {
  return text::shortened(text::escape_controls(file.filename().string()), 120);
}

Result<void> check_model_file(const std::filesystem::path& file) {
  const std::string name = shown_name(file);
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return not_found(fmt::format("Model file '{}' does not exist.", name));
  }
  if (error)
    return invalid_argument(fmt::format("Model file '{}' cannot be read: {}.", name, error.message()));
  if (std::filesystem::is_directory(status)) {
    return invalid_argument(fmt::format("'{}' is a folder, not a model file.", name));
  }
  if (!std::filesystem::is_regular_file(status)) {
    return invalid_argument(fmt::format("'{}' is no regular file.", name));
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error)
    return invalid_argument(fmt::format("Model file '{}' cannot be read: {}.", name, error.message()));
  if (size == 0) return invalid_argument(fmt::format("Model file '{}' is empty (0 bytes).", name));
  return {};
}

std::string describe_unreadable(const std::filesystem::path& file, const std::string& kind) {
  std::array<char, 64> head{};
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), head.size());
  const std::string_view start(head.data(), static_cast<std::size_t>(in.gcount()));
  if (start.starts_with("version https://git-lfs")) {
    return "is a Git LFS pointer, not the model; fetch it with 'git lfs pull'";
  }
  // Every exporter writes field 1, the IR version, first: tag 8 and a small number.
  if (kind.contains("ONNX") && start.size() > 2 && start[0] == '\x08' && start[1] > 0 && start[1] < 32) {
    return fmt::format("begins like {} but cannot be read to its end; it is damaged or was cut short", kind);
  }
  return fmt::format("is not {}; it may be damaged or another kind of file", kind);
}

}  // namespace bascule::backend
