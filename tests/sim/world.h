#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer.h"

namespace bascule::sim {

// Time, threads and chance of one simulated server, all on the calling thread and all out of one seed.
// Work on the executor takes simulated time: it begins when there are tokens for it, in the order of posting,
// and `busy(d)` inside it lets other events happen before it ends.
// Thread-safety: external (one thread).
class World {
 public:
  World(std::uint64_t seed, std::size_t width) : executor(*this, width), random_(seed) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Something that happens at a time. Events of one time happen in an order drawn by chance.
  void at(TimePoint when, std::function<void()> what) {
    events_.emplace(std::pair(std::max(when, clock.time), random_()), std::move(what));
  }
  // Lets time pass inside a piece of work: what others do meanwhile happens now.
  void busy(Duration d) {
    const TimePoint end = clock.time + d;
    while (!events_.empty() && events_.begin()->first.first <= end && happened_ < most_) step();
    clock.time = std::max(clock.time, end);
  }
  // Until nothing is left to happen. False: there were more than `most` events.
  bool run(std::size_t most) {
    most_ = most;
    while (!events_.empty() && happened_ < most_) step();
    return events_.empty();
  }
  // From 0 to `most`.
  std::uint64_t upto(std::uint64_t most) { return random_() % (most + 1); }
  bool chance(unsigned percent) { return upto(99) < percent; }

  struct HeldClock final : Clock {
    [[nodiscard]] TimePoint now() const override { return time; }
    TimePoint time = TimePoint{} + std::chrono::hours(1);
  };

  class Workers final : public Executor {
   public:
    Workers(World& world, std::size_t width) : world_(world), width_(width) {}
    Result<void> post(Work work, std::size_t cost) override {
      if (waiting() >= max_waiting) {
        return Error{.code = Code::kResourceExhausted, .message = "The executor is full."};
      }
      queue_.emplace_back(std::move(work), std::clamp<std::size_t>(cost, 1, width_));
      begin_soon();
      return {};
    }
    Result<void> post_brief(Work work) override {
      if (waiting() >= max_waiting) {
        return Error{.code = Code::kResourceExhausted, .message = "The executor is full."};
      }
      brief_.push_back(std::move(work));
      begin_brief_soon();
      return {};
    }
    [[nodiscard]] std::size_t width() const override { return width_; }
    [[nodiscard]] std::size_t waiting() const { return queue_.size() + brief_.size(); }
    [[nodiscard]] bool runs_brief() const { return runs_brief_; }
    [[nodiscard]] std::size_t running() const { return running_; }
    [[nodiscard]] std::size_t free_tokens() const { return width_ - tokens_; }
    std::size_t max_waiting = 1000;

   private:
    // A worker wakes up some time after it was told; where what came first does not fit, it is tried again.
    void begin_soon() {
      world_.at(world_.clock.time + std::chrono::microseconds(world_.upto(20)), [this] {
        if (tokens_ + queue_.front().second > width_) return begin_soon();
        auto [work, cost] = std::move(queue_.front());
        queue_.pop_front();
        ++running_;
        tokens_ += cost;
        work();
        tokens_ -= cost;
        --running_;
      });
    }
    // The one thread beside the others, of which it takes no token.
    void begin_brief_soon() {
      world_.at(world_.clock.time + std::chrono::microseconds(world_.upto(20)), [this] {
        if (runs_brief_) return begin_brief_soon();
        Work work = std::move(brief_.front());
        brief_.pop_front();
        ++running_;
        runs_brief_ = true;
        work();
        runs_brief_ = false;
        --running_;
      });
    }
    World& world_;
    const std::size_t width_;
    std::deque<std::pair<Work, std::size_t>> queue_;
    std::deque<Work> brief_;
    bool runs_brief_ = false;
    std::size_t running_ = 0;
    std::size_t tokens_ = 0;
  };

  class HeldTimer final : public Timer {
   public:
    explicit HeldTimer(World& world) : world_(world) {}
    void call_at(TimePoint when, Work work) override {
      ++calls;
      auto shared = std::make_shared<Work>(std::move(work));
      world_.at(when, [shared] { (*shared)(); });
    }
    std::size_t calls = 0;

   private:
    World& world_;
  };

  // Called whenever all that happens at one time has happened.
  std::function<void()> before_time_passes = [] {};

  HeldClock clock;
  Workers executor;
  HeldTimer timer{*this};

 private:
  void step() {
    ++happened_;
    auto first = events_.extract(events_.begin());
    if (first.key().first > clock.time) {
      before_time_passes();
      clock.time = first.key().first;
    }
    first.mapped()();
  }

  std::mt19937_64 random_;
  std::size_t happened_ = 0;
  std::size_t most_ = 0;
  std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace bascule::sim
