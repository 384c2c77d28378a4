#include "net/test_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/clock.h"

namespace bascule::net {
namespace {

constexpr int kWaitMs = 30'000;
constexpr int kLookMs = 10;

// Both streams of the child go to `output`, or nowhere.
pid_t spawn(const std::vector<std::string>& command, int output) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (output >= 0) {
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t process = -1;
  const int code = posix_spawnp(&process, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return code == 0 ? process : -1;
}

}  // namespace

TestProcess::TestProcess(const std::vector<std::string>& command) {
  std::array<int, 2> pipe{};
  BASCULE_CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  process_ = spawn(command, pipe[1]);
  ::close(pipe[1]);
  output_ = pipe[0];
}

void TestProcess::end() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  process_ = -1;
  if (output_ >= 0) ::close(output_);
  output_ = -1;
}

std::string TestProcess::read_line() {
  while (true) {
    if (const std::size_t end = rest_.find('\n'); end != std::string::npos) {
      std::string line = rest_.substr(0, end);
      rest_.erase(0, end + 1);
      return line;
    }
    pollfd wait{.fd = output_, .events = POLLIN, .revents = 0};
    std::array<char, 4096> room{};
    if (output_ < 0 || poll(&wait, 1, kWaitMs) != 1) return "";
    const ssize_t count = ::read(output_, room.data(), room.size());
    if (count <= 0) return "";
    rest_.append(room.data(), static_cast<std::size_t>(count));
  }
}

bool TestProcess::wait_for(const std::string& text) {
  while (true) {
    const std::string line = read_line();
    if (line.find(text) != std::string::npos) return true;
    if (line.empty()) return false;
  }
}

bool run_program(const std::vector<std::string>& command) {
  const pid_t process = spawn(command, -1);
  int status = 0;
  return process > 0 && ::waitpid(process, &status, 0) == process && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

bool wait_until(const std::function<bool()>& done) {
  const SteadyClock clock;
  const TimePoint end = clock.now() + std::chrono::milliseconds(kWaitMs);
  while (!done()) {
    if (clock.now() >= end) return false;
    poll(nullptr, 0, kLookMs);
  }
  return true;
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  BASCULE_CHECK(::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
  BASCULE_CHECK(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

bool make_certificates(const std::filesystem::path& folder) {
  const auto at = [&](const char* name) { return (folder / name).string(); };
  const auto authority = [&](const char* name, const char* key) {
    return run_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout", at(key), "-out",
                        at(name)});
  };
  std::ofstream(at("server.ext")) << "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
  return authority("ca.pem", "ca.key") && authority("other.pem", "other.key") &&
         run_program({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", "/CN=server", "-keyout", at("server.key"), "-out", at("server.csr")}) &&
         run_program({"openssl", "x509", "-req", "-days", "2", "-in", at("server.csr"), "-CA", at("ca.pem"),
                      "-CAkey", at("ca.key"), "-CAcreateserial", "-extfile", at("server.ext"), "-out",
                      at("server.pem")});
}

TestBroker::TestBroker(std::filesystem::path folder, std::string extra)
    : folder_(std::move(folder)), extra_(std::move(extra)), port_(free_port()) {}

std::string TestBroker::url(const std::string& scheme) const {
  return fmt::format("{}://127.0.0.1:{}", scheme, port_);
}

bool TestBroker::start() {
  const std::filesystem::path file = folder_ / "mosquitto.conf";
  // As root it would change to a user who cannot read the test's files. What is kept is on the disk after
  // each change.
  std::ofstream(file) << fmt::format(
      "user root\nlistener {} 127.0.0.1\npersistence true\npersistence_location {}/\nautosave_interval 1\n"
      "autosave_on_changes true\nlog_dest stderr\n{}{}",
      port_, folder_.string(),
      extra_.find("allow_anonymous") == std::string::npos ? "allow_anonymous true\n" : "", extra_);
  process_ = std::make_unique<TestProcess>(std::vector<std::string>{"mosquitto", "-c", file.string()});
  return process_->wait_for("running");
}

}  // namespace bascule::net
