#include "app/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/check.h"

namespace bascule::app {
namespace {

// What exec takes. The strings outlive it and are only read.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Error ended(const std::string& program, int status) {
  const std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                              : fmt::format("ended with code {}", WEXITSTATUS(status));
  return {.code = Code::kFailedPrecondition,
          .message = fmt::format("'{}' {}; what it printed says why.", program, how)};
}

}  // namespace

Result<void> run_program(const std::vector<std::string>& words, const std::vector<std::string>& variables) {
  BASCULE_CHECK(!words.empty());
  std::vector<std::string> arguments = words;
  std::vector<std::string> environment = variables;  // the first of a name wins
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, words[0].c_str(), &actions, nullptr,
                                    pointers_to(arguments).data(), pointers_to(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    return not_found(
        fmt::format("The program '{}' cannot be run: it is not there, or may not be run.", words[0]));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return internal_error(fmt::format("'{}' could not be waited for.", words[0]));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return ended(words[0], status);
}

}  // namespace bascule::app
