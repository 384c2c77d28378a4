#include "runs/run.h"

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/executor.h"
#include "runs/report_state.h"
#include "runs/window.h"

namespace bascule::runs {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(100);

// Writes what is finished, in order, on the calling thread.
class Loop {
 public:
  Loop(Window& window, Results& results, const RunOptions& options, const RunHooks& hooks)
      : window_(window),
        results_(results),
        options_(options),
        hooks_(hooks),
        position_(results.progress().position),
        began_(hooks.clock.now()),
        saved_(began_),
        before_(results.progress().good + results.progress().bad) {}

  Result<Ending> go() {
    while (true) {
      Window::Finished finished;
      Window::State state = window_.next(finished, Duration::zero());
      if (state == Window::State::kWaiting) {
        BASCULE_TRY(results_.flush());
        state = window_.next(finished, kLookEvery);
      }
      tick();
      if (state == Window::State::kEnded) break;
      if (state == Window::State::kFinished) {
        BASCULE_ASSIGN(const std::optional<Ending> ending, take(finished));
        if (ending) return *ending;
      }
      if (!stopping_ && hooks_.stop()) {
        stopping_ = true;
        window_.close();
      }
    }
    BASCULE_TRY(save());
    BASCULE_TRY(window_.ending());
    return stopping_ || hooks_.stop() ? Ending::kStopped : Ending::kDone;
  }

 private:
  // Writes what was answered; tells how the run ends where it does with that.
  Result<std::optional<Ending>> take(Window::Finished& finished) {
    if (finished.answered.fatal) {
      BASCULE_TRY(save());
      if (finished.answered.fatal->code == Code::kCancelled && hooks_.stop()) return Ending::kStopped;
      return *std::move(finished.answered.fatal);
    }
    BASCULE_TRY(write(finished));
    if (too_many_errors()) {
      BASCULE_TRY(save());
      return Ending::kTooManyErrors;
    }
    if (hooks_.clock.now() - saved_ >= options_.save_every) BASCULE_TRY(save());
    return std::optional<Ending>();
  }

  Result<void> write(const Window::Finished& finished) {
    for (const Outcome& outcome : finished.answered.outcomes) {
      BASCULE_TRY(results_.add(outcome));
      if (hooks_.report != nullptr) hooks_.report->add(outcome);
    }
    position_ = finished.unit.after;
    share_ = finished.unit.share;
    if (first_share_ < 0) first_share_ = share_;
    return {};
  }

  Result<void> save() {
    BASCULE_TRY(results_.save(position_, hooks_.report != nullptr ? hooks_.report->saved() : std::string()));
    saved_ = hooks_.clock.now();
    return {};
  }

  [[nodiscard]] bool too_many_errors() const {
    return options_.max_errors && results_.progress().bad > *options_.max_errors;
  }

  void tick() {
    const std::uint64_t good = results_.progress().good;
    const std::uint64_t bad = results_.progress().bad;
    hooks_.tick({.good = good,
                 .bad = bad,
                 .since = good + bad - before_,
                 .share = share_,
                 .first_share = first_share_,
                 .took = hooks_.clock.now() - began_});
  }

  Window& window_;
  Results& results_;
  const RunOptions& options_;
  const RunHooks& hooks_;
  Position position_;
  const TimePoint began_;
  TimePoint saved_;
  const std::uint64_t before_;
  double share_ = -1;
  double first_share_ = -1;
  bool stopping_ = false;
};

void read_all(Reader& reader, Window& window, const Reader::Stop& stop) {
  while (true) {
    auto unit = reader.next(stop);
    if (!unit) return window.end(std::move(unit).error());
    if (!*unit || !window.put(**std::move(unit))) return window.end({});
  }
}

void answer_all(Asker& asker, Window& window, const AnswerOptions& options) {
  while (const auto task = window.take()) window.done(task->number, answer(asker, *task->unit, options));
}

}  // namespace

Result<Ending> run(Reader& reader, Asker& asker, Results& results, const RunOptions& options,
                   const RunHooks& hooks) {
  Window window(options.window);
  std::atomic<bool> over = false;
  const Reader::Stop stop = [&] { return over || hooks.stop(); };
  ThreadPool pool({.name = "batch", .threads = options.lanes + 1});
  BASCULE_CHECK(pool.post([&] { read_all(reader, window, stop); }).has_value());
  for (std::size_t i = 0; i < options.lanes; ++i) {
    BASCULE_CHECK(pool.post([&] { answer_all(asker, window, options.answer); }).has_value());
  }
  Result<Ending> ending = Loop(window, results, options, hooks).go();
  over = true;
  window.close();
  pool.drain();
  return ending;
}

}  // namespace bascule::runs
