#include "serving/parking.h"

#include <utility>

#include <fmt/format.h>

namespace bascule::serving {
namespace {

constexpr Duration kComeBack = std::chrono::seconds(1);  // how long a load takes is not known

}  // namespace

Parking::~Parking() {
  const Error why{.code = Code::kUnavailable, .message = "The server is shutting down."};
  for (auto& [name, model] : lot_.with([](Lot& lot) { return std::exchange(lot.models, {}); })) {
    for (auto& [ticket, go] : model.waiting) go(why);
  }
}

Error Parking::full(const std::string& model) const {
  std::string limit = fmt::format("{} requests", most_);
  return {
      .code = Code::kResourceExhausted,
      .message = fmt::format("{} requests wait for model '{}' to be loaded, the limit. Try again in {} s.",
                             most_, model, to_seconds(kComeBack)),
      .reason = Reason::kQueueFull,
      .fields = {.name = model, .limit = std::move(limit), .retry_after = kComeBack}};
}

void Parking::wait(const std::string& model, std::optional<TimePoint> deadline, Go go) {
  const TimePoint now = clock_.now();
  if (deadline && *deadline <= now) {
    return go(Error{.code = Code::kDeadlineExceeded,
                    .message = "The request's time was over when it came, and its model is not loaded."});
  }
  std::uint64_t ticket = 0;
  bool is_full = false;
  bool first = false;
  lot_.with([&](Lot& lot) {
    Model& place = lot.models[model];
    is_full = most_ > 0 && place.waiting.size() >= most_;
    if (is_full) return;
    first = place.waiting.empty();
    ticket = lot.next++;
    place.waiting.emplace(ticket, std::move(go));
  });
  if (is_full) return go(full(model));
  if (deadline && sabotage_ != catalog::Sabotage::kForgetDeadline) {
    timer_.call_at(*deadline, [weak = weak_from_this(), model, ticket, now] {
      if (const auto self = weak.lock()) self->expire(model, ticket, now);
    });
  }
  if (!first) return;
  manager_.want(model, [weak = weak_from_this(), model](const Result<void>& result) {
    if (const auto self = weak.lock()) self->wake(model, result);
  });
}

void Parking::wake(const std::string& model, const Result<void>& result) {
  std::map<std::uint64_t, Go> waiting;
  lot_.with([&](Lot& lot) {
    const auto found = lot.models.find(model);
    if (found == lot.models.end()) return;
    waiting = std::move(found->second.waiting);
    lot.models.erase(found);
  });
  for (auto& [ticket, go] : waiting) {
    go(result);
    if (sabotage_ == catalog::Sabotage::kForgetToWake) return;
  }
}

void Parking::expire(const std::string& model, std::uint64_t ticket, TimePoint since) {
  Go go;
  lot_.with([&](Lot& lot) {
    const auto found = lot.models.find(model);
    if (found == lot.models.end()) return;
    const auto at = found->second.waiting.find(ticket);
    if (at == found->second.waiting.end()) return;
    go = std::move(at->second);
    found->second.waiting.erase(at);
    if (found->second.waiting.empty()) lot.models.erase(found);
  });
  if (!go) return;
  go(Error{
      .code = Code::kDeadlineExceeded,
      .message = fmt::format("The request's time was over after it had waited {:.1f} ms for model '{}' to "
                             "be loaded. Allow more time, or load the model before it is asked for.",
                             to_ms(clock_.now() - since), model)});
}

}  // namespace bascule::serving
