#include "video/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace bascule::video {
namespace {

constexpr std::size_t kKeptErrors = 4096;
constexpr int kPipeBytes = 1 << 20;

// The limits hold before the program begins: a shell sets them and becomes it.
constexpr const char* kLimited =
    "ulimit -v \"$1\" && ulimit -t \"$2\" && ulimit -c 0 && ulimit -f 0 && shift 2 && exec \"$@\"";

struct Pipe {
  Descriptor from;
  Descriptor to;
};

// Both ends above the numbers that a child gives its own.
Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) == 0) {
    const Descriptor from(ends[0]);
    const Descriptor to(ends[1]);
    Pipe pipe{.from = Descriptor(::fcntl(from.number(), F_DUPFD_CLOEXEC, Child::kInput + 1)),
              .to = Descriptor(::fcntl(to.number(), F_DUPFD_CLOEXEC, Child::kInput + 1))};
    if (pipe.from.open() && pipe.to.open()) return pipe;
  }
  return Error{.code = Code::kUnavailable,
               .message = "The server has no file descriptor free. Try again later."};
}

// What posix_spawn is told beside the program.
// Thread-safety: external (one owner).
class Setting {
 public:
  Setting(const Pipe& output, const Pipe& errors, const Descriptor& input) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output.to.number(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors.to.number(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, input.number(), Child::kInput);
    posix_spawn_file_actions_addclosefrom_np(&actions_, Child::kInput + 1);
    posix_spawnattr_init(&attributes_);
    // A group of its own: the terminal's Ctrl-C is for this process, which ends the child when it wants to.
    posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes_, &usual);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Setting() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// What exec takes. The strings outlive it and are only read.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> limited(const std::vector<std::string>& words, const ChildLimits& limits) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.cpu_time).count();
  std::vector<std::string> out = {"/bin/sh",
                                  "-c",
                                  kLimited,
                                  "limited",
                                  std::to_string(limits.memory_bytes / 1024),
                                  seconds > 0 ? std::to_string(seconds) : "unlimited"};
  out.insert(out.end(), words.begin(), words.end());
  return out;
}

}  // namespace

Child::Child(pid_t id, Descriptor output, Descriptor errors, Duration ending)
    : id_(id), ending_(ending), output_(std::move(output)), errors_(std::move(errors)) {}

Child::Child(Child&& other) noexcept
    : id_(std::exchange(other.id_, 0)),
      ending_(other.ending_),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      said_(std::move(other.said_)) {}

Child::~Child() {
  if (id_ == 0) return;
  ::kill(id_, SIGKILL);
  reap();
}

Result<Child> Child::start(const std::vector<std::string>& words, const Descriptor& input,
                           const ChildLimits& limits) {
  BASCULE_ASSIGN(Pipe output, make_pipe());
  BASCULE_ASSIGN(Pipe errors, make_pipe());
  ::fcntl(output.from.number(), F_SETPIPE_SZ, kPipeBytes);  // fewer turns; else as many as there are
  const Descriptor moved(::fcntl(input.number(), F_DUPFD_CLOEXEC, kInput + 1));
  const Setting setting(output, errors, moved);
  std::vector<std::string> arguments = limited(words, limits);
  std::vector<std::string> environment = {"LC_ALL=C"};
  pid_t id = 0;
  const int failed = ::posix_spawn(&id, arguments[0].c_str(), setting.actions(), setting.attributes(),
                                   pointers_to(arguments).data(), pointers_to(environment).data());
  if (failed != 0) {
    return Error{.code = Code::kUnavailable,
                 .message = "No process could be made to read the video. Try again later."};
  }
  return Child(id, std::move(output.from), std::move(errors.from), limits.ending);
}

void Child::take_errors() {
  std::array<char, 4096> room{};
  const ssize_t count = ::read(errors_.number(), room.data(), room.size());
  if (count <= 0) return errors_.close();
  said_.append(room.data(), static_cast<std::size_t>(count));
  if (said_.size() > kKeptErrors) said_.erase(0, said_.size() - kKeptErrors);
}

std::optional<std::size_t> Child::read(std::span<std::byte> room, Duration most) {
  // A descriptor of -1 is passed over.
  std::array<pollfd, 2> waiting = {pollfd{.fd = output_.number(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = errors_.number(), .events = POLLIN, .revents = 0}};
  const auto limit = std::chrono::ceil<std::chrono::milliseconds>(most).count();
  if (::poll(waiting.data(), waiting.size(), static_cast<int>(limit)) <= 0) return std::nullopt;
  if (waiting[1].revents != 0) take_errors();
  if (waiting[0].revents == 0) return std::nullopt;
  const ssize_t count = ::read(output_.number(), room.data(), room.size());
  if (count < 0) return errno == EINTR ? std::nullopt : std::optional<std::size_t>(0);
  return static_cast<std::size_t>(count);
}

int Child::reap() {
  int status = 0;
  while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  id_ = 0;
  return status;
}

Child::End Child::wait() {
  const auto most = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(ending_).count());
  while (errors_.open()) {
    pollfd waiting{.fd = errors_.number(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, most);
    if (ready > 0) take_errors();
    if (ready == 0) ::kill(id_, SIGKILL);
  }
  const int status = reap();
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
          .said = said_};
}

}  // namespace bascule::video
