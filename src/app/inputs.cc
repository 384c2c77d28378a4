#include "app/inputs.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <future>
#include <span>
#include <utility>

#include "app/pictures.h"
#include "base/file.h"
#include "net/fetcher.h"
#include "video/container.h"

namespace bascule::app {
namespace {

constexpr std::uint64_t kMaxPictureBytes = 256ULL << 20U;

Result<std::vector<std::byte>> fetch(const std::string& url, const Clock& clock) {
  net::Fetcher fetcher({.allowed = net::AllowList::all(), .threads = 1}, clock);
  std::promise<Result<std::vector<std::byte>>> promise;
  fetcher.fetch({.url = url, .typed = true},
                [&promise](auto body, auto /*outcome*/) { promise.set_value(std::move(body)); });
  return promise.get_future().get();
}

// The file, where it is a video; else one that is not open.
video::Descriptor open_video(const std::string& path) {
  Result<video::Descriptor> file = video::open_file(path);
  if (!file) return {};
  std::array<std::byte, video::kContainerHead> head{};
  const ssize_t count = ::pread(file->number(), head.data(), head.size(), 0);
  const bool is_video =
      count > 0 && !video::demuxer_of(std::span(head).first(static_cast<std::size_t>(count))).empty();
  return is_video ? *std::move(file) : video::Descriptor();
}

}  // namespace

Result<Input> read_input(const std::string& word, const Clock& clock) {
  Input input;
  if (word != "-" && !is_url(word)) input.video = open_video(word);
  if (input.video.open()) return input;
  BASCULE_ASSIGN(std::vector<std::byte> bytes,
                 is_url(word) ? fetch(word, clock) : read_file(word, kMaxPictureBytes));
  if (!video::demuxer_of(bytes).empty()) {
    BASCULE_ASSIGN(input.video, video::sealed_copy(bytes));
    return input;
  }
  input.bytes = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  return input;
}

std::string stem_of(const std::string& word) {
  if (word == "-") return "stdin";
  if (!is_url(word)) return std::filesystem::path(word).stem().string();
  const std::string path = word.substr(word.find("://") + 3);
  const std::string stem =
      std::filesystem::path(path.substr(0, path.find_first_of("?#"))).filename().stem().string();
  return stem.empty() || stem.starts_with('.') ? "picture" : stem;
}

}  // namespace bascule::app
