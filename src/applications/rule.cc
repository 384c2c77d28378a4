#include "applications/rule.h"

#include <climits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

// jq 1.6 does not say so itself. What its header includes has to be there before.
#include <cstdarg>
#include <cstdint>
#include <cstdio>
extern "C" {
#include <jq.h>
}

#include "base/check.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/text.h"

namespace bascule::applications {
namespace {

constexpr std::size_t kMaxMessages = 10;
constexpr std::size_t kMaxMessage = 500;  // characters of jq's words
constexpr Duration kWindingDown = std::chrono::milliseconds(100);

struct Teardown {
  void operator()(jq_state* state) const { jq_teardown(&state); }
};
using State = std::unique_ptr<jq_state, Teardown>;

// A jv as an owner. Functions of jq consume what they are given: `take` hands it over.
// Thread-safety: external (one thread).
class Value {
 public:
  explicit Value(jv value) : value_(value) {}
  ~Value() { jv_free(value_); }
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;

  [[nodiscard]] jv copy() const { return jv_copy(value_); }
  [[nodiscard]] jv take() { return std::exchange(value_, jv_invalid()); }
  [[nodiscard]] jv_kind kind() const { return jv_get_kind(value_); }
  // A text as it is, anything else as JSON.
  [[nodiscard]] std::string text() const { return kind() == JV_KIND_STRING ? of_string(value_) : json(); }
  [[nodiscard]] std::string json() const {
    const Value dumped(jv_dump_string(copy(), 0));
    return of_string(dumped.value_);
  }

 private:
  static std::string of_string(jv string) {
    return {jv_string_value(string), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(string)))};
  }

  jv value_;
};

// What jq says of a program or a run, without what it says to people at a shell.
std::string words(std::string_view text) {
  for (const std::string_view head : {"jq: error: ", "jq: error ", "error: "}) {
    if (text.starts_with(head)) text.remove_prefix(head.size());
  }
  std::string out(text.substr(0, text.find('\n')));
  constexpr std::string_view kShell = " (Unix shell quoting issues?)";
  if (const std::size_t at = out.find(kShell); at != std::string::npos) out.erase(at, kShell.size());
  if (out.ends_with(':')) out.pop_back();  // the program would follow
  return text::shortened(text::escape_controls(out), kMaxMessage);
}

void keep_message(void* list, jv message) {
  const Value value(message);
  auto& messages = *static_cast<std::vector<std::string>*>(list);
  std::string text = words(value.text());
  const bool is_summary = text.starts_with("jq: ") && text.find("compile error") != std::string::npos;
  if (messages.size() < kMaxMessages && !is_summary) messages.push_back(std::move(text));
}

Error does_not_compile(const std::string& name, const std::string& place, const std::string& program,
                       const std::vector<std::string>& messages) {
  return invalid_argument(
      fmt::format("{}: the rule '{}' does not compile: {}. Its program: {}", place, name,
                  messages.empty() ? "jq does not say why" : fmt::format("{}", fmt::join(messages, "; ")),
                  text::shortened(text::escape_controls(program), kMaxMessage)));
}

}  // namespace

