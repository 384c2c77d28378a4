#include "runs/folder_walk.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace bascule::runs {
namespace {

namespace fs = std::filesystem;

// A link to a folder is neither.
bool is_folder(const fs::directory_entry& entry) {
  std::error_code code;
  return !entry.is_symlink(code) && entry.is_directory(code);
}

bool is_wanted(const fs::directory_entry& entry, const FolderWalk::Wanted& wanted) {
  std::error_code code;
  return wanted(entry.path()) && entry.is_regular_file(code);
}

}  // namespace

FolderWalk::FolderWalk(fs::path folder, Wanted wanted) : wanted_(std::move(wanted)) {
  enter(std::move(folder));
}

void FolderWalk::enter(fs::path folder) {
  Level level{.path = std::move(folder)};
  std::error_code code;
  for (fs::directory_iterator it(level.path, code), end; !code && it != end; it.increment(code)) {
    const bool folder_in_it = is_folder(*it);
    if (!folder_in_it && !is_wanted(*it, wanted_)) continue;
    level.entries.push_back({.name = it->path().filename().string(), .folder = folder_in_it});
  }
  if (code) {
    fault_ = {.path = level.path.string(),
              .fault = fmt::format("The folder cannot be read: {}.", code.message())};
  }
  std::ranges::sort(level.entries, {}, &Entry::name);
  levels_.push_back(std::move(level));
}

std::optional<FolderWalk::Found> FolderWalk::next() {
  while (!levels_.empty()) {
    if (fault_) return std::exchange(fault_, std::nullopt);
    Level& level = levels_.back();
    if (level.at == level.entries.size()) {
      levels_.pop_back();
      continue;
    }
    const Entry& entry = level.entries[level.at++];
    fs::path path = level.path / entry.name;
    if (!entry.folder) return Found{.path = path.string(), .fault = {}};
    enter(std::move(path));
  }
  return std::nullopt;
}

std::uint64_t count_files(const fs::path& folder, const FolderWalk::Wanted& wanted) {
  std::uint64_t count = 0;
  std::error_code code;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, code), end;
       !code && it != end; it.increment(code)) {
    if (!is_folder(*it) && is_wanted(*it, wanted)) ++count;
  }
  return count;
}

}  // namespace bascule::runs
