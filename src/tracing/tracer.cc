#include "tracing/tracer.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "tracing/mix.h"

namespace bascule::tracing {
namespace {

constexpr std::uint64_t kDeciding = std::uint64_t{1} << 56U;  // one more than what the deciding bits can be

// Low bytes first come last: the last bytes of a trace's id are those of its second word.
void put(std::uint64_t word, std::uint8_t* out) {
  for (int i = 7; i >= 0; --i, word >>= 8U) out[i] = static_cast<std::uint8_t>(word & 0xffU);
}

std::uint64_t at_least_one(std::uint64_t word) { return std::max<std::uint64_t>(word, 1); }

}  // namespace

Tracer::Tracer(TracerOptions options)
    : options_(std::move(options)),
      least_(static_cast<std::uint64_t>(
          std::llround((1 - std::clamp(options_.ratio, 0.0, 1.0)) * static_cast<double>(kDeciding)))) {}

std::uint64_t Tracer::next(std::uint64_t stream) { return mix(options_.seed, stream); }

std::optional<TraceContext> Tracer::sample(std::string_view traceparent, std::string_view tracestate) {
  const std::optional<Parent> parent = parse_traceparent(traceparent);
  if (parent && !parent->sampled) return std::nullopt;
  const std::uint64_t number = 3 * count_.fetch_add(1, std::memory_order_relaxed);
  TraceContext context;
  if (parent) {
    context.trace = parent->trace;
    context.parent = parent->span;
    context.state = kept_tracestate(tracestate);
  } else {
    const std::uint64_t low = next(number);
    if (low % kDeciding < least_) return std::nullopt;
    put(next(number + 1), context.trace.data());
    put(at_least_one(low), context.trace.data() + 8);
  }
  put(at_least_one(next(number + 2)), context.span.data());
  return context;
}

void Tracer::add(TracedRequest request) {
  {
    MutexLock lock(mutex_);
    if (!stopped_ && queue_.size() < options_.max_queue) {
      queue_.push_back(std::move(request));
      // One that sleeps until there is anything, or until there is a batch.
      if (queue_.size() == 1 || queue_.size() == options_.batch) wake_.notify_one();
      return;
    }
  }
  if (options_.dropped) options_.dropped(span_count(request));
}

std::vector<TracedRequest> Tracer::take() {
  MutexLock lock(mutex_);
  wake_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return stopped_ || !queue_.empty(); });
  wake_.wait_for(mutex_, options_.delay,
                 [this]() BASCULE_REQUIRES(mutex_) { return stopped_ || queue_.size() >= options_.batch; });
  const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), options_.batch));
  std::vector<TracedRequest> out(std::make_move_iterator(queue_.begin()),
                                 std::make_move_iterator(queue_.begin() + count));
  queue_.erase(queue_.begin(), queue_.begin() + count);
  return out;
}

void Tracer::stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  wake_.notify_all();
}

}  // namespace bascule::tracing
