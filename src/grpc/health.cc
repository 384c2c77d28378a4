#include "grpc/health.h"

#include <memory>
#include <optional>
#include <utility>

#include "grpc/bytes.h"
#include "grpc/bytes_service.h"
#include "protocol/v2/messages.h"

namespace bascule::grpc_front {
namespace {

// Of HealthCheckResponse.
enum class Status : char { kServing = 1, kNotServing = 2, kServiceUnknown = 3 };

grpc::ByteBuffer message_of(Status status) { return buffer_of({'\x08', static_cast<char>(status)}); }

// The service that a HealthCheckRequest names.
Result<std::string> service_of(const Context& context, const grpc::ByteBuffer& message) {
  BASCULE_ASSIGN(const protocol::RequestBody body, body_of(message, context.options.max_message_bytes));
  // Alike on the wire.
  BASCULE_ASSIGN(protocol::v2::NamedCall named, protocol::v2::parse_named_message(body));
  return std::move(named.model);
}

}  // namespace

// One Watch call: a message with the status as it is, and one whenever it changes. Health and the open
// streams call it under their locks, which its end waits for. Thread-safety: thread-safe.
class HealthWatch final : public StreamHandler, public Stream {
 public:
  HealthWatch(Health& health, StreamCall& call) : health_(health), call_(call) {
    health_.context_.streams.add(*this);
    MutexLock lock(health_.mutex_);
    health_.watches_.insert(this);
  }
  ~HealthWatch() override {
    health_.context_.streams.remove(*this);
    MutexLock lock(health_.mutex_);
    health_.watches_.erase(this);
  }

  void begin() { call_.read(request_); }

  void read_done(bool ok) override {
    const Result<std::string> service =
        ok ? service_of(health_.context_, request_) : invalid_argument("A watch needs a request.");
    go_on([&]() BASCULE_REQUIRES(mutex_) {
      if (service) {
        known_ = health_.knows(*service);
      } else if (!end_) {
        end_ = status_of(service.error(), health_.context_.options.dialect);
      }
    });
  }
  void write_done(bool ok) override {
    go_on([&]() BASCULE_REQUIRES(mutex_) {
      writing_ = false;
      if (!ok && !end_) end_ = grpc::Status::OK;
    });
  }
  void cancelled() override { drain(); }
  void drain() override {
    go_on([&]() BASCULE_REQUIRES(mutex_) {
      if (!end_) end_ = grpc::Status::OK;
    });
  }
  void look() {
    go_on([] {});
  }

 private:
  // After `change`, begins what can begin: a message where the last one said something else, then the end.
  template <class Change>
  void go_on(Change change) {
    MutexLock lock(mutex_);
    change();
    if (finished_ || writing_) return;
    const std::optional<Status> now = status();
    if (now && written_ != now) {
      written_ = now;
      writing_ = true;
      message_ = message_of(*written_);
      call_.write(message_);
    } else if (end_) {
      finished_ = true;
      call_.finish(*end_);
    }
  }
  // Nothing before it was asked for.
  [[nodiscard]] std::optional<Status> status() const BASCULE_REQUIRES(mutex_) {
    if (!known_) return std::nullopt;
    if (!*known_) return Status::kServiceUnknown;
    return health_.serving_ ? Status::kServing : Status::kNotServing;
  }

  Health& health_;
  StreamCall& call_;
  grpc::ByteBuffer request_;
  Mutex mutex_;
  std::optional<bool> known_ BASCULE_GUARDED_BY(mutex_);  // the service; nothing before it was asked for
  grpc::ByteBuffer message_ BASCULE_GUARDED_BY(mutex_);   // being written
  std::optional<Status> written_ BASCULE_GUARDED_BY(mutex_);
  bool writing_ BASCULE_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ BASCULE_GUARDED_BY(mutex_);
  bool finished_ BASCULE_GUARDED_BY(mutex_) = false;
};

void Health::add_to(BytesService& service) {
  service.add("/grpc.health.v1.Health/Check", [this](UnaryCall& call) { check(call); });
  service.add_stream("/grpc.health.v1.Health/Watch", [this](StreamCall& call) {
    auto watch = std::make_unique<HealthWatch>(*this, call);
    HealthWatch& raw = *watch;
    call.set_handler(std::move(watch));
    raw.begin();
  });
}

void Health::set(bool serving) {
  if (serving_.exchange(serving) == serving) return;
  MutexLock lock(mutex_);
  for (HealthWatch* const watch : watches_) watch->look();
}

void Health::check(UnaryCall& call) const {
  const Result<std::string> service = service_of(context_, call.request());
  if (!service) return call.fail(status_of(service.error(), context_.options.dialect));
  if (!knows(*service)) return call.fail({grpc::StatusCode::NOT_FOUND, "service name unknown"});
  call.answer(message_of(serving_ ? Status::kServing : Status::kNotServing));
}

}  // namespace bascule::grpc_front
