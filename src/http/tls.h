#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"

struct ssl_ctx_st;  // OpenSSL's
struct ssl_st;

namespace bascule::http {

// PEM files.
struct TlsFiles {
  std::string certificate;  // and those that lead from it to an authority
  std::string key;
  std::string client_authority;  // whose clients alone may connect; empty: any client
};

// One encrypted connection over a socket that does not block. It never waits: it says what it wants of the
// socket first.
// Thread-safety: external (one thread).
class TlsSession {
 public:
  enum class Want {
    kNothing,  // it is done
    kRead,     // again when the socket can be read
    kWrite,    // again when it can be written
    kEnd       // the other side has ended it, or it is broken
  };
  struct Step {
    Want want = Want::kNothing;
    std::size_t count = 0;  // bytes moved, with kNothing
  };

  TlsSession(ssl_ctx_st* context, int socket);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // The handshake.
  Step accept();
  Step read(std::span<std::byte> room);
  Step write(std::span<const std::byte> bytes);
  // Whether the other side has ended it, as far as that has come.
  bool has_ended();
  // Tells the other side that nothing more comes.
  void finish();

 private:
  Step step_of(int result, std::size_t count);

  ssl_st* const ssl_;
  bool broken_ = false;
};

// What encrypted connections begin with: TLS 1.2 or later.
// Thread-safety: thread-safe.
class Tls {
 public:
  // Without what is in the files: for `open`.
  explicit Tls(TlsFiles files) : files_(std::move(files)) {}
  // Errors: kInvalidArgument for a file that cannot be used, with the reason.
  static Result<std::shared_ptr<Tls>> open(TlsFiles files);
  // Reads the files again; on an error those from before hold. New connections begin with them.
  Result<void> reload();
  [[nodiscard]] std::unique_ptr<TlsSession> begin(int socket) const;
  [[nodiscard]] const TlsFiles& files() const { return files_; }

 private:
  using ContextPtr = std::shared_ptr<ssl_ctx_st>;
  static Result<ContextPtr> load(const TlsFiles& files);

  const TlsFiles files_;
  Guarded<ContextPtr> context_;
};

}  // namespace bascule::http
