#include "app/refresh.h"

#include <sys/stat.h>

#include <utility>

#include "base/executor.h"

namespace bascule::app {

Refresh::Refresh(std::vector<Refreshed> all, Duration every) : every_(every) {
  for (Refreshed& each : all) {
    Look now = look(each.files);
    watched_.push_back({.what = std::move(each), .loaded = now, .last = now});
  }
  if (!watched_.empty()) thread_ = std::thread([this] { run(); });
}

Refresh::~Refresh() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Refresh::Look Refresh::look(const std::vector<std::string>& files) {
  Look seen;
  for (const std::string& file : files) {
    struct stat facts{};
    if (::stat(file.c_str(), &facts) != 0) facts = {};
    seen.insert(seen.end(), {facts.st_dev, facts.st_ino, static_cast<std::uint64_t>(facts.st_size),
                             static_cast<std::uint64_t>(facts.st_mtim.tv_sec),
                             static_cast<std::uint64_t>(facts.st_mtim.tv_nsec)});
  }
  return seen;
}

void Refresh::run() {
  set_thread_name("refresh");
  while (true) {
    {
      MutexLock lock(mutex_);
      if (changed_.wait_for(mutex_, every_, [this]() BASCULE_REQUIRES(mutex_) { return ended_; })) return;
    }
    for (Watched& each : watched_) {
      Look now = look(each.what.files);
      const bool rests = now == each.last;
      each.last = std::move(now);
      if (!rests || each.last == each.loaded) continue;
      each.loaded = each.last;
      each.what.load();
    }
  }
}

}  // namespace bascule::app