// The thread of one rule, and what it shares with who asks.
class Rule::Worker {
 public:
  explicit Worker(State state)
      : jq_(std::move(state)), pool_({.name = "rule", .threads = 1, .max_queue = 2}) {
    const jq_msg_cb drop = [](void*, jv message) { jv_free(message); };
    const jq_input_cb nothing = [](jq_state*, void*) {
      return jv_invalid_with_msg(jv_string("a rule has no further input"));
    };
    jq_set_error_cb(jq_.get(), drop, nullptr);
    // jq_init leaves these two as the memory was.
    jq_set_debug_cb(jq_.get(), drop, nullptr);
    jq_set_input_cb(jq_.get(), nothing, nullptr);
  }
  ~Worker() {
    MutexLock lock(mutex_);
    closing_ = true;
    halt_locked();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void begin(std::shared_ptr<const std::string> json) {
    {
      MutexLock lock(mutex_);
      begun_ = !busy_;
      if (!begun_) return;
      busy_ = true;
      asked_ = clock_.now();
    }
    const auto posted = pool_.post([this, json = std::move(json)] {
      RuleOutcome outcome = run(*json);
      {
        MutexLock lock(mutex_);
        outcome_ = std::move(outcome);
        busy_ = false;
      }
      done_.notify_all();
    });
    BASCULE_CHECK(posted);  // it was idle
  }

  RuleOutcome end(Duration limit) {
    MutexLock lock(mutex_);
    const auto over = [this]() BASCULE_REQUIRES(mutex_) { return !busy_; };
    if (begun_ && done_.wait_for(mutex_, asked_ + limit - clock_.now(), over)) return std::move(outcome_);
    RuleOutcome late{.overran = true, .took = clock_.now() - asked_};
    if (begun_) {
      halt_locked();
      [[maybe_unused]] const bool came_back = done_.wait_for(mutex_, kWindingDown, over);
    }
    return late;
  }

 private:
  RuleOutcome run(const std::string& json) {
    const TimePoint start = clock_.now();
    RuleOutcome outcome = evaluate(json);
    outcome.took = clock_.now() - start;
    return outcome;
  }

  RuleOutcome evaluate(const std::string& json) {
    if (json.size() > INT_MAX) return {.error = "The scene is too large for jq."};
    Value scene(jv_parse_sized(json.data(), static_cast<int>(json.size())));
    if (scene.kind() == JV_KIND_INVALID) return {.error = "The scene is no JSON that jq reads."};
    {
      MutexLock lock(mutex_);
      if (closing_) return {};
      halted_ = false;
      running_ = true;
      jq_start(jq_.get(), scene.take(), 0);
    }
    RuleOutcome outcome = outputs();
    MutexLock lock(mutex_);
    running_ = false;
    if (!halted_ && !outcome.holds && outcome.error.empty() && jq_halted(jq_.get()) != 0) {
      outcome.error = "It called halt, which a rule may not.";
    }
    return outcome;
  }

  RuleOutcome outputs() {
    RuleOutcome outcome;
    while (true) {
      Value value(jq_next(jq_.get()));
      if (value.kind() == JV_KIND_INVALID) {
        if (jv_invalid_has_msg(value.copy()) != 0) {
          outcome.error = words(Value(jv_invalid_get_msg(value.take())).text());
        }
        return outcome;
      }
      outcome.value = value.json();
      if (outcome.value.size() > kMaxRuleValue) {
        outcome.value = fmt::format("\"(a value of {} bytes)\"", outcome.value.size());
      }
      outcome.holds = value.kind() != JV_KIND_NULL && value.kind() != JV_KIND_FALSE;
      if (outcome.holds) return outcome;
    }
  }

  // jq looks before each instruction whether it is to halt, so that even a program without an end comes back.
  void halt_locked() BASCULE_REQUIRES(mutex_) {
    if (!running_ || halted_ || jq_halted(jq_.get()) != 0) return;
    halted_ = true;
    jq_halt(jq_.get(), jv_invalid(), jv_invalid());
  }

  const SteadyClock clock_;
  const State jq_;
  Mutex mutex_;
  ConditionVariable done_;
  bool begun_ BASCULE_GUARDED_BY(mutex_) = false;    // by the last begin()
  bool busy_ BASCULE_GUARDED_BY(mutex_) = false;     // a run is under way, or waits for the thread
  bool running_ BASCULE_GUARDED_BY(mutex_) = false;  // jq is
  bool halted_ BASCULE_GUARDED_BY(mutex_) = false;   // this run was told to end
  bool closing_ BASCULE_GUARDED_BY(mutex_) = false;
  TimePoint asked_ BASCULE_GUARDED_BY(mutex_){};
  RuleOutcome outcome_ BASCULE_GUARDED_BY(mutex_);
  ThreadPool pool_;  // last: its thread uses all of the above
};

Result<std::unique_ptr<Rule>> Rule::compile(const std::string& name, const std::string& place,
                                            const std::string& program) {
  if (program.size() > kMaxRuleText || program.find('\0') != std::string::npos) {
    return invalid_argument(
        fmt::format("{}: the program of the rule '{}' has {} bytes; it may have {}, none of them 0.", place,
                    name, program.size(), kMaxRuleText));
  }
  std::vector<std::string> messages;
  State state(jq_init());
  if (state == nullptr) return internal_error("jq cannot be started.");
  // Without a list of folders for modules jq aborts at `import`; in none it finds none.
  jq_set_attr(state.get(), jv_string("JQ_LIBRARY_PATH"), jv_array());
  jq_set_attr(state.get(), jv_string("JQ_ORIGIN"), jv_string("/"));
  jq_set_attr(state.get(), jv_string("PROGRAM_ORIGIN"), jv_string("/"));
  jq_set_error_cb(state.get(), keep_message, &messages);
  if (jq_compile(state.get(), program.c_str()) == 0) return does_not_compile(name, place, program, messages);
  return std::make_unique<Rule>(std::make_unique<Worker>(std::move(state)));
}

Rule::Rule(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Rule::~Rule() = default;

void Rule::begin(std::shared_ptr<const std::string> json) { worker_->begin(std::move(json)); }
RuleOutcome Rule::end(Duration limit) { return worker_->end(limit); }

}  // namespace bascule::applications
