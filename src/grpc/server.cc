#include "grpc/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "base/date.h"
#include "grpc/context.h"
#include "grpc/service.h"

namespace bascule::grpc_front {
namespace {

constexpr unsigned kLookAgainS = 1;   // whether a certificate was renewed
constexpr int kPingEveryMs = 60'000;  // whether a silent client is still there

// What gRPC reads as an address: an IPv6 one in brackets.
std::string address_of(const ServerOptions& options) {
  const bool bare_ipv6 = options.host.find(':') != std::string::npos && !options.host.starts_with('[');
  return fmt::format("{}{}{}:{}", bare_ipv6 ? "[" : "", options.host, bare_ipv6 ? "]" : "", options.port);
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

// TLS 1.2 or later, gRPC's own default.
std::shared_ptr<grpc::ServerCredentials> credentials_of(const std::optional<TlsFiles>& tls) {
  if (!tls) return grpc::InsecureServerCredentials();
  namespace experimental = grpc::experimental;
  const auto files = std::make_shared<experimental::FileWatcherCertificateProvider>(
      tls->key, tls->certificate, tls->client_authority, kLookAgainS);
  experimental::TlsServerCredentialsOptions options(files);
  options.watch_identity_key_cert_pairs();
  if (!tls->client_authority.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return experimental::TlsServerCredentials(options);
}

class GrpcServer final : public Server {
 public:
  GrpcServer(const ServerOptions& options, serving::Services services)
      : context_(options, services, is_loopback(options.host)), service_(make_inference_service(context_)) {}
  ~GrpcServer() override { stop(Duration{}); }

  Result<void> listen() {
    const ServerOptions& options = context_.options;
    // Debian's Abseil is built without NDEBUG, and looks for cycles in the order of gRPC's locks: 4 % of a
    // request.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address_of(options), credentials_of(options.tls), &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port that is taken is an error
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    // Messages come as they were sent, and `body_of` unpacks them: gRPC's own filter has no limit.
    builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    builder.SetMaxReceiveMessageSize(
        static_cast<int>(std::min<std::size_t>(options.max_message_bytes, std::numeric_limits<int>::max())));
    builder.SetMaxSendMessageSize(std::numeric_limits<int>::max());
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return Error{.code = Code::kUnavailable,
                   .message = fmt::format(
                       "Cannot listen for gRPC on port {} of {}: it is in use, or not this machine's. "
                       "Choose another with --host and --grpc-port, or close it with --grpc-port off.",
                       options.port, options.host)};
    }
    port_ = static_cast<std::uint16_t>(port);
    server_->GetHealthCheckService()->SetServingStatus(inference_service_name(), false);
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return port_; }

  void set_ready(bool ready) override {
    // All services; whoever watches gets a message for each of these.
    if (ready_.exchange(ready) != ready) server_->GetHealthCheckService()->SetServingStatus(ready);
  }

  void stop(Duration grace) override {
    if (stopped_.exchange(true) || server_ == nullptr) return;
    context_.streams.drain();
    const auto end = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(unix_time() + grace));
    server_->Shutdown(end);
  }

 private:
  Context context_;
  const std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ready_ = false;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options, serving::Services services) {
  auto server = std::make_unique<GrpcServer>(options, services);
  BASCULE_TRY(server->listen());
  return Result<std::unique_ptr<Server>>(std::move(server));
}

}  // namespace bascule::grpc_front
