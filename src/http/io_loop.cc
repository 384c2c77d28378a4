#include "http/io_loop.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/log.h"
#include "base/text.h"
#include "http/answer_slot.h"
#include "http/arrival.h"
#include "http/body_buffer.h"
#include "http/tls_io.h"
#include "http/wire_limits.h"

namespace bascule::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Socket = asio::basic_stream_socket<asio::ip::tcp, LoopExecutor>;
using Parser = beast::http::request_parser<beast::http::buffer_body>;

// What connections share with their loop.
struct Shared {
  const IoLoopOptions options;
  const std::shared_ptr<Handlers> handlers;
  const Clock& clock;
  ConnectionCount& open;
  std::list<class Connection*> connections;
  bool draining = false;
  bool ended = false;
};

// One client. Lives in its coroutine's frame and only on its loop's thread.
// Thread-safety: external (one thread).
class Connection {
 public:
  Connection(Shared& shared, asio::io_context& context, Socket socket)
      : shared_(shared), socket_(std::move(socket)), slot_(std::make_shared<AnswerSlot>(context)) {
    place_ = shared_.connections.insert(shared_.connections.end(), this);
    if (shared_.options.tls != nullptr) tls_ = shared_.options.tls->begin(socket_.native_handle());
    if (shared_.options.access_log == nullptr) return;
    error_code error;
    const auto peer = socket_.remote_endpoint(error);
    if (!error) client_ = peer.address().to_string();
  }
  ~Connection() {
    *gone_ = true;
    slot_->abandon();
    shared_.connections.erase(place_);
    shared_.open.remove();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Task<void> serve(std::unique_ptr<Connection> self);

  void close_if_idle() {
    if (phase_ == Phase::kIdle) close();
  }
  void close_now() {
    *gone_ = true;
    close();
    slot_->abandon();
  }
  void check_deadline(TimePoint now) {
    if (now < deadline_) return;
    deadline_ = TimePoint::max();
    timed_out_ = true;
    if (phase_ == Phase::kReading) {  // it can still be told
      error_code ignored;
      socket_.cancel(ignored);
    } else {
      close();
    }
  }

 private:
  enum class Phase { kIdle, kReading, kAnswering, kWriting };

  Task<bool> read_head();
  Task<bool> exchange();
  Task<bool> refuse(const Refusal& why, bool keep_alive);
  Task<bool> refuse_unread(const Refusal& why);
  Task<std::optional<Refusal>> read_sized_body();
  Task<std::optional<Refusal>> read_chunked_body(const Admission& admission);
  Task<void> flush();
  Task<void> drop_rest();

  std::optional<Refusal> understand_head();
  std::optional<Refusal> understand_fields();
  void log_access() const;
  void watch_for_leaving();
  void prepare_body(const BodyBuffer::Layout& layout);
  Result<void> take_buffered(std::size_t length);
  Refusal read_failure(std::string_view before) const {
    return not_read(timed_out_, shared_.options.read_timeout, before);
  }
  bool begin_send(Reply reply, bool keep_alive);
  bool end_send();
  bool try_flush();
  // What has come, as much as there is room for; waits for it.
  Task<Moved> read_some(asio::mutable_buffer room) {
    if (tls_ != nullptr) return tls_read(*tls_, socket_, room);
    return socket_.async_read_some(room, asio::as_tuple(kAwait));
  }
  bool may_keep_alive() const { return parser_->keep_alive() && !shared_.draining; }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }
  TimePoint now() const { return shared_.clock.now(); }

  Shared& shared_;
  std::list<Connection*>::iterator place_;
  Socket socket_;
  std::unique_ptr<TlsSession> tls_;  // null: in the clear
  const std::shared_ptr<AnswerSlot> slot_;
  beast::flat_buffer buffer_{kMaxHead + 2 * kReadSize};  // read, not yet used: never beyond this
  std::optional<Parser> parser_;
  RequestHead head_;  // views into parser_
  BodyForm body_form_;
  access::KeyPtr key_;
  std::shared_ptr<BodyBuffer> body_;
  std::size_t body_length_ = 0;  // of the sized body being read
  std::string out_head_;
  Reply out_;  // being written; owns what out_parts_ points to
  std::vector<asio::const_buffer> out_parts_;
  std::size_t out_next_ = 0;
  bool out_keeps_alive_ = false;
  Phase phase_ = Phase::kIdle;
  TimePoint deadline_ = TimePoint::max();
  TimePoint started_;           // first byte of the current request
  std::size_t body_bytes_ = 0;  // of its body, read
  std::string client_;          // address, where it is to be logged
  bool timed_out_ = false;
  bool watching_ = false;
  const std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  bool broken_ = false;  // the client takes no more
  bool unread_ = false;  // closing with request bytes unread
};

