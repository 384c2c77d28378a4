#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace bascule::http {

// A body that is sent while it is made: between whoever makes it and the connection that sends it.
// Thread-safety: thread-safe.
class ReplyStream {
 public:
  static constexpr std::size_t kMaxWaiting = 256ULL << 10U;  // bytes, then whoever makes more waits

  // Makes the next piece of what there is by now, perhaps nothing, without waiting; on the sender's thread.
  using More = std::move_only_function<std::string()>;

  ReplyStream() = default;
  // One whose pieces are made when they can be sent. `more` goes when nobody takes them any more.
  explicit ReplyStream(More more) : more_(std::move(more)) {}
  // Likewise, and `beat` is sent whenever nothing was for so long.
  ReplyStream(More more, std::string beat, Duration beat_every)
      : beat_(std::move(beat)), beat_every_(beat_every), more_(std::move(more)) {}

  // For who makes it, on a thread that may wait. False: nobody takes it any more.
  bool push(std::string_view piece) {
    MutexLock lock(mutex_);
    room_.wait(mutex_,
               [this]() BASCULE_REQUIRES(mutex_) { return closed_ || waiting_.size() < kMaxWaiting; });
    if (closed_) return false;
    waiting_ += piece;
    tell();
    return true;
  }
  // After the last piece.
  void finish() {
    MutexLock lock(mutex_);
    finished_ = true;
    tell();
  }

  // There may be more to make.
  void poke() {
    MutexLock lock(mutex_);
    tell();
  }

  // For who sends it. What there is, perhaps nothing yet.
  struct Taken {
    std::string bytes;
    bool last = false;
  };
  Taken take() {
    Taken taken;
    {
      MutexLock lock(mutex_);
      room_.notify_all();
      taken = {.bytes = std::exchange(waiting_, {}), .last = finished_};
    }
    if (more_ && !taken.last) taken.bytes += more_();
    return taken;
  }
  [[nodiscard]] const std::string& beat() const { return beat_; }
  [[nodiscard]] Duration beat_every() const { return beat_every_; }  // 0: never
  // Calls `wake` whenever there is something to take, on any thread; not after close().
  void on_change(std::function<void()> wake) {
    MutexLock lock(mutex_);
    wake_ = std::move(wake);
  }
  void close() {
    {
      MutexLock lock(mutex_);
      closed_ = true;
      wake_ = nullptr;
      room_.notify_all();
    }
    more_ = nullptr;
  }

 private:
  void tell() BASCULE_REQUIRES(mutex_) {
    if (wake_) wake_();
  }

  const std::string beat_;
  const Duration beat_every_{};
  More more_;  // the sender's
  Mutex mutex_;
  ConditionVariable room_;
  std::string waiting_ BASCULE_GUARDED_BY(mutex_);
  std::function<void()> wake_ BASCULE_GUARDED_BY(mutex_);
  bool finished_ BASCULE_GUARDED_BY(mutex_) = false;
  bool closed_ BASCULE_GUARDED_BY(mutex_) = false;
};

// The sender's end: dropped, wherever that is, it says that nobody takes the rest.
// Thread-safety: external (one owner).
class StreamEnd {
 public:
  StreamEnd() = default;
  explicit StreamEnd(std::shared_ptr<ReplyStream> stream) : stream_(std::move(stream)) {}
  StreamEnd(StreamEnd&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  StreamEnd& operator=(StreamEnd&& other) noexcept {
    std::swap(stream_, other.stream_);
    other.reset();
    return *this;
  }
  ~StreamEnd() { reset(); }

  void reset() {
    if (const auto stream = std::exchange(stream_, nullptr)) stream->close();
  }
  explicit operator bool() const { return stream_ != nullptr; }
  ReplyStream* operator->() const { return stream_.get(); }

 private:
  std::shared_ptr<ReplyStream> stream_;
};

}  // namespace bascule::http
