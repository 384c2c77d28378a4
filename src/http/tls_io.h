#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <tuple>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include "http/answer_slot.h"
#include "http/tls.h"

// Waits for what an encrypted connection wants of its socket. Included where connections are, and nowhere
// else.
namespace bascule::http {

using Moved = std::tuple<boost::system::error_code, std::size_t>;  // as a socket's own operations give it

// Calls `act` until it has done something, or cannot.
template <class Socket, class Act>
Task<Moved> tls_do(Socket& socket, Act act) {
  while (true) {
    const TlsSession::Step step = act();
    if (step.want == TlsSession::Want::kNothing) co_return Moved{boost::system::error_code(), step.count};
    if (step.want == TlsSession::Want::kEnd) co_return Moved{boost::asio::error::eof, 0};
    const auto side = step.want == TlsSession::Want::kRead ? Socket::wait_read : Socket::wait_write;
    const auto [error] = co_await socket.async_wait(side, boost::asio::as_tuple(kAwait));
    if (error) co_return Moved{error, 0};
  }
}

template <class Socket>
Task<Moved> tls_read(TlsSession& session, Socket& socket, boost::asio::mutable_buffer room) {
  return tls_do(
      socket, [&session, room] { return session.read({static_cast<std::byte*>(room.data()), room.size()}); });
}

// What goes out at once; would_block where nothing does.
inline std::size_t tls_write(TlsSession& session, boost::asio::const_buffer bytes,
                             boost::system::error_code& error) {
  const TlsSession::Step step = session.write({static_cast<const std::byte*>(bytes.data()), bytes.size()});
  if (step.want == TlsSession::Want::kWrite) error = boost::asio::error::would_block;
  if (step.want == TlsSession::Want::kRead || step.want == TlsSession::Want::kEnd)
    error = boost::asio::error::eof;
  return step.count;
}

// The handshake. False: there is none to be had; what came is dropped, so that the other side finds the end
// and not a reset.
template <class Socket>
Task<bool> tls_accept(TlsSession& session, Socket& socket) {
  const auto [error, none] = co_await tls_do(socket, [&session] { return session.accept(); });
  if (!error) co_return true;
  char dropped[4096];
  for (int i = 0; i < 16 && ::recv(socket.native_handle(), dropped, sizeof dropped, MSG_DONTWAIT) > 0; ++i) {
  }
  co_return false;
}

}  // namespace bascule::http
