#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/log.h"
#include "targets.h"

// fuzz_replay TARGET FILE|FOLDER…: gives each file to a target. Ends with 0 where it came through all of
// them, 2 where there was none.
namespace {

namespace fs = std::filesystem;
namespace log = bascule::log;
using bascule::fuzz::Target;

void replay(const Target& target, const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
  (void)target.run(std::as_bytes(std::span(chars)));
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  const Target* target = words.size() > 2 ? bascule::fuzz::find_target(words[1]) : nullptr;
  if (target == nullptr) {
    log::error("usage: fuzz_replay TARGET FILE|FOLDER…");
    return 2;
  }
  int files = 0;
  for (const char* word : words.subspan(2)) {
    std::vector<fs::path> paths;
    if (fs::is_directory(word)) {
      for (const auto& entry : fs::directory_iterator(word)) paths.push_back(entry.path());
    } else if (fs::exists(word)) {
      paths.emplace_back(word);
    }
    for (const fs::path& path : paths) {
      replay(*target, path);
      ++files;
    }
  }
  if (files == 0) log::error("None of the {} files and folders is there.", words.size() - 2);
  return files > 0 ? 0 : 2;
}
