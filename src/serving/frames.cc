#include "serving/frames.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace bascule::serving {
namespace {

using Answer = Result<content::InferResponse>;

constexpr Duration kLeastPause = std::chrono::milliseconds(5);
constexpr Duration kMostPause = std::chrono::seconds(1);

// Pauses before a frame comes again.
void pause(Duration wanted) {
  Mutex mutex;
  ConditionVariable never;
  MutexLock lock(mutex);
  never.wait_for(mutex, std::clamp(wanted, kLeastPause, kMostPause), [] { return false; });
}

// A frame whose answer is waited for.
// Thread-safety: external (one owner).
struct Waiting {
  content::EncodedPicture picture;
  TimePoint asked;
  std::future<Answer> answer;
};

Waiting ask(const FrameRun& run, const content::InferRequest& like, content::EncodedPicture picture) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  Waiting waiting{.picture = std::move(picture), .asked = run.clock.now(), .answer = promise->get_future()};
  content::InferRequest request = like;
  request.picture = waiting.picture;
  run.service.infer(std::move(request), [promise](Answer answer, bool last) {
    if (last) promise->set_value(std::move(answer));
  });
  return waiting;
}

}  // namespace

Result<std::size_t> infer_frames(const FrameRun& run, const content::InferRequest& like, NextFrame next,
                                 TakeFrame take) {
  std::deque<Waiting> waiting;
  std::optional<Error> failed;  // of `next`; told behind the answers before it
  std::size_t answered = 0;
  for (bool more = true; more || !waiting.empty();) {
    if (more && waiting.size() < std::max<std::size_t>(run.ahead, 1)) {
      Result<std::optional<content::EncodedPicture>> frame = next();
      if (frame && frame->has_value()) {
        waiting.push_back(ask(run, like, **std::move(frame)));
        continue;
      }
      more = false;
      if (!frame) failed = std::move(frame).error();
      continue;
    }
    Waiting first = std::move(waiting.front());
    waiting.pop_front();
    Answer answer = first.answer.get();
    while (!answer && answer.error().reason == Reason::kQueueFull && answered > 0) {
      pause(answer.error().fields.retry_after);
      first = ask(run, like, std::move(first.picture));
      answer = first.answer.get();
    }
    if (!answer) return std::move(answer).error();
    ++answered;
    if (!take({.picture = std::move(first.picture), .answer = *std::move(answer), .asked = first.asked})) {
      return Error{.code = Code::kCancelled,
                   .message = "The caller went away before the video was at its end."};
    }
  }
  if (failed) return *std::move(failed);
  return answered;
}

}  // namespace bascule::serving
