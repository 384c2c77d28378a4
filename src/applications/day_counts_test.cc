#include "applications/day_counts.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "applications/judge.h"

namespace bascule::applications {
namespace {

using journal::Tally;
using nlohmann::json;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kNoonMs = 1'795'780'800'000;  // 2026-11-27, 12:00 UTC

// A machine of that time zone, as long as this lives.
class InZone {
 public:
  explicit InZone(const char* zone) : before_(std::getenv("TZ") != nullptr ? std::getenv("TZ") : "") {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~InZone() {
    if (before_.empty()) {
      ::unsetenv("TZ");
    } else {
      ::setenv("TZ", before_.c_str(), 1);
    }
    ::tzset();
  }
  InZone(const InZone&) = delete;
  InZone& operator=(const InZone&) = delete;

 private:
  const std::string before_;
};

Judged judged(std::int64_t time_ms, const std::vector<std::string>& objects,
              const std::vector<std::string>& rules) {
  Judged out;
  out.scene.time_ms = time_ms;
  for (const std::string& name : objects) {
    out.scene.objects.push_back({.name = name});
    ++out.new_objects[name];
  }
  for (const std::string& rule : rules) out.decided.push_back({.event = {.rule = rule}});
  return out;
}

TEST(LocalDay, IsTheMachinesOwn) {
  {
    const InZone utc("UTC0");
    EXPECT_EQ(local_day(kNoonMs), "2026-11-27");
    EXPECT_EQ(local_day(kNoonMs + 12 * kHourMs - 1), "2026-11-27");
    EXPECT_EQ(local_day(kNoonMs + 12 * kHourMs), "2026-11-28");
    EXPECT_EQ(local_day(0), "1970-01-01");
    EXPECT_EQ(local_day(-1), "1969-12-31");
  }
  const InZone east("EAST-9");
  EXPECT_EQ(local_day(kNoonMs + 3 * kHourMs - 1), "2026-11-27");
  EXPECT_EQ(local_day(kNoonMs + 3 * kHourMs), "2026-11-28");
}

TEST(DayCounts, CountsFramesObjectsAndEvents) {
  const InZone utc("UTC0");
  DayCounts counts;
  counts.take(judged(kNoonMs, {"scratch", "scratch", "patch"}, {"any", "scratches"}));
  counts.take(judged(kNoonMs, {}, {"any"}));
  counts.take(judged(kNoonMs + 12 * kHourMs, {"scratch"}, {}));
  Judged failed = judged(kNoonMs, {}, {"broken"});
  failed.decided.front().failed = true;
  counts.take(failed);
  // An object that is followed is new once.
  Judged again = judged(kNoonMs, {"patch"}, {});
  again.new_objects.clear();
  counts.take(again);
  EXPECT_EQ(days_csv(counts.tallies()),
            "day,what,rule,class,count\r\n"
            "2026-11-27,events,any,,2\r\n"
            "2026-11-27,events,scratches,,1\r\n"
            "2026-11-27,events_with,any,patch,1\r\n"
            "2026-11-27,events_with,any,scratch,1\r\n"
            "2026-11-27,events_with,scratches,patch,1\r\n"
            "2026-11-27,events_with,scratches,scratch,1\r\n"
            "2026-11-27,frames,,,4\r\n"
            "2026-11-27,objects,,patch,1\r\n"
            "2026-11-27,objects,,scratch,2\r\n"
            "2026-11-28,frames,,,1\r\n"
            "2026-11-28,objects,,scratch,1\r\n");
  EXPECT_EQ(json::parse(days_json("line", counts.tallies())), json::parse(R"({"app":"line","days":[
    {"day":"2026-11-27","frames":4,"objects":{"patch":1,"scratch":2},"rules":{
      "any":{"events":2,"with":{"patch":1,"scratch":1}},"scratches":{"events":1,"with":{"patch":1,"scratch":1}}}},
    {"day":"2026-11-28","frames":1,"objects":{"scratch":1},"rules":{}}]})"));
  EXPECT_EQ(counts.tallies(1).front().day, "2026-11-28");
  counts.clear();
  EXPECT_TRUE(counts.tallies().empty());
}

TEST(DayCounts, AddsWhatWasCountedBefore) {
  DayCounts counts;
  counts.take(std::vector<Tally>{{.day = "2026-11-26", .what = "frames", .count = 7},
                                 {.day = "2026-11-27", .what = "frames", .count = 1}});
  counts.take(std::vector<Tally>{{.day = "2026-11-27", .what = "frames", .count = 2}});
  EXPECT_EQ(days_csv(counts.tallies()),
            "day,what,rule,class,count\r\n2026-11-26,frames,,,7\r\n2026-11-27,frames,,,3\r\n");
  EXPECT_EQ(days_json("a\"b", {}), R"({"app":"a\"b","days":[]})");
}

TEST(DayCounts, QuotesNames) {
  const std::vector<Tally> odd{{.day = "2026-11-27", .what = "objects", .label = R"(a,"b")", .count = 1}};
  EXPECT_EQ(days_csv(odd), "day,what,rule,class,count\r\n2026-11-27,objects,,\"a,\"\"b\"\"\",1\r\n");
  EXPECT_EQ(json::parse(days_json("x", odd))["days"][0]["objects"][R"(a,"b")"], 1);
}

}  // namespace
}  // namespace bascule::applications
