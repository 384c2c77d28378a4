#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace bascule::applications {

inline constexpr std::size_t kMaxRuleText = 64U << 10U;
inline constexpr std::size_t kMaxRuleValue = 16U << 10U;  // bytes of a value that are kept

// What came of one run of a rule.
// Thread-safety: a value.
struct RuleOutcome {
  bool holds = false;
  std::string value;  // of the output that made it hold, else of the last one, as JSON; empty: there was none
  std::string error;  // jq's words where it failed
  bool overran = false;  // it took longer than allowed; nothing else is known then
  Duration took{};
};

// A jq program, compiled once, that runs on a thread of its own. It holds where one of its outputs is neither
// false nor null; what would come after that output is not computed. Programs are trusted configuration: they
// may use up memory, read the environment, ask for the time.
// Thread-safety: external (one thread); jq runs on the rule's own.
class Rule {
 public:
  // `place` is where the program stands, for messages. Errors: kInvalidArgument with the place, the name,
  // jq's words and the program.
  static Result<std::unique_ptr<Rule>> compile(const std::string& name, const std::string& place,
                                               const std::string& program);
  class Worker;
  explicit Rule(std::unique_ptr<Worker> worker);  // for compile()
  // Ends a run that is under way; waits for it, which a single function of jq that takes forever can prevent.
  ~Rule();
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  // Begins a run over a JSON text. One whose last run has not come back stays where it is: end() says so.
  void begin(std::shared_ptr<const std::string> json);
  // Waits for the run that begin() began, no longer than `limit` since then; a run that is not over by then
  // is told to end, and its rule may be asked again with the next frame.
  RuleOutcome end(Duration limit);

 private:
  std::unique_ptr<Worker> worker_;
};

}  // namespace bascule::applications
