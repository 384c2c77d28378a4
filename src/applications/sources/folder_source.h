#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "applications/source.h"
#include "applications/sources/folder_index.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace bascule::applications {

struct FolderOptions {
  std::string source;            // the name that frames carry
  std::filesystem::path folder;  // may come later
  std::filesystem::path index;   // keeps the numbers of pictures; empty: memory
  std::uint64_t after = 0;       // the frame that was handled last
  bool follow = true;            // waits for new ones; else it ends with what is there
  Duration look_every = std::chrono::seconds(2);
  Duration settle = std::chrono::seconds(2);  // a file that nobody tells of is whole when unchanged so long
  std::uint64_t max_bytes = 256ULL << 20U;    // of one picture; larger ones are passed over
};

// The pictures of a folder, and those that come: sorted by name at the start, then in the order in which they
// were closed after writing or renamed into place, as the kernel tells; every few seconds the folder is
// looked at as well, for file systems that tell nothing. Subfolders, hidden files, files without the ending
// of a picture and files that are being written are passed over; a file that is written again is a new
// picture. Its frame's time is the file's. What cannot be read is counted as dropped and passed over.
// Thread-safety: as Source.
class FolderSource final : public Source {
 public:
  // Errors: of FolderIndex::open. `clock` outlives it.
  static Result<std::unique_ptr<Source>> open(FolderOptions options, const Clock& clock);
  FolderSource(FolderOptions options, FolderIndex index, const Clock& clock);
  ~FolderSource() override;
  FolderSource(const FolderSource&) = delete;
  FolderSource& operator=(const FolderSource&) = delete;

  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return false; }

 private:
  void watch();
  void take_changes();
  void wait(Duration most);
  Result<void> look();
  Result<void> number(const std::vector<FileState>& files);
  [[nodiscard]] bool settled(const FileState& file);
  std::optional<Frame> read(const NumberedFile& entry);
  void pass_over(const std::string& why);

  const FolderOptions options_;
  const Clock& clock_;
  FolderIndex index_;
  std::deque<NumberedFile> ready_;
  std::set<std::string, std::less<>> closed_;   // told of, to be looked at
  std::set<std::string, std::less<>> written_;  // of which the kernel told that they are being written
  struct Seen {
    FileState file;
    TimePoint since;
  };
  std::map<std::string, Seen, std::less<>> seen_;  // at the last look, not yet taken to be whole
  const int events_;                               // inotify; -1: none
  int watched_ = -1;                               // the folder; -1: not yet
  TimePoint next_look_{};
  bool looked_ = false;
  bool first_look_ = true;
  Guarded<SourceState> state_;
};

// Whether a file of this name is taken for a picture.
[[nodiscard]] bool names_picture(std::string_view name);

}  // namespace bascule::applications
