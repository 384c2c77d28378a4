#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "journal/tally.h"

namespace bascule::applications {

struct Judged;

// The date of a time on this machine, as its time zone has it: "2026-11-27".
[[nodiscard]] std::string local_day(std::int64_t time_ms);

// What is counted of a day: frames that were judged; objects by class, as app_state counts them; by rule its
// events, and by class those of them that showed it.
// Thread-safety: external (one thread).
class DayCounts {
 public:
  // A judged frame, on the day of its own time. Events that tell of a rule's failure do not count.
  void take(const Judged& judged);
  // These have been counted already.
  void take(const std::vector<journal::Tally>& tallies);
  void clear() { counts_.clear(); }

  // Of the last so many days, in their order: by day, what, whose, label.
  [[nodiscard]] std::vector<journal::Tally> tallies(std::size_t days = journal::kMostDays) const;

 private:
  std::uint64_t& count(const std::string& day, const char* what, const std::string& whose = "",
                       const std::string& label = "") {
    return counts_[{day, what, whose, label}];
  }

  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::uint64_t> counts_;
};

// Tallies in their order, for people and programs: {"app":…,"days":[{"day":…,"frames":…,"objects":{…},
// "rules":{RULE:{"events":…,"with":{…}}}}]}; and a table with the header day,what,rule,class,count.
[[nodiscard]] std::string days_json(std::string_view app, const std::vector<journal::Tally>& tallies);
[[nodiscard]] std::string days_csv(const std::vector<journal::Tally>& tallies);

}  // namespace bascule::applications
