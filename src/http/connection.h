#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "http/answer_slot.h"
#include "http/body_buffer.h"
#include "http/io_loop.h"
#include "http/tls_io.h"
#include "http/wire_limits.h"

namespace bascule::http {

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
    if (now >= beat_) slot_->poke();
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
  Task<void> send_stream();
  Task<void> drop_rest();

  std::optional<Refusal> understand_head();
  std::optional<Refusal> understand_fields();
  void log_access() const;
  void trace();
  void watch_for_leaving();
  void prepare_body(const BodyBuffer::Layout& layout);
  Result<void> take_buffered(std::size_t length);
  Refusal read_failure(std::string_view before) const {
    return not_read(timed_out_, shared_.options.read_timeout, before);
  }
  bool begin_send(Reply reply, bool keep_alive);
  bool begin_piece(const ReplyStream::Taken& piece);
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
  std::size_t out_streamed_ = 0;  // bytes of a body that is sent while it is made
  bool out_keeps_alive_ = false;
  Phase phase_ = Phase::kIdle;
  TimePoint deadline_ = TimePoint::max();
  TimePoint beat_ = TimePoint::max();  // when a stream that says nothing is to say that it lives
  TimePoint started_;                  // first byte of the current request
  std::size_t body_bytes_ = 0;         // of its body, read
  std::string client_;                 // address, where it is to be logged
  bool timed_out_ = false;
  bool watching_ = false;
  const std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  bool broken_ = false;  // the client takes no more
  bool unread_ = false;  // closing with request bytes unread
};

}  // namespace bascule::http
