#include "applications/sources/folder_source.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "applications/pause.h"
#include "base/date.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace bascule::applications {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR;
constexpr std::size_t kMostReady = 10'000;   // files with a number that wait; the others are found later
constexpr std::size_t kSpareEntries = 1000;  // of the index, for files that are gone
constexpr std::array<std::string_view, 11> kEndings = {"jpg",  "jpeg", "png",  "webp", "bmp", "tif",
                                                       "tiff", "gif",  "avif", "heic", "heif"};

std::optional<FileState> state_of(const fs::path& folder, const std::string& name) {
  struct stat about{};
  if (::stat((folder / name).c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
  return FileState{.name = name,
                   .bytes = about.st_size,
                   .written_ns = about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec};
}

}  // namespace

bool names_picture(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (name.starts_with('.') || dot == std::string_view::npos) return false;
  return std::ranges::find(kEndings, text::to_lower(name.substr(dot + 1))) != kEndings.end();
}

Result<std::unique_ptr<Source>> FolderSource::open(FolderOptions options, const Clock& clock) {
  BASCULE_ASSIGN(FolderIndex index, FolderIndex::open(options.index, options.after));
  return std::unique_ptr<Source>(std::make_unique<FolderSource>(std::move(options), std::move(index), clock));
}

FolderSource::FolderSource(FolderOptions options, FolderIndex index, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      index_(std::move(index)),
      events_(options_.follow ? ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1) {
  // Those that have a number and were not handled come first, where they are still what they were.
  for (NumberedFile& entry : index_.behind(options_.after)) {
    if (state_of(options_.folder, entry.file.name) == entry.file) ready_.push_back(std::move(entry));
  }
}

FolderSource::~FolderSource() {
  if (events_ >= 0) ::close(events_);
}

Result<std::optional<Frame>> FolderSource::next(const Stop& stop) {
  while (true) {
    if (stop()) return stopped();
    while (!ready_.empty()) {
      const NumberedFile entry = std::move(ready_.front());
      ready_.pop_front();
      if (auto frame = read(entry)) return frame;
      if (stop()) return stopped();
    }
    watch();
    take_changes();
    const bool due = !looked_ || clock_.now() >= next_look_;
    if (due || !closed_.empty()) BASCULE_TRY(look());
    if (!ready_.empty()) continue;
    if (!options_.follow) {
      state_.with([](SourceState& s) { s.status = SourceStatus::kEnded; });
      return std::optional<Frame>();
    }
    wait(std::min(kStopLook, options_.look_every));
  }
}

// Watches the folder once it is there.
void FolderSource::watch() {
  if (events_ < 0 || watched_ >= 0) return;
  watched_ = ::inotify_add_watch(events_, options_.folder.c_str(), kChanges);
}

void FolderSource::wait(Duration most) {
  pollfd waiting{.fd = events_, .events = POLLIN, .revents = 0};  // below 0: passed over
  ::poll(&waiting, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(most).count()));
}

void FolderSource::take_changes() {
  if (events_ < 0) return;
  alignas(inotify_event) std::array<char, 16384> block{};
  for (ssize_t count = 0; (count = ::read(events_, block.data(), block.size())) > 0;) {
    for (ssize_t at = 0; at < count;) {
      const auto* event = reinterpret_cast<const inotify_event*>(block.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_IGNORED) != 0) watched_ = -1;  // the folder was taken away
      if ((event->mask & (IN_Q_OVERFLOW | IN_IGNORED)) != 0) {
        written_.clear();
        looked_ = false;
      }
      if (event->len == 0) continue;
      const std::string name(event->name);
      if (!names_picture(name)) continue;
      if ((event->mask & (IN_CREATE | IN_MODIFY)) != 0) written_.insert(name);
      if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM)) != 0) {
        written_.erase(name);
      }
      if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) closed_.insert(name);
    }
  }
}