Task<void> Connection::serve(std::unique_ptr<Connection> self) {
  bool open = true;
  if (self->tls_ != nullptr) {
    self->deadline_ = self->now() + self->shared_.options.read_timeout;
    open = co_await tls_accept(*self->tls_, self->socket_);
  }
  while (open) {
    open = co_await self->read_head();
    if (open) open = co_await self->exchange();
  }
  if (self->tls_ != nullptr && self->socket_.is_open()) self->tls_->finish();
  if (self->unread_ && !self->broken_) co_await self->drop_rest();
}

// Reads up to the end of a request's head. False: the connection is over.
Task<bool> Connection::read_head() {
  phase_ = Phase::kIdle;
  deadline_ = now() + shared_.options.idle_timeout;
  head_ = {};
  key_ = {};
  body_bytes_ = 0;
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(kMaxHead));
  parser_->body_limit(boost::none);
  std::size_t used = 0;
  while (true) {
    if (buffer_.size() > 0) {
      if (phase_ == Phase::kIdle) {
        phase_ = Phase::kReading;
        started_ = now();
        deadline_ = started_ + shared_.options.read_timeout;  // for the whole head: no byte at a time
      }
      error_code error;
      const std::size_t taken = parser_->put(buffer_.data(), error);
      buffer_.consume(taken);
      used += taken;
      const bool complete = parser_->is_header_done() && !error;
      const std::size_t size = complete ? used : used + buffer_.size();
      if (size > kMaxHead || error == beast::http::error::header_limit) {
        co_return co_await refuse(
            refusal(431, Code::kPayloadTooLarge,
                    fmt::format("The request's header is longer than the limit of {} bytes.", kMaxHead)),
            false);
      }
      if (complete) co_return true;
      if (error && error != beast::http::error::need_more) {
        const unsigned status = error == beast::http::error::bad_version ? 505 : 400;
        co_return co_await refuse(
            refusal(status, Code::kInvalidArgument,
                    fmt::format("This is not an HTTP/1.1 request: {}.", error.message())),
            false);
      }
      if (!error) continue;
    }
    const auto [error, count] = co_await read_some(buffer_.prepare(kReadSize));
    buffer_.commit(count);
    if (!error) continue;
    if (phase_ == Phase::kIdle || shared_.ended) co_return false;
    co_return co_await refuse(read_failure("the end of its header"), false);
  }
}

// Takes what is needed out of the parsed fields; refuses what HTTP itself forbids.
std::optional<Refusal> Connection::understand_head() {
  const auto& message = parser_->get();
  head_ = {};
  body_form_ = {};
  head_.method_name = message.method_string();
  head_.connection = reinterpret_cast<std::uintptr_t>(this);
  head_.gone = gone_;
  head_.method = method_of(head_.method_name);
  if (message.target().size() > kMaxLine) {
    return refusal(414, Code::kPayloadTooLarge,
                   fmt::format("The path has {} bytes; the limit is {}.", message.target().size(), kMaxLine));
  }
  set_target(head_, message.target());
  body_form_.chunked = parser_->chunked();
  if (const auto length = parser_->content_length()) body_form_.length = *length;
  return understand_fields();
}

std::optional<Refusal> Connection::understand_fields() {
  FieldReader reader(head_, body_form_, parser_->get().version() >= 11);
  for (const auto& field : parser_->get()) {
    if (auto refused = reader.take(field.name_string(), field.value())) return refused;
  }
  return reader.finish();
}

// One request whose head was read, to the end of its answer. False: the connection is over.
Task<bool> Connection::exchange() {
  if (const auto bad = understand_head()) co_return co_await refuse(*bad, false);
  const bool arrived = !body_form_.chunked && body_form_.length.value_or(0) <= buffer_.size();
  const auto admission = shared_.handlers->admit(head_, body_form_.length, arrived);
  key_ = admission ? admission->key : admission.error().key;
  if (!admission) co_return co_await refuse_unread(admission.error());
  if (body_form_.expects_continue && body_form_.any() && buffer_.size() == 0) {
    out_parts_.assign(1, asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25));
    out_next_ = 0;
    if (!try_flush()) co_await flush();
  }
  std::optional<Refusal> bad;
  if (body_form_.chunked) {
    prepare_body({.aligned_at = admission->json_length.value_or(0), .limit = admission->limit + 1});
    bad = co_await read_chunked_body(*admission);
  } else {
    body_length_ = static_cast<std::size_t>(body_form_.length.value_or(0));
    prepare_body(
        {.aligned_at = admission->json_length.value_or(0), .announced = body_length_, .limit = body_length_});
    if (arrived) {
      if (auto taken = take_buffered(body_length_); !taken)
        bad = Refusal{.status = 503, .error = taken.error()};
    } else {
      bad = co_await read_sized_body();
    }
  }
  body_bytes_ = body_->size();
  if (bad) co_return co_await refuse(*bad, false);

  phase_ = Phase::kAnswering;
  deadline_ = TimePoint::max();
  shared_.handlers->answer(*admission, head_, {.bytes = body_->bytes(), .owner = body_}, started_,
                           Deliver(slot_));
  std::optional<Reply> reply = slot_->take();
  if (!reply) {
    watch_for_leaving();
    co_await slot_->wait();
    body_.reset();  // other threads had it
    reply = slot_->take();
    if (!reply) co_return false;
  }
  if (!begin_send(*std::move(reply), may_keep_alive())) co_await flush();
  co_return end_send();
}

