#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bascule::runs {

// The files of a folder and of the folders in it, by name within each, so that their order is the same in
// every run. Links to folders are not gone into. Keeps the names of one folder for each level, not the paths
// of all files. Thread-safety: external (one thread).
class FolderWalk {
 public:
  using Wanted = std::function<bool(const std::filesystem::path&)>;

  FolderWalk(std::filesystem::path folder, Wanted wanted);

  struct Found {
    std::string path;
    std::string fault;  // of a folder that cannot be read
  };
  // Nothing at the end.
  std::optional<Found> next();

 private:
  struct Entry {
    std::string name;
    bool folder = false;
  };
  struct Level {
    std::filesystem::path path;
    std::vector<Entry> entries;
    std::size_t at = 0;
  };
  void enter(std::filesystem::path folder);

  const Wanted wanted_;
  std::vector<Level> levels_;
  std::optional<Found> fault_;
};

// How many files a walk would find now.
[[nodiscard]] std::uint64_t count_files(const std::filesystem::path& folder,
                                        const FolderWalk::Wanted& wanted);

}  // namespace bascule::runs
