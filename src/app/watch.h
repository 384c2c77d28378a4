#pragma once

#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace bascule::app {

struct WatchOptions {
  std::vector<std::filesystem::path> paths;          // files, or folders that are followed two levels down
  bool events = false;                               // look again when the kernel tells of a change
  Duration every{};                                  // look again so often; 0: never unasked
  Duration settle = std::chrono::milliseconds(500);  // between two looks at what changes
  // Looks; true where all that was seen is settled. Called on the watch's own thread.
  std::function<bool()> look;
};

// Looks at folders again when something in them changes, or by the clock, from a thread of its own; and again
// shortly after, for as long as what it sees is not settled.
// Thread-safety: external (one thread makes and destroys it).
class Watch {
 public:
  explicit Watch(WatchOptions options);
  // Waits for a look that is under way.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  void run() const;
  void add_folders() const;
  void add_below(const std::filesystem::path& folder, int levels) const;

  const WatchOptions options_;
  const int events_;  // inotify; -1: none
  const int stop_;    // eventfd
  std::thread thread_;
};

}  // namespace bascule::app
