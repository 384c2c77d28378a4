#include "app/watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include "base/executor.h"
#include "base/log.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR;

void drain(int fd) {
  alignas(inotify_event) char block[4096];
  while (::read(fd, block, sizeof block) > 0) {
  }
}

int timeout_ms(const std::optional<TimePoint>& due, TimePoint now) {
  if (!due) return -1;
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(*due - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(rest, 0, 1'000'000'000));
}

}  // namespace

Watch::Watch(WatchOptions options)
    : options_(std::move(options)),
      events_(options_.events ? ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (options_.events && events_ < 0) {
    log::warning("Changes of files cannot be watched here: {}.", std::system_category().message(errno));
  }
  thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
  const std::uint64_t one = 1;
  (void)!::write(stop_, &one, sizeof one);
  thread_.join();
  if (events_ >= 0) ::close(events_);
  ::close(stop_);
}

void Watch::run() const {
  set_thread_name("watch");
  const bool by_clock = options_.every > Duration{};
  const SteadyClock clock;
  // At once, for what changed while the models were loaded.
  std::optional<TimePoint> due = clock.now();
  while (true) {
    pollfd waiting[] = {{.fd = stop_, .events = POLLIN, .revents = 0},
                        {.fd = events_, .events = POLLIN, .revents = 0}};  // below 0: passed over
    ::poll(waiting, 2, timeout_ms(due, clock.now()));
    if (waiting[0].revents != 0) return;
    if (waiting[1].revents != 0) {
      drain(events_);
      // The first of many changes sets the time: a folder that never rests is looked at all the same.
      due = std::min(due.value_or(TimePoint::max()), clock.now() + options_.settle);
      // Not told of each of them meanwhile.
      pollfd stop{.fd = stop_, .events = POLLIN, .revents = 0};
      if (::poll(&stop, 1, timeout_ms(due, clock.now())) > 0) return;
      drain(events_);
    }
    if (!due || clock.now() < *due) continue;
    add_folders();  // first, so that no change falls between the look and the watch
    const bool settled = options_.look();
    due.reset();
    if (by_clock) due = clock.now() + options_.every;
    if (!settled) due = clock.now() + options_.settle;
  }
}

void Watch::add_folders() const {
  if (events_ < 0) return;
  std::error_code code;
  for (const fs::path& path : options_.paths) {
    if (fs::is_directory(path, code)) {
      add_below(path, 2);
    } else {
      add_below(path.has_parent_path() ? path.parent_path() : fs::path("."), 0);
    }
  }
}

void Watch::add_below(const fs::path& folder, int levels) const {
  if (::inotify_add_watch(events_, folder.c_str(), kChanges) < 0 && errno == ENOSPC) {
    log::warning(
        "'{}' is not watched: the kernel's limit of watches is reached (fs.inotify.max_user_watches).",
        folder.string());
  }
  if (levels == 0) return;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    std::error_code ignored;
    if (at->is_directory(ignored)) add_below(at->path(), levels - 1);
  }
}

}  // namespace bascule::app
