#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "catalog/catalog.h"
#include "catalog/manager.h"
#include "serving/inference_service.h"
#include "world.h"

namespace bascule::sim {

// The loader: one thread, first come first served, as ThreadPool is.
// Thread-safety: external (one thread).
class Loader final : public Executor {
 public:
  explicit Loader(World& world) : world_(world) {}
  Result<void> post(Work work, std::size_t /*cost*/) override {
    if (stopped) return Error{.code = Code::kUnavailable, .message = "The server is shutting down."};
    if (queue_.size() >= most)
      return Error{.code = Code::kResourceExhausted, .message = "The loader is full."};
    queue_.push_back(std::move(work));
    if (!active_) begin_soon();
    return {};
  }
  [[nodiscard]] std::size_t width() const override { return 1; }
  // Whether what happens now happens on it.
  [[nodiscard]] bool here() const { return here_; }
  // Lets time pass for others.
  void busy(Duration d) {
    here_ = false;
    world_.busy(d);
    here_ = true;
  }
  std::size_t most = 64;
  bool stopped = false;

 private:
  void begin_soon() {
    active_ = true;
    world_.at(world_.clock.time + std::chrono::microseconds(world_.upto(20)), [this] {
      Work work = std::move(queue_.front());
      queue_.pop_front();
      here_ = true;
      work();
      work = nullptr;
      here_ = false;
      active_ = false;
      if (!queue_.empty()) begin_soon();
    });
  }
  World& world_;
  std::deque<Work> queue_;
  bool active_ = false;
  bool here_ = false;
};

// A model's file as it is now.
struct File {
  std::uint64_t stamp = 1;
  std::uint64_t bytes = 10;  // of memory; the file is half as large
  bool bad = false;          // does not load
  bool there = true;
  Duration loads_in{};
};

// What is known of a model from outside.
struct Watched {
  File file;
  bool held = false;         // was unloaded on request, and not loaded since
  bool failed = false;       // the last load failed
  bool removed = false;      // its file was away at some time
  int loads_asked = 0;       // loads on request that are not done
  bool wanted = true;        // loaded unasked
  std::uint64_t newest = 0;  // instance that was loaded last
};

struct Request {
  std::string model;
  float value = 0;  // no other request has it
  TimePoint arrives;
  std::optional<TimePoint> deadline;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  std::uint64_t not_older = 0;  // instance that was current when it was sent, or the next to come
  int answers = 0;
};

struct Seen {
  std::size_t reloads = 0;
  std::size_t failures = 0;
  std::size_t evictions = 0;
  std::size_t waited = 0;  // requests answered by a model that was not loaded when they came
  std::size_t freed = 0;
  std::set<Code> codes;
};

// A server whose models come and go while it is asked, out of one seed.
// Thread-safety: external (one thread).
class ReloadSimulation {
 public:
  ReloadSimulation(std::uint64_t seed, catalog::Sabotage sabotage);
  // What was wrong first; empty: nothing.
  std::string run();
  [[nodiscard]] const Seen& seen() const { return seen_; }

 private:
  struct Held;

  void wrong(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  void complain(const Request& request, std::string_view what);
  void start();
  catalog::Found scan() const;
  Result<catalog::Handle> load(const catalog::ModelSource& source);
  Result<std::vector<tensor::NamedTensor>> engine(std::uint64_t id, Duration takes,
                                                  std::span<const tensor::NamedTensor> inputs);
  void check_before_load(const catalog::ModelSource& source);
  void freed(std::uint64_t id, std::uint64_t bytes);
  [[nodiscard]] std::uint64_t current(const std::string& name) const;  // instance; 0: none
  void plan_requests();
  void plan_operations();
  void operate(const std::string& name);
  void ask_to_load(const std::string& name);
  void ask_to_unload(const std::string& name);
  void change_file(const std::string& name);
  void ask(std::size_t index);
  void answered(Request& request, const Result<content::InferResponse>& answer);
  void refused(const Request& request, const Error& error);
  void check_memory();
  void check_at_the_end();
  std::string pick() { return "m" + std::to_string(world_.upto(models_.size() - 1)); }

  World world_;
  const catalog::Sabotage sabotage_;
  Loader loader_{world_};
  backend::FakeBackend backend_;
  std::map<std::string, Watched> models_;
  std::map<const catalog::LoadedModel*, std::uint64_t> ids_;
  std::set<std::uint64_t> alive_;
  std::uint64_t last_id_ = 0;
  std::uint64_t budget_ = 0;
  std::uint64_t in_use_ = 0;
  std::uint64_t largest_ = 0;  // that any model may need
  bool shut_down_ = false;
  bool tight_ = false;  // the loader's queue is short
  std::size_t most_parked_ = 0;
  catalog::Catalog catalog_{""};
  metrics::Metrics metrics_;
  std::optional<catalog::Manager> manager_;
  std::optional<serving::InferenceService> service_;
  std::vector<Request> requests_;
  Seen seen_;
  std::string wrong_;
};

}  // namespace bascule::sim
