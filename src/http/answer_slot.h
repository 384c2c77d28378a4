#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/mutex.h"
#include "http/reply.h"

namespace bascule::http {

using LoopExecutor = boost::asio::io_context::executor_type;
template <class T>
using Task = boost::asio::awaitable<T, LoopExecutor>;
inline constexpr boost::asio::use_awaitable_t<LoopExecutor> kAwait;

// Where the answer of one request meets its connection: it may come before anyone waits, from another
// thread, or after the connection has gone.
// Thread-safety: thread-safe.
class AnswerSlot {
 public:
  explicit AnswerSlot(boost::asio::io_context& context) : context_(context) {}

  void deliver(Reply reply) {
    MutexLock lock(mutex_);
    if (abandoned_) return;
    reply_ = std::move(reply);
    resume();
  }
  // Nothing is waited for any more; after this the loop is not touched.
  void abandon() {
    MutexLock lock(mutex_);
    abandoned_ = true;
    resume();
  }
  // Ends the wait that goes on, or the next: there is something to look at beside an answer.
  void poke() {
    MutexLock lock(mutex_);
    if (abandoned_) return;
    poked_ = waiter_ == nullptr;
    resume();
  }
  // What was poked for has been looked at.
  void forget_poke() {
    MutexLock lock(mutex_);
    poked_ = false;
  }
  std::optional<Reply> take() {
    MutexLock lock(mutex_);
    return std::exchange(reply_, std::nullopt);
  }
  // Returns once there is an answer, a poke, or the connection was abandoned.
  Task<void> wait() {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<LoopExecutor>, void()>(
        [this](auto handler) {
          MutexLock lock(mutex_);
          waiter_ = std::move(handler);
          if (reply_ || abandoned_ || std::exchange(poked_, false)) resume();
        },
        kAwait);
  }

 private:
  // The loop outlives every slot that is not abandoned, so posting under the lock is safe.
  void resume() BASCULE_REQUIRES(mutex_) {
    if (waiter_) boost::asio::post(context_, std::exchange(waiter_, nullptr));
  }

  boost::asio::io_context& context_;
  Mutex mutex_;
  std::optional<Reply> reply_ BASCULE_GUARDED_BY(mutex_);
  std::move_only_function<void()> waiter_ BASCULE_GUARDED_BY(mutex_);
  bool abandoned_ BASCULE_GUARDED_BY(mutex_) = false;
  bool poked_ BASCULE_GUARDED_BY(mutex_) = false;
};

// The `Done` of a request, called once. Dropped without an answer (an executor that went away), it gives one
// itself. Thread-safety: external (one owner).
class Deliver {
 public:
  explicit Deliver(std::shared_ptr<AnswerSlot> slot) : slot_(std::move(slot)) {}
  Deliver(Deliver&&) noexcept = default;
  Deliver& operator=(Deliver&&) = delete;
  ~Deliver() {
    if (slot_ == nullptr) return;
    const Error error{.code = Code::kUnavailable, .message = "The server is shutting down."};
    slot_->deliver({.status = 503, .body = {.head = protocol::error_body(error)}});
  }
  void operator()(Reply reply) { std::exchange(slot_, nullptr)->deliver(std::move(reply)); }

 private:
  std::shared_ptr<AnswerSlot> slot_;
};

}  // namespace bascule::http
