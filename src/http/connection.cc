#include "http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace bascule::http {

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
  if (out_.stream) co_await send_stream();
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
  const bool http10 = parser_->get().version() < 11;
  keep_alive = keep_alive && !(out_.stream && http10);
  out_keeps_alive_ = keep_alive;
  out_streamed_ = 0;
  const bool head_only = head_.method == Method::kHead;
  write_head(out_head_, out_,
             {.keep_alive = keep_alive,
              .http10 = http10,
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

// Likewise of a piece of a body that is sent while it is made.
bool Connection::begin_piece(const ReplyStream::Taken& piece) {
  out_streamed_ += piece.bytes.size();
  if (parser_->get().version() < 11) {
    out_head_ = piece.bytes;
  } else {
    out_head_.clear();
    if (!piece.bytes.empty()) out_head_ = fmt::format("{:x}\r\n{}\r\n", piece.bytes.size(), piece.bytes);
    if (piece.last) out_head_ += "0\r\n\r\n";
  }
  out_parts_.assign(1, asio::buffer(out_head_));
  out_next_ = 0;
  return try_flush();
}

// Sends a body while it is made, up to its end or the client's.
Task<void> Connection::send_stream() {
  out_.stream->on_change([slot = slot_] { slot->poke(); });
  const Duration every = out_.stream->beat_every();
  if (every > Duration{}) beat_ = now() + every;
  bool last = false;
  while (!broken_ && !last) {
    deadline_ = TimePoint::max();  // of what was written before
    ReplyStream::Taken piece = out_.stream->take();
    last = piece.last;
    if (!last && piece.bytes.empty() && now() >= beat_) piece.bytes = out_.stream->beat();
    if (last || !piece.bytes.empty()) {
      if (!begin_piece(piece)) co_await flush();
      if (every > Duration{}) beat_ = now() + every;
      continue;
    }
    phase_ = Phase::kAnswering;
    watch_for_leaving();
    co_await slot_->wait();
    broken_ = broken_ || *gone_;
  }
  beat_ = TimePoint::max();
  out_.stream.reset();
  slot_->forget_poke();
}

// After the last byte. False: the connection is over.
bool Connection::end_send() {
  if (shared_.options.access_log != nullptr) log_access();
  if (shared_.options.tracer != nullptr) trace();
  out_.body = {};
  out_.stream.reset();
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
                                     .bytes_out = out_.body.size() + out_streamed_,
                                     .took = now() - started_});
}

// Records the request where it asked a model and its trace is recorded. One of a caller who may not ask is
// not: strangers would fill the queue.
void Connection::trace() {
  if (out_.status == 401 || out_.status == 403) return;
  const TimePoint ended = now();
  auto context = shared_.options.tracer->sample(head_.traceparent, head_.tracestate);
  if (!context) return;
  auto match = match_route(head_);
  if (!match || match->route->who != access::RouteClass::kInfer) return;
  tracing::TracedRequest request{.context = *std::move(context),
                                 .started = started_,
                                 .ended = ended,
                                 .method = "POST",  // all of that class are
                                 .route = match->route->pattern,
                                 .path = std::string(head_.path),
                                 .encrypted = tls_ != nullptr,
                                 .status = static_cast<int>(out_.status),
                                 .model = std::move(match->model)};
  if (out_.answered != nullptr && out_.stages) {
    request.answered_by = out_.answered->model;
    request.id = out_.answered->id;
    request.stages = *out_.stages;
    request.steps = out_.answered->steps;
  }
  shared_.options.tracer->add(std::move(request));
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

}  // namespace bascule::http