// While an answer is made elsewhere: a client that closes its end is not waited for, and what of its request
// has not begun is dropped.
void Connection::watch_for_leaving() {
  if (std::exchange(watching_, true)) return;
  socket_.async_wait(Socket::wait_read, [this, gone = gone_](const error_code& error) {
    if (*gone) return;  // and so is this
    watching_ = false;
    char byte = 0;
    const bool waits = !error && phase_ == Phase::kAnswering;
    if (!waits) return;
    if (tls_ ? tls_->has_ended() : ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
      close_now();
    }
  });
}

Task<bool> Connection::refuse(const Refusal& why, bool keep_alive) {
  keep_alive = keep_alive && may_keep_alive();
  unread_ = !keep_alive;
  if (!begin_send(shared_.handlers->refuse(why), keep_alive)) co_await flush();
  co_return end_send();
}

// Answers before any of the body was read. What is announced and short is then dropped as it comes, so that
// the connection can go on; who was told to wait for `100 Continue` may send it or not.
Task<bool> Connection::refuse_unread(const Refusal& why) {
  const std::uint64_t length = body_form_.length.value_or(0);
  const bool goes_on =
      !body_form_.chunked && length <= kSkippable && !(body_form_.expects_continue && length > 0);
  if (!co_await refuse(why, goes_on)) co_return false;
  std::uint64_t left = length;
  deadline_ = now() + shared_.options.read_timeout;
  while (true) {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
    buffer_.consume(taken);
    left -= taken;
    if (left == 0) co_return true;
    const auto [error, count] = co_await read_some(buffer_.prepare(kReadSize));
    if (error) co_return false;
    buffer_.commit(count);
  }
}

// An empty body with this layout; the memory of the last one where no one else holds it.
void Connection::prepare_body(const BodyBuffer::Layout& layout) {
  if (body_ == nullptr || body_.use_count() > 1 || body_->capacity() > kKeptBody) {
    body_ = std::make_shared<BodyBuffer>();
  }
  body_->reset(layout);
}

// Moves bytes that were read together with the head into the body, up to its `length`.
Result<void> Connection::take_buffered(std::size_t length) {
  while (body_->size() < length && buffer_.size() > 0) {
    BASCULE_ASSIGN(const auto room, body_->room());
    const std::size_t count = asio::buffer_copy(asio::buffer(room.data(), room.size()), buffer_.data());
    buffer_.consume(count);
    body_->commit(count);
  }
  return {};
}

