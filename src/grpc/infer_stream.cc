#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "grpc/bytes.h"
#include "grpc/infer_call.h"
#include "grpc/stream_call.h"
#include "protocol/v2/messages.h"

namespace bascule::grpc_front {
namespace {

namespace v2 = protocol::v2;

constexpr std::string_view kModelStreamInfer = "inference.GRPCInferenceService/ModelStreamInfer";
// Requests of one stream that may be under way: a client that reads no answers is not read from either.
constexpr std::size_t kMostUnderWay = 64;

// Reads requests while fewer than kMostUnderWay have no answer written, and writes the answers in the order
// of the requests. Answers come on any thread, all else on the queue's.
class InferStream final : public StreamHandler, public Stream {
 public:
  InferStream(Context& context, StreamCall& call, access::KeyPtr key)
      : context_(context), call_(call), key_(std::move(key)) {
    context_.streams.add(*this);
  }
  ~InferStream() override { context_.streams.remove(*this); }

  void read_done(bool ok) override {
    if (ok) {
      if (const auto number = add_request()) take(*number);
    }
    go_on([&]() BASCULE_REQUIRES(mutex_) {
      reading_ = false;
      ended_ = ended_ || !ok;
    });
  }
  void write_done(bool ok) override {
    go_on([&]() BASCULE_REQUIRES(mutex_) {
      writing_ = false;
      broken_ = broken_ || !ok;
      drop_first();
    });
  }
  void cancelled() override { *cancelled_ = true; }
  void begin() {
    go_on([] {});
  }
  void drain() override {
    go_on([&]() BASCULE_REQUIRES(mutex_) { draining_ = true; });
  }

 private:
  void take(std::uint64_t number) {
    if (auto beyond = context_.gate->charge(key_)) {
      context_.accounts.refused("", "", kLabel, *beyond);
      return answer(number, {.reply = *std::move(beyond), .id = {}});
    }
    infer(context_, incoming_,
          {.deadline = deadline_of(call_.context(), context_.services.clock.now()),
           .cancelled = cancelled_,
           .method = kModelStreamInfer,
           .trace = context_.sample(call_.context())},
          [this, number](Answered answered) { answer(number, std::move(answered)); });
  }
  // Nothing: what was read as the stream ended is not answered.
  std::optional<std::uint64_t> add_request() {
    MutexLock lock(mutex_);
    if (finished_) return std::nullopt;
    answers_.emplace_back();
    return first_ + answers_.size() - 1;
  }

  void answer(std::uint64_t number, Answered answered) {
    grpc::ByteBuffer buffer =
        buffer_of(answered.reply ? v2::wrap_stream_reply(*std::move(answered.reply))
                                 : v2::write_stream_error(answered.reply.error(), answered.id));
    go_on([&]() BASCULE_REQUIRES(mutex_) { answers_[number - first_] = std::move(buffer); });
  }

  void drop_first() BASCULE_REQUIRES(mutex_) {
    answers_.pop_front();
    ++first_;
  }

  // After `change`, begins what can begin: the next write, the next read, or the end. Whoever calls this from
  // another thread than the queue's does not touch this object afterwards: it may be gone.
  template <class Change>
  void go_on(Change change) {
    const grpc::ByteBuffer* write = nullptr;
    bool read = false;
    bool finish = false;
    {
      MutexLock lock(mutex_);
      change();
      if (finished_) return;
      // To a client that takes no answers none are written; what is under way is still waited for.
      while (broken_ && !writing_ && !answers_.empty() && answers_.front()) drop_first();
      if (!broken_ && !writing_ && !answers_.empty() && answers_.front()) write = &*answers_.front();
      writing_ = writing_ || write != nullptr;
      const bool over = ended_ || broken_ || draining_;
      read = !over && !reading_ && answers_.size() < kMostUnderWay;
      reading_ = reading_ || read;
      finish = over && !writing_ && answers_.empty() && (draining_ || broken_ || !reading_);
      finished_ = finish;
    }
    if (write != nullptr) call_.write(*write);
    if (read) call_.read(incoming_);
    if (finish) call_.finish(grpc::Status::OK);
  }

  Context& context_;
  StreamCall& call_;
  const access::KeyPtr key_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  grpc::ByteBuffer incoming_;
  Mutex mutex_;
  // From number first_ on; a deque, so that what is being written stays where it is.
  std::deque<std::optional<grpc::ByteBuffer>> answers_ BASCULE_GUARDED_BY(mutex_);
  std::uint64_t first_ BASCULE_GUARDED_BY(mutex_) = 0;
  bool reading_ BASCULE_GUARDED_BY(mutex_) = false;
  bool writing_ BASCULE_GUARDED_BY(mutex_) = false;
  bool ended_ BASCULE_GUARDED_BY(mutex_) = false;  // the client sends no more
  bool broken_ BASCULE_GUARDED_BY(mutex_) = false;
  bool draining_ BASCULE_GUARDED_BY(mutex_) = false;
  bool finished_ BASCULE_GUARDED_BY(mutex_) = false;
};

}  // namespace

void answer_infer_stream(Context& context, StreamCall& call, access::KeyPtr key) {
  auto handler = std::make_unique<InferStream>(context, call, std::move(key));
  InferStream& stream = *handler;
  call.set_handler(std::move(handler));
  stream.begin();
}

}  // namespace bascule::grpc_front
