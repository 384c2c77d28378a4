#include "applications/sources/folder_index.h"

#include <algorithm>
#include <utility>

namespace bascule::applications {
namespace {

// `last` has one row: the highest number that was ever given.
constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS files(name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, written_ns INTEGER NOT "
    "NULL, number INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS last(number INTEGER NOT NULL);"
    "INSERT INTO last SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM last)";

std::int64_t stored(std::uint64_t number) { return static_cast<std::int64_t>(number); }

}  // namespace

Result<FolderIndex> FolderIndex::open(const std::filesystem::path& file, std::uint64_t after) {
  FolderIndex index;
  if (!file.empty()) {
    BASCULE_ASSIGN(journal::Database database, journal::Database::open(file));
    index.database_ = std::make_unique<journal::Database>(std::move(database));
    BASCULE_TRY(index.load());
  }
  index.last_ = std::max(index.last_, after);
  return Result<FolderIndex>(std::move(index));
}

Result<void> FolderIndex::load() {
  BASCULE_TRY(database_->run(kTables));
  BASCULE_ASSIGN(journal::Statement files,
                 database_->prepare("SELECT name, bytes, written_ns, number FROM files"));
  while (true) {
    BASCULE_ASSIGN(const bool more, files.step());
    if (!more) break;
    NumberedFile entry{.file = {.name = std::string(files.text(0)),
                                .bytes = files.integer(1),
                                .written_ns = files.integer(2)},
                       .number = static_cast<std::uint64_t>(files.integer(3))};
    files_.insert_or_assign(entry.file.name, std::move(entry));
  }
  BASCULE_ASSIGN(journal::Statement last, database_->prepare("SELECT number FROM last"));
  BASCULE_ASSIGN(const bool found, last.step());
  if (found) last_ = static_cast<std::uint64_t>(last.integer(0));
  return {};
}

bool FolderIndex::knows(const FileState& file) const {
  const auto found = files_.find(file.name);
  return found != files_.end() && found->second.file == file;
}

Result<std::vector<NumberedFile>> FolderIndex::add(std::span<const FileState> files) {
  std::vector<NumberedFile> added;
  added.reserve(files.size());
  std::uint64_t number = last_;
  for (const FileState& file : files) added.push_back({.file = file, .number = ++number});
  if (database_ != nullptr && !added.empty()) {
    BASCULE_ASSIGN(journal::Transaction transaction, journal::Transaction::begin(*database_));
    BASCULE_ASSIGN(journal::Statement insert,
                   database_->prepare("INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?)"));
    for (const NumberedFile& entry : added) {
      BASCULE_TRY(insert.bind(1, entry.file.name)
                      .bind(2, entry.file.bytes)
                      .bind(3, entry.file.written_ns)
                      .bind(4, stored(entry.number))
                      .run());
    }
    BASCULE_ASSIGN(journal::Statement last, database_->prepare("UPDATE last SET number = ?"));
    BASCULE_TRY(last.bind(1, stored(number)).run());
    BASCULE_TRY(transaction.commit());
  }
  last_ = number;
  for (const NumberedFile& entry : added) files_.insert_or_assign(entry.file.name, entry);
  return added;
}

std::vector<NumberedFile> FolderIndex::behind(std::uint64_t after) const {
  std::vector<NumberedFile> found;
  for (const auto& [name, entry] : files_) {
    if (entry.number > after) found.push_back(entry);
  }
  std::ranges::sort(found, {}, &NumberedFile::number);
  return found;
}

Result<void> FolderIndex::forget(std::span<const std::string> names) {
  if (names.empty()) return {};
  if (database_ != nullptr) {
    BASCULE_ASSIGN(journal::Transaction transaction, journal::Transaction::begin(*database_));
    BASCULE_ASSIGN(journal::Statement remove, database_->prepare("DELETE FROM files WHERE name = ?"));
    for (const std::string& name : names) BASCULE_TRY(remove.bind(1, name).run());
    BASCULE_TRY(transaction.commit());
  }
  for (const std::string& name : names) files_.erase(name);
  return {};
}

}  // namespace bascule::applications