// The rest is read from the socket straight to where it stays.
Task<std::optional<Refusal>> Connection::read_sized_body() {
  if (auto taken = take_buffered(body_length_); !taken) {
    co_return Refusal{.status = 503, .error = taken.error()};
  }
  while (body_->size() < body_length_) {
    const auto room = body_->room();
    if (!room) co_return Refusal{.status = 503, .error = room.error()};
    deadline_ = now() + shared_.options.read_timeout;
    const auto [error, count] = co_await read_some(asio::buffer(room->data(), room->size()));
    body_->commit(count);
    if (error) {
      co_return read_failure(
          fmt::format("byte {} of the {} that Content-Length announced", body_->size() + 1, body_length_));
    }
  }
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Connection::read_chunked_body(const Admission& admission) {
  auto& part = parser_->get().body();
  // A chunk that announces more than is allowed is not waited for.
  auto on_chunk = [&](std::uint64_t size, std::string_view, error_code& error) {
    if (size > admission.limit || body_->size() + size > admission.limit) {
      error = beast::http::error::body_limit;
    }
  };
  parser_->on_chunk_header(on_chunk);
  while (!parser_->is_done()) {
    error_code error = beast::http::error::need_more;
    if (buffer_.size() > 0) {
      const auto room = body_->room();
      if (!room) co_return Refusal{.status = 503, .error = room.error()};
      part.data = room->data();
      part.size = room->size();
      part.more = true;
      error = {};
      buffer_.consume(parser_->put(buffer_.data(), error));
      body_->commit(room->size() - part.size);
      if (error == beast::http::error::body_limit) {
        co_return shared_.handlers->too_large(admission, std::nullopt);
      }
    }
    if (!error || error == beast::http::error::need_buffer) continue;
    if (error == beast::http::error::need_more && buffer_.size() >= kMaxHead) {
      co_return refusal(
          400, Code::kInvalidArgument,
          fmt::format("A chunk's first line or the trailer behind the last chunk is longer than the limit of "
                      "{} bytes (after {} bytes of body).",
                      kMaxHead, body_->size()));
    }
    if (error != beast::http::error::need_more) {
      co_return refusal(
          400, Code::kInvalidArgument,
          fmt::format("The chunked body is broken after {} bytes: {}.", body_->size(), error.message()));
    }
    deadline_ = now() + shared_.options.read_timeout;
    const auto [failed, count] = co_await read_some(buffer_.prepare(kReadSize));
    buffer_.commit(count);
    if (failed) co_return read_failure("its last chunk");
  }
  co_return std::nullopt;
}

// Writes what the socket takes of the reply at once; false: some is left to `flush`. No coroutine: one more
// frame would cost more than the rest of this.
bool Connection::begin_send(Reply reply, bool keep_alive) {
  out_ = std::move(reply);
  out_keeps_alive_ = keep_alive;
  const bool head_only = head_.method == Method::kHead;
  write_head(out_head_, out_,
             {.keep_alive = keep_alive,
              .http10 = parser_->get().version() < 11,
              .timing = head_.wants_timing,
              .traceparent = head_.traceparent,
              .shared_with = shared_.handlers->shared_with(head_.origin)},
             shared_.options.server);
  out_parts_.clear();
  out_next_ = 0;
  const bool joined = !head_only && out_.body.head.size() <= kJoinedBody;
  if (joined) out_head_ += out_.body.head;
  out_parts_.push_back(asio::buffer(out_head_));
  if (!head_only) {
    if (!joined) out_parts_.push_back(asio::buffer(out_.body.head));
    for (const auto& part : out_.body.parts) out_parts_.push_back(asio::buffer(part.data(), part.size()));
  }
  if (log::enabled(log::Level::kDebug)) {
    log::debug("{} {} {} {} bytes in {:.3f} ms", head_.method_name, text::shortened(head_.path, 200),
               out_.status, out_.body.size(), to_ms(now() - started_));
  }
  return try_flush();
}

// After the last byte. False: the connection is over.
bool Connection::end_send() {
  if (shared_.options.access_log != nullptr) log_access();
  out_.body = {};
  return out_keeps_alive_ && !broken_;
}

void Connection::log_access() const {
  shared_.options.access_log->write({.client = client_,
                                     .method = head_.method_name,
                                     .path = head_.path,
                                     .key = key_ ? std::string_view(key_->entry.name) : "",
                                     .traceparent = head_.traceparent,
                                     .status = out_.status,
                                     .bytes_in = body_bytes_,
                                     .bytes_out = out_.body.size(),
                                     .took = now() - started_});
}

// Writes what the socket takes at once. True: nothing is left to do, all is written or the client is gone.
bool Connection::try_flush() {
  phase_ = Phase::kWriting;
  while (out_next_ < out_parts_.size()) {
    error_code error;
    const auto left = std::span<const asio::const_buffer>(out_parts_).subspan(out_next_);
    std::size_t count = tls_ ? tls_write(*tls_, left.front(), error) : socket_.write_some(left, error);
    if (error == asio::error::would_block) return false;
    broken_ = broken_ || error;
    if (broken_) return true;
    while (out_next_ < out_parts_.size() && count >= out_parts_[out_next_].size()) {
      count -= out_parts_[out_next_++].size();
    }
    if (count > 0) out_parts_[out_next_] += count;
  }
  return true;
}

// Writes the rest as the client takes it, for as long as it takes something.
Task<void> Connection::flush() {
  while (!broken_ && !try_flush()) {
    deadline_ = now() + shared_.options.read_timeout;
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, asio::as_tuple(kAwait));
    broken_ = broken_ || error;
  }
}

// After an answer that came before its request was read: lets the client find the answer, instead of a reset
// for what it still sends.
Task<void> Connection::drop_rest() {
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  deadline_ = now() + kDrainTime;
  phase_ = Phase::kWriting;
  std::size_t dropped = 0;
  while (!error && dropped < kDrainBytes) {
    buffer_.clear();
    const auto [failed, count] = co_await read_some(buffer_.prepare(kReadSize));
    error = failed;
    dropped += count;
  }
}

}  // namespace

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
