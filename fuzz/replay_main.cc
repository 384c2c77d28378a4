#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "targets.h"

// fuzz_replay TARGET FILE|FOLDER…: gives each file to a target; --list: their names, one a line. Ends with 0
// where it came through all of them, 2 where there was none.
namespace {

namespace fs = std::filesystem;
using bascule::fuzz::Target;

int list() {
  for (const auto targets :
       {bascule::fuzz::picture_targets(), bascule::fuzz::protocol_targets(), bascule::fuzz::text_targets()}) {
    for (const Target& target : targets)
      std::printf("%.*s\n", static_cast<int>(target.name.size()), target.name.data());
  }
  return 0;
}

void replay(const Target& target, const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
  (void)target.run(std::as_bytes(std::span(chars)));
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  if (words.size() == 2 && std::string_view(words[1]) == "--list") return list();
  const Target* target = words.size() > 2 ? bascule::fuzz::find_target(words[1]) : nullptr;
  if (target == nullptr) {
    (void)std::fprintf(stderr, "usage: fuzz_replay TARGET FILE|FOLDER… or fuzz_replay --list\n");
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
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 2;
}
