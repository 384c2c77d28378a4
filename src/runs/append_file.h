#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::runs {

// A file that grows at its end, or standard output ("-"). What was appended is in the file after flush(), and
// on the disk after sync(). Thread-safety: external (one thread).
class AppendFile {
 public:
  // Makes the file where there is none. Locks it, so that no second run writes to it. Errors:
  // kFailedPrecondition where another process has it; kInvalidArgument where it cannot be made.
  static Result<AppendFile> open(const std::filesystem::path& path);
  ~AppendFile();
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Forgets what lies behind the first `bytes`. Errors: kFailedPrecondition where there are fewer.
  Result<void> cut(std::uint64_t bytes);
  // Errors: kResourceExhausted where the disk is full; kUnavailable.
  Result<void> append(std::string_view bytes);
  Result<void> flush();
  Result<void> sync();
  // With what is not flushed yet.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_ + buffer_.size(); }

 private:
  AppendFile(int number, std::string shown) : number_(number), shown_(std::move(shown)) {}

  int number_ = -1;
  std::string shown_;
  std::string buffer_;
  std::uint64_t bytes_ = 0;  // flushed
};

// Puts the names of a folder's files on the disk: those that were made or went lately, too.
Result<void> sync_folder_of(const std::filesystem::path& file);

}  // namespace bascule::runs
