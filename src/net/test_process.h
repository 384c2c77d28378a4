#pragma once

// For tests: programs of others as child processes, which are killed and begun again.
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bascule::net {

// A program that runs until it is killed, at the latest when this goes.
// Thread-safety: external (one owner).
class TestProcess {
 public:
  explicit TestProcess(const std::vector<std::string>& command);
  ~TestProcess() { end(); }
  TestProcess(const TestProcess&) = delete;
  TestProcess& operator=(const TestProcess&) = delete;

  // The next line of its standard output, without the line end; empty where it has ended, or after 30 s.
  std::string read_line();
  // Reads lines until one holds the text; false where none comes.
  bool wait_for(const std::string& text);
  // kill -9, and waits for its end.
  void end();

 private:
  pid_t process_ = -1;
  int output_ = -1;
  std::string rest_;  // read, and not given yet
};

// Runs a program to its end; true where it ends with 0.
bool run_program(const std::vector<std::string>& command);
// Looks every 10 ms, for at most 30 s, whether `done`.
bool wait_until(const std::function<bool()>& done);
// A port of 127.0.0.1 that nobody listens on at the moment.
std::uint16_t free_port();
// Certificates for 127.0.0.1 in `folder`: ca.pem, other.pem (an authority that signed nothing), server.pem
// with server.key.
bool make_certificates(const std::filesystem::path& folder);

// A mosquitto of the test's own, on a port of 127.0.0.1 that stays the same when it is begun again.
// Thread-safety: external (one owner).
class TestBroker {
 public:
  // `extra`: further lines of its configuration. The folder is there.
  explicit TestBroker(std::filesystem::path folder, std::string extra = "");
  // False where it does not run.
  bool start();
  void kill() { process_.reset(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // "mqtt://127.0.0.1:PORT".
  [[nodiscard]] std::string url(const std::string& scheme = "mqtt") const;

 private:
  const std::filesystem::path folder_;
  const std::string extra_;
  const std::uint16_t port_;
  std::unique_ptr<TestProcess> process_;
};

}  // namespace bascule::net
