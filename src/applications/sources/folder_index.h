#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/database.h"

namespace bascule::applications {

// One state of a file: written again, it is another picture.
// Thread-safety: a value.
struct FileState {
  std::string name;
  std::int64_t bytes = 0;
  std::int64_t written_ns = 0;  // since 1970 UTC
  bool operator==(const FileState&) const = default;
};

// A file and the number that it has for good.
// Thread-safety: a value.
struct NumberedFile {
  FileState file;
  std::uint64_t number = 0;
};

// Which number each picture of a folder has: given once and kept in a file of its own, so that after a
// restart the same picture has the same number, whatever came or went meanwhile.
// Thread-safety: external (one thread).
class FolderIndex {
 public:
  // `file`: where the numbers are kept; empty: in memory only. Numbers begin behind `after`. Errors: of
  // journal::Database.
  static Result<FolderIndex> open(const std::filesystem::path& file, std::uint64_t after);

  // Whether this state of the file has a number.
  [[nodiscard]] bool knows(const FileState& file) const;
  // Gives the files the next numbers, in their order; all are kept, or none. Errors: of journal::Database.
  Result<std::vector<NumberedFile>> add(std::span<const FileState> files);
  // Those with numbers behind `after`, by number.
  [[nodiscard]] std::vector<NumberedFile> behind(std::uint64_t after) const;
  // Forgets files that are gone. Errors: as above.
  Result<void> forget(std::span<const std::string> names);
  // Of the files that are known, the names for which `gone` holds.
  template <class Gone>
  [[nodiscard]] std::vector<std::string> names_where(Gone gone) const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : files_) {
      if (gone(name)) names.push_back(name);
    }
    return names;
  }
  [[nodiscard]] std::size_t size() const { return files_.size(); }

 private:
  FolderIndex() = default;
  Result<void> load();

  std::unique_ptr<journal::Database> database_;  // null: in memory only
  std::map<std::string, NumberedFile, std::less<>> files_;
  std::uint64_t last_ = 0;
};

}  // namespace bascule::applications
