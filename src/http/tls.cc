#include "http/tls.h"

#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace bascule::http {
namespace {

constexpr unsigned char kSessions[] = "bascule";  // what resumed sessions belong to

Error unusable(std::string_view flag, const std::string& file) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  Error error = invalid_argument(fmt::format("{}: '{}' cannot be used: {}.", flag, file,
                                             reason != nullptr ? reason : "it is no PEM file of that kind"));
  ERR_clear_error();
  return error;
}

// A key with a password would be asked for at the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return 0; }

}  // namespace

TlsSession::TlsSession(ssl_ctx_st* context, int socket) : ssl_(SSL_new(context)) {
  broken_ = ssl_ == nullptr || SSL_set_fd(ssl_, socket) != 1;
  if (!broken_) SSL_set_accept_state(ssl_);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

TlsSession::Step TlsSession::step_of(int result, std::size_t count) {
  if (result > 0) return {.want = Want::kNothing, .count = count};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return {.want = Want::kRead};
    case SSL_ERROR_WANT_WRITE: return {.want = Want::kWrite};
    case SSL_ERROR_ZERO_RETURN: return {.want = Want::kEnd};
    default: broken_ = true; return {.want = Want::kEnd};
  }
}

TlsSession::Step TlsSession::accept() {
  if (broken_) return {.want = Want::kEnd};
  ERR_clear_error();
  return step_of(SSL_accept(ssl_), 0);
}

TlsSession::Step TlsSession::read(std::span<std::byte> room) {
  if (broken_) return {.want = Want::kEnd};
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_read_ex(ssl_, room.data(), room.size(), &count);
  return step_of(result, count);
}

TlsSession::Step TlsSession::write(std::span<const std::byte> bytes) {
  if (broken_) return {.want = Want::kEnd};
  if (bytes.empty()) return {};
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
  return step_of(result, count);
}

bool TlsSession::has_ended() {
  if (broken_) return true;
  ERR_clear_error();
  char byte = 0;
  std::size_t count = 0;
  return step_of(SSL_peek_ex(ssl_, &byte, 1, &count), count).want == Want::kEnd;
}

void TlsSession::finish() {
  if (broken_ || SSL_in_init(ssl_) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

Result<Tls::ContextPtr> Tls::load(const TlsFiles& files) {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* const raw = context.get();
  if (raw == nullptr || SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1) {
    return internal_error("TLS cannot be used here.");
  }
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(
      raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_id_context(raw, kSessions, sizeof kSessions - 1);
  SSL_CTX_set_default_passwd_cb(raw, no_password);
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1) {
    return unusable("--tls-cert", files.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(raw) != 1) {
    return unusable("--tls-key", files.key);
  }
  if (!files.client_authority.empty()) {
    const char* const file = files.client_authority.c_str();
    if (SSL_CTX_load_verify_locations(raw, file, nullptr) != 1) {
      return unusable("--tls-client-ca", files.client_authority);
    }
    SSL_CTX_set_client_CA_list(raw, SSL_load_client_CA_file(file));
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return Result<ContextPtr>(std::move(context));
}

Result<std::shared_ptr<Tls>> Tls::open(TlsFiles files) {
  auto tls = std::make_shared<Tls>(std::move(files));
  BASCULE_TRY(tls->reload());
  return Result<std::shared_ptr<Tls>>(std::move(tls));
}

Result<void> Tls::reload() {
  BASCULE_ASSIGN(ContextPtr context, load(files_));
  context_.with([&](ContextPtr& now) { now = std::move(context); });
  return {};
}

std::unique_ptr<TlsSession> Tls::begin(int socket) const {
  // The session holds its own share of the context.
  const ContextPtr context = context_.with([](const ContextPtr& now) { return now; });
  return std::make_unique<TlsSession>(context.get(), socket);
}

}  // namespace bascule::http