// Gives numbers to what is whole and has none.
Result<void> FolderSource::look() {
  std::vector<FileState> whole;
  for (const std::string& name : std::exchange(closed_, {})) {
    auto file = state_of(options_.folder, name);
    if (file && !written_.contains(name) && !index_.knows(*file)) whole.push_back(*std::move(file));
  }
  if (looked_ && clock_.now() < next_look_) return number(whole);
  next_look_ = clock_.now() + options_.look_every;
  looked_ = true;
  std::error_code code;
  std::set<std::string, std::less<>> here;
  const auto told = whole.size();
  for (fs::directory_iterator at(options_.folder, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    if (!names_picture(name)) continue;
    here.insert(name);
    auto file = state_of(options_.folder, name);
    if (!file || written_.contains(name) || index_.knows(*file) || !settled(*file)) continue;
    if (std::find(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(told), *file) ==
        whole.begin() + static_cast<std::ptrdiff_t>(told)) {
      whole.push_back(*std::move(file));
    }
  }
  state_.with([&](SourceState& s) {
    s.status = code ? SourceStatus::kWaiting : SourceStatus::kRunning;
    if (code) {
      s.error = fmt::format("The folder '{}' cannot be read: {}.", options_.folder.string(), code.message());
    }
  });
  if (code) return options_.follow ? Result<void>() : not_found(state().error);
  std::erase_if(seen_, [&](const auto& entry) { return !here.contains(entry.first); });
  if (index_.size() > 2 * here.size() + kSpareEntries) {
    BASCULE_TRY(index_.forget(index_.names_where([&](const auto& name) { return !here.contains(name); })));
  }
  first_look_ = false;
  return number(whole);
}

// Without a word from the kernel: unchanged for a while, by this clock; at the start, by the file's.
bool FolderSource::settled(const FileState& file) {
  const auto before = seen_.find(file.name);
  const TimePoint now = clock_.now();
  const bool same = before != seen_.end() && before->second.file == file;
  const auto age = std::chrono::nanoseconds(unix_time().count() - file.written_ns);
  const bool unchanged = same && now - before->second.since >= options_.settle;
  if (unchanged || (first_look_ && age >= options_.settle) || !options_.follow) {
    if (before != seen_.end()) seen_.erase(before);
    return true;
  }
  if (!same) seen_.insert_or_assign(file.name, Seen{.file = file, .since = now});
  return false;
}

Result<void> FolderSource::number(const std::vector<FileState>& files) {
  std::vector<FileState> sorted = files;
  std::ranges::sort(sorted, {}, &FileState::name);
  if (sorted.size() > kMostReady) sorted.resize(kMostReady);
  BASCULE_ASSIGN(std::vector<NumberedFile> added, index_.add(sorted));
  std::ranges::move(added, std::back_inserter(ready_));
  return {};
}

std::optional<Frame> FolderSource::read(const NumberedFile& entry) {
  const fs::path path = options_.folder / entry.file.name;
  Result<std::vector<std::byte>> bytes = read_file(path, options_.max_bytes);
  if (!bytes) {
    pass_over(bytes.error().message);
    return std::nullopt;
  }
  // Written again meanwhile: what was read may be half of each. It is given as what it then is.
  if (state_of(options_.folder, entry.file.name) != entry.file) {
    pass_over(fmt::format("'{}' was changed before it was read.", path.string()));
    return std::nullopt;
  }
  const auto owner = std::make_shared<const std::vector<std::byte>>(*std::move(bytes));
  state_.with([](SourceState& s) { ++s.frames; });
  return Frame{.picture = {.bytes = *owner, .owner = owner, .name = entry.file.name},
               .source = options_.source,
               .number = entry.number,
               .time_ms = entry.file.written_ns / 1'000'000};
}

void FolderSource::pass_over(const std::string& why) {
  log::warning("{}: {}", options_.source, text::escape_controls(why));
  state_.with([&](SourceState& s) {
    ++s.dropped;
    s.error = why;
  });
}

}  // namespace bascule::applications
