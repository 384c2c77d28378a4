#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::applications {

// A file that lines are appended to, each on the disk before the next. What a kill, a power cut or a full
// disk left of a line is taken away before more is written. Thread-safety: external (one thread at a time).
class LineFile {
 public:
  static constexpr std::size_t kTail = 256ULL << 10U;  // bytes at the end that are looked through for doubles

  // `header`: the first line of a new file; may be empty.
  LineFile(std::filesystem::path file, std::string header)
      : file_(std::move(file)), header_(std::move(header)) {}
  ~LineFile() { close(); }
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // Appends `line`, which has no line end of its own, unless `id` stood at the end of the file when it was
  // opened. Errors: kResourceExhausted for a full disk, kUnavailable for what else goes wrong.
  Result<void> append(std::string_view line, std::string_view id);

 private:
  Result<void> open();
  Result<void> mend(std::uint64_t size);
  [[nodiscard]] bool is_at_its_path() const;
  [[nodiscard]] Error failed(std::string_view what, int number) const;
  void close();

  const std::filesystem::path file_;
  const std::string header_;
  int descriptor_ = -1;
  std::string tail_;           // as it was when the file was opened
  off_t good_ = 0;             // size up to the last line that is on the disk
  bool half_written_ = false;  // something behind `good_` may be there
};

}  // namespace bascule::applications
