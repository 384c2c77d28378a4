#include "app/pictures.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 15> kExtensions = {".jpg",  ".jpeg",  ".jpe",  ".png",  ".webp",
                                                          ".bmp",  ".dib",   ".tif",  ".tiff", ".gif",
                                                          ".avif", ".avifs", ".heic", ".heif", ".hif"};

constexpr std::array<std::string_view, 16> kVideoExtensions = {
    ".mp4", ".m4v",  ".mov", ".3gp",  ".mkv", ".webm", ".avi", ".ts",
    ".mts", ".m2ts", ".mpg", ".mpeg", ".flv", ".wmv",  ".asf", ".ogv"};

std::vector<std::string> pictures_in(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->is_regular_file(code) && looks_like_picture(it->path())) files.push_back(it->path().string());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> globbed(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t matches{};
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    files.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  globfree(&matches);
  return files;
}

}  // namespace

bool looks_like_rows(const std::string& word) {
  const std::string ending = text::to_lower(fs::path(word).extension().string());
  return word == "-" || ending == ".csv" || ending == ".json" || ending == ".txt";
}

bool looks_like_picture(const fs::path& file) {
  return std::ranges::find(kExtensions, text::to_lower(file.extension().string())) != kExtensions.end();
}

bool looks_like_video(const fs::path& file) {
  const std::string extension = text::to_lower(file.extension().string());
  return std::ranges::find(kVideoExtensions, extension) != kVideoExtensions.end();
}

bool is_url(std::string_view word) { return word.starts_with("http://") || word.starts_with("https://"); }

Result<std::vector<std::string>> expand_pictures(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    if (is_url(word)) {
      out.push_back(word);
      continue;
    }
    std::error_code code;
    const fs::file_status status = fs::status(word, code);
    if (word == "-" || (fs::exists(status) && !fs::is_directory(status))) {
      out.push_back(word);
      continue;
    }
    std::vector<std::string> found = fs::is_directory(status) ? pictures_in(word) : globbed(word);
    if (found.empty()) {
      return not_found(
          fs::is_directory(status)
              ? fmt::format("The folder '{}' holds no pictures ({}).", word, fmt::join(kExtensions, ", "))
              : fmt::format("There is no file, folder or match for '{}'.", word));
    }
    out.insert(out.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  }
  return out;
}

}  // namespace bascule::app
