#include "http/io_loop.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "http/arrival.h"
#include "http/connection.h"

namespace bascule::http {

struct IoLoop::State {
  State(IoLoopOptions options, std::shared_ptr<Handlers> handlers, const Clock& clock, ConnectionCount& open)
      : shared{.options = std::move(options), .handlers = std::move(handlers), .clock = clock, .open = open} {
    const Duration least = std::min(shared.options.idle_timeout, shared.options.read_timeout);
    sweep_every = std::clamp<Duration>(least / 4, std::chrono::milliseconds(5), std::chrono::seconds(1));
    arm_sweep();
  }

  // Deadlines are looked at now and then, all together: a timer per read would cost more than the read.
  void arm_sweep() {
    sweep_timer.expires_after(sweep_every);
    sweep_timer.async_wait([this](error_code error) {
      if (error || shared.ended) return;
      const TimePoint now = shared.clock.now();
      for (Connection* connection : shared.connections) connection->check_deadline(now);
      arm_sweep();
    });
  }

  void serve(Arrival arrival) {
    if (shared.draining) return;
    error_code error;
    Socket socket(context);
    socket.assign(arrival.is_ipv6() ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), arrival.native(), error);
    if (error) return;
    arrival.release();
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    socket.non_blocking(true, error);
    auto connection = std::make_unique<Connection>(shared, context, std::move(socket));
    asio::co_spawn(context, Connection::serve(std::move(connection)), [](const std::exception_ptr& thrown) {
      if (!thrown) return;
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& problem) {
        log::error("A connection was closed: {}", problem.what());
      }
    });
  }

  Shared shared;  // outlives the coroutines that the context owns
  asio::io_context context{1};
  asio::executor_work_guard<LoopExecutor> work = asio::make_work_guard(context);
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             LoopExecutor>
      sweep_timer{context};
  Duration sweep_every{};
};

IoLoop::IoLoop(IoLoopOptions options, std::shared_ptr<Handlers> handlers, const Clock& clock,
               ConnectionCount& open)
    : state_(std::make_unique<State>(std::move(options), std::move(handlers), clock, open)) {}

IoLoop::~IoLoop() = default;

void IoLoop::run() { state_->context.run(); }

void IoLoop::adopt(int socket) {
  asio::post(state_->context,
             [state = state_.get(), arrival = Arrival(socket, state_->shared.open)]() mutable {
               state->serve(std::move(arrival));
             });
}

void IoLoop::drain() {
  asio::post(state_->context, [state = state_.get()] {
    state->shared.draining = true;
    for (Connection* connection : state->shared.connections) connection->close_if_idle();
  });
}

void IoLoop::end() {
  asio::post(state_->context, [state = state_.get()] {
    state->shared.draining = true;
    state->shared.ended = true;
    for (Connection* connection : state->shared.connections) connection->close_now();
    state->sweep_timer.cancel();
    state->work.reset();
  });
}

boost::asio::io_context& IoLoop::context() { return state_->context; }

}  // namespace bascule::http
