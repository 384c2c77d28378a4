#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "serving/frames.h"

namespace bascule::http {

// What a request names and does not hold, and until when it is wanted.
// Thread-safety: a value.
struct UrlCall {
  std::string url;
  std::optional<TimePoint> deadline;
  std::shared_ptr<const std::atomic<bool>> cancelled;  // may be null
};

// A video that a request holds, and until when it is wanted.
// Thread-safety: a value.
struct VideoCall {
  std::span<const std::byte> bytes;  // used until the call returns
  std::string name;                  // for messages; may be empty
  int stride = 1;                    // every so many-th frame
  std::optional<TimePoint> deadline;
  std::shared_ptr<const std::atomic<bool>> cancelled;  // may be null
};

// Where content comes from that a request's body does not hold as it is. Made by whoever composes the server;
// what is left empty is answered as not offered.
// Thread-safety: its functions are thread-safe.
struct Sources {
  using Fetched = std::move_only_function<void(Result<std::vector<std::byte>> body)>;
  // Fetches what a URL names, and calls back once on any thread; does not wait.
  std::function<void(UrlCall call, Fetched fetched)> fetch = nullptr;
  // Gives the frames of a video; it and they wait, on a thread of `videos`, which outlives the server.
  std::function<Result<serving::NextFrame>(VideoCall call)> open_video = nullptr;
  Executor* videos = nullptr;
  std::size_t frames_ahead = 2;  // of one video that are shown to the model at once
};

}  // namespace bascule::http
