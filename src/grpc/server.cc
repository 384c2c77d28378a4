#include "grpc/server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "base/check.h"
#include "base/date.h"
#include "base/executor.h"
#include "grpc/bytes_service.h"
#include "grpc/context.h"
#include "grpc/health.h"
#include "grpc/service.h"

namespace bascule::grpc_front {
namespace {

constexpr unsigned kLookAgainS = 1;   // whether a certificate was renewed
constexpr int kPingEveryMs = 60'000;  // whether a silent client is still there
constexpr std::size_t kMostAtOnce = 32;
constexpr gpr_timespec kNow{0, 0, GPR_CLOCK_MONOTONIC};  // a deadline that is over: without waiting

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

// Waits for what happens on the queue, and does it. What has happened by then is gathered first: several
// requests are read, then several are answered, which costs a tenth less. False: the queue is shut down.
bool take_events(grpc::ServerCompletionQueue& queue) {
  struct Happened {
    void* tag = nullptr;
    bool ok = false;
  };
  std::array<Happened, kMostAtOnce> events;
  if (!queue.Next(&events[0].tag, &events[0].ok)) return false;
  std::size_t count = 1;
  while (count < events.size() &&
         queue.AsyncNext(&events[count].tag, &events[count].ok, kNow) == grpc::CompletionQueue::GOT_EVENT) {
    ++count;
  }
  for (const Happened& one : std::span(events).first(count)) static_cast<Event*>(one.tag)->happened(one.ok);
  return true;
}

class GrpcServer final : public Server {
 public:
  GrpcServer(const ServerOptions& options, serving::Services services)
      : context_(options, services, is_loopback(options.host)),
        service_(make_inference_service(context_, calls_)),
        health_(context_, inference_service_name()) {
    health_.add_to(health_service_);
  }
  ~GrpcServer() override { stop(Duration{}); }

  Result<void> listen() {
    const ServerOptions& options = context_.options;
    // Debian's Abseil is built without NDEBUG, and looks for cycles in the order of gRPC's locks: 4 % of a
    // request.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::EnableDefaultHealthCheckService(false);  // health.h has why
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
    builder.RegisterService(&health_service_);
    for (std::size_t i = 0; i < std::max<std::size_t>(options.io_threads, 1); ++i) {
      queues_.push_back(builder.AddCompletionQueue());
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return Error{.code = Code::kUnavailable,
                   .message = fmt::format(
                       "Cannot listen for gRPC on port {} of {}: it is in use, or not this machine's. "
                       "Choose another with --host and --grpc-port, or close it with --grpc-port off.",
                       options.port, options.host)};
    }
    port_ = static_cast<std::uint16_t>(port);
    start();
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return port_; }

  void set_ready(bool ready) override { health_.set(ready); }

  void stop(Duration grace) override {
    if (stopped_.exchange(true) || server_ == nullptr) return;
    context_.streams.drain();
    const auto end = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(unix_time() + grace));
    server_->Shutdown(end);
    calls_.wait_for_none();
    for (const auto& queue : queues_) queue->Shutdown();
    pool_.reset();
  }

 private:
  // One thread waits on each queue; what happened there it does at once, a run that is short among it.
  void start() {
    pool_.emplace(ThreadPoolOptions{.name = "grpc", .threads = queues_.size(), .max_queue = queues_.size()});
    for (const auto& queue : queues_) {
      service_->open(*queue);
      health_service_.open(*queue);
      const auto posted = pool_->post([&queue = *queue] {
        while (take_events(queue)) {
        }
      });
      BASCULE_CHECK(posted.has_value());
    }
  }

  Context context_;
  CallCount calls_;
  const std::unique_ptr<BytesService> service_;
  Health health_;
  BytesService health_service_{calls_};
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<ThreadPool> pool_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options, serving::Services services) {
  auto server = std::make_unique<GrpcServer>(options, services);
  BASCULE_TRY(server->listen());
  return Result<std::unique_ptr<Server>>(std::move(server));
}

}  // namespace bascule::grpc_front
