#include "journal/tally.h"

#include <fmt/format.h>

namespace bascule::journal {
namespace {

Statement& bind_key(Statement& statement, const Tally& tally) {
  return statement.bind(1, tally.day).bind(2, tally.what).bind(3, tally.whose).bind(4, tally.label);
}

// False where there is no such row yet.
Result<bool> raise(Database& database, Statement& update, const Tally& tally) {
  BASCULE_TRY(bind_key(update, tally).bind(5, static_cast<std::int64_t>(tally.count)).run());
  return database.changed_rows() > 0;
}

Result<void> drop_days(Database& database) {
  return database.run(fmt::format(
      "DELETE FROM tallies WHERE day < (SELECT DISTINCT day FROM tallies ORDER BY day DESC LIMIT 1 "
      "OFFSET {})",
      kMostDays - 1));
}

}  // namespace

Result<void> make_tallies(Database& database) {
  return database.run(
      "CREATE TABLE IF NOT EXISTS tallies(day TEXT NOT NULL, what TEXT NOT NULL, whose TEXT NOT NULL, label "
      "TEXT "
      "NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(day, what, whose, label)) WITHOUT ROWID");
}

Result<void> add_tallies(Database& database, std::span<const Tally> tallies) {
  if (tallies.empty()) return {};
  BASCULE_ASSIGN(Statement update,
                 database.prepare(
                     "UPDATE tallies SET count=count+?5 WHERE day=?1 AND what=?2 AND whose=?3 AND label=?4"));
  BASCULE_ASSIGN(Statement rows, database.prepare("SELECT count(*) FROM tallies WHERE day=?1"));
  BASCULE_ASSIGN(Statement insert, database.prepare("INSERT INTO tallies VALUES(?1, ?2, ?3, ?4, ?5)"));
  for (Tally tally : tallies) {
    BASCULE_ASSIGN(bool there, raise(database, update, tally));
    if (there) continue;
    BASCULE_ASSIGN(const bool row, rows.bind(1, tally.day).step());
    const std::int64_t known = row ? rows.integer(0) : 0;
    rows.reset();
    if (known >= static_cast<std::int64_t>(kMostTalliesOfDay) && !tally.label.empty()) {
      tally.label = kOtherLabel;
      BASCULE_ASSIGN(there, raise(database, update, tally));
      if (there) continue;
    }
    BASCULE_TRY(bind_key(insert, tally).bind(5, static_cast<std::int64_t>(tally.count)).run());
    if (known == 0) BASCULE_TRY(drop_days(database));
  }
  return {};
}

Result<std::vector<Tally>> read_tallies(Database& database, std::size_t days) {
  BASCULE_ASSIGN(Statement each,
                 database.prepare(
                     "SELECT day, what, whose, label, count FROM tallies WHERE day >= (SELECT min(day) FROM "
                     "(SELECT DISTINCT day FROM tallies ORDER BY day DESC LIMIT ?1)) ORDER BY day, what, "
                     "whose, label"));
  each.bind(1, static_cast<std::int64_t>(days));
  std::vector<Tally> out;
  while (true) {
    BASCULE_ASSIGN(const bool row, each.step());
    if (!row) return out;
    out.push_back({.day = std::string(each.text(0)),
                   .what = std::string(each.text(1)),
                   .whose = std::string(each.text(2)),
                   .label = std::string(each.text(3)),
                   .count = static_cast<std::uint64_t>(each.integer(4))});
  }
}

}  // namespace bascule::journal
