#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "video/descriptor.h"

namespace bascule::video {

struct ChildLimits {
  std::uint64_t memory_bytes = 2ULL << 30U;  // of its address space
  Duration cpu_time{};                       // 0: no limit
  // Without a word after its last output, until it is killed.
  Duration ending = std::chrono::seconds(5);
};

// Another program, whose output is read. It has no other open files than /dev/null, its two outputs and
// kInput, writes no files, has nothing of this process's environment, and does not outlive this.
// Thread-safety: external (one thread).
class Child {
 public:
  static constexpr int kInput = 3;  // the number that `input` has there

  // `words`: the program's path and its arguments. Errors: kUnavailable where no process can be made.
  static Result<Child> start(const std::vector<std::string>& words, const Descriptor& input,
                             const ChildLimits& limits);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  // Kills and waits for it, where it still runs.
  ~Child();

  // What it has written to its standard output, as much as there is room for; waits for it, at most `most`.
  // Nothing where nothing came; 0 at the end.
  std::optional<std::size_t> read(std::span<std::byte> room, Duration most);

  // How it ended.
  struct End {
    int exit_code = 0;
    int signal = 0;    // that ended it; 0: none
    std::string said;  // the end of what it wrote to its standard error
  };
  // Waits for its end, and makes one where it takes too long; after read() gave 0.
  End wait();
  [[nodiscard]] pid_t id() const { return id_; }

 private:
  Child(pid_t id, Descriptor output, Descriptor errors, Duration ending);
  void take_errors();
  int reap();

  pid_t id_;  // 0: it has been waited for
  Duration ending_;
  Descriptor output_;
  Descriptor errors_;
  std::string said_;
};

}  // namespace bascule::video
