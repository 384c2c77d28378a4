#include "journal/outbox.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace bascule::journal {
namespace {

constexpr std::int64_t kApplicationId = 0x42534F42;  // "BSOB"
constexpr std::int64_t kVersion = 1;
// While something waits and nothing else is written: so much of its age may be lost with the power.
constexpr Duration kWriteClockEvery = std::chrono::minutes(10);

// `known`: every id, its number is the order of arrival. `parcels`: those that somebody still has to get.
// `deliveries`: who. `clock`: milliseconds that the file has been open, in all its runs.
constexpr const char* kSchema = R"(
CREATE TABLE known(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
CREATE TABLE parcels(number INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL,
                     body TEXT NOT NULL, attachment BLOB);
CREATE TABLE deliveries(receiver TEXT NOT NULL, aside INTEGER NOT NULL, number INTEGER NOT NULL, why TEXT NOT NULL,
                        PRIMARY KEY(receiver, aside, number)) WITHOUT ROWID;
CREATE INDEX deliveries_by_number ON deliveries(number);
CREATE INDEX deliveries_aside ON deliveries(number) WHERE aside=1;
CREATE TABLE positions(source TEXT PRIMARY KEY, number INTEGER NOT NULL, mark TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clock(one INTEGER PRIMARY KEY CHECK(one=1), ms INTEGER NOT NULL);
INSERT INTO clock VALUES(1, 0);
)";

std::uint64_t size_of(const Parcel& parcel) {
  return parcel.id.size() + parcel.body.size() +
         (parcel.attachment == nullptr ? 0 : parcel.attachment->size());
}

Result<std::int64_t> number_of(Database& database, const std::string& query) {
  BASCULE_ASSIGN(Statement statement, database.prepare(query));
  BASCULE_ASSIGN(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

}  // namespace

// What is in the file. Every call that writes is one transaction.
// Thread-safety: external (one thread at a time).
class Outbox::Rows {
 public:
  Rows(Database database, std::string file, const OutboxOptions& options, const Clock& clock)
      : database_(std::move(database)), file_(std::move(file)), options_(options), clock_(clock) {}

  Result<void> begin();
  Result<PutResult> put(std::span<const Parcel> parcels, const std::optional<Position>& position,
                        std::span<const Tally> tallies);
  Result<std::vector<Tally>> tallies(std::size_t days) { return read_tallies(database_, days); }
  Result<std::optional<Waiting>> first(std::string_view receiver);
  Result<void> delivered(std::string_view receiver, std::int64_t number);
  Result<void> refused(std::string_view receiver, std::int64_t number, std::string_view why);
  Result<std::vector<Aside>> aside(std::string_view receiver);
  Result<std::size_t> try_again(std::string_view receiver);
  Result<std::optional<Position>> position(std::string_view source);
  Result<std::vector<ReceiverState>> states();
  Result<std::size_t> drop_old();
  // So that ages go on in the next run. What cannot be written is not missed: ages are then less.
  void keep_clock() { (void)write_clock(); }

  [[nodiscard]] std::uint64_t dropped(std::string_view receiver) const {
    const auto found = dropped_.find(receiver);
    return found == dropped_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  // What a transaction changes beside the file; so it is once that is committed.
  // Thread-safety: a value.
  struct Change {
    std::uint64_t added = 0;                                    // bytes
    std::uint64_t removed = 0;                                  // bytes
    std::map<std::string, std::uint64_t, std::less<>> dropped;  // deliveries by receiver
    std::size_t parcels = 0;                                    // that were dropped
    std::size_t aged = 0;                                       // of these, for their age
  };

  Result<void> check_format();
  [[nodiscard]] std::int64_t now_ms() const {
    return base_ms_ + (clock_.now() - opened_) / std::chrono::milliseconds(1);
  }
  Result<void> write_clock();
  Result<void> commit(Transaction& transaction, const Change& change);
  Result<bool> add(const Parcel& parcel, Change& change);
  [[nodiscard]] Result<void> check_size(std::span<const Parcel> parcels) const;
  Result<void> make_room(std::uint64_t size, Change& change);
  Result<bool> drop_aside(Change& change);
  Result<bool> drop_first(std::int64_t before_ms, Change& change);
  Result<void> drop_aged(Change& change);
  Result<void> remove_if_done(std::int64_t number, Change& change);
  Result<void> bound_aside(Change& change);
  Result<void> forget_ids();
  [[nodiscard]] Error full(std::uint64_t size) const;

  Database database_;
  const std::string file_;
  const OutboxOptions options_;
  const Clock& clock_;
  TimePoint opened_{};
  std::int64_t base_ms_ = 0;
  std::int64_t written_ms_ = 0;  // what the file says
  std::uint64_t bytes_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> dropped_;  // deliveries by receiver
};

Result<void> Outbox::Rows::begin() {
  BASCULE_TRY(check_format());
  BASCULE_TRY(make_tallies(database_));  // older files have none, and older programs do not mind them
  // A log that grew in one large transaction is cut to this again.
  BASCULE_TRY(database_.run("PRAGMA journal_size_limit=16777216"));
  opened_ = clock_.now();
  BASCULE_ASSIGN(base_ms_, number_of(database_, "SELECT ms FROM clock"));
  written_ms_ = base_ms_;
  BASCULE_ASSIGN(const std::int64_t bytes, number_of(database_, "SELECT sum(size) FROM parcels"));
  bytes_ = static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0));
  return {};
}

Result<void> Outbox::Rows::check_format() {
  BASCULE_ASSIGN(const std::int64_t application, number_of(database_, "PRAGMA application_id"));
  BASCULE_ASSIGN(const std::int64_t version, number_of(database_, "PRAGMA user_version"));
  BASCULE_ASSIGN(const std::int64_t tables, number_of(database_, "SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && version == 0 && tables == 0) {
    BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database_));
    BASCULE_TRY(database_.run(kSchema));
    BASCULE_TRY(database_.run(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId, kVersion)));
    return transaction.commit();
  }
  if (application != kApplicationId) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("The file '{}' is the database of another program, no outbox. Name "
                                        "another place for it, or move the file away.",
                                        file_)};
  }
  if (version != kVersion) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("The outbox '{}' has format {}, and this version of the program knows "
                               "format {}. Start the version that wrote it until nothing waits in "
                               "it, or move the file away.",
                               file_, version, kVersion)};
  }
  return {};
}

Result<void> Outbox::Rows::write_clock() {
  BASCULE_ASSIGN(Statement statement, database_.prepare("UPDATE clock SET ms=?1"));
  return statement.bind(1, now_ms()).run();
}

Result<void> Outbox::Rows::commit(Transaction& transaction, const Change& change) {
  const std::int64_t now = now_ms();
  BASCULE_TRY(write_clock());
  BASCULE_TRY(transaction.commit());
  written_ms_ = now;
  bytes_ = bytes_ + change.added - change.removed;
  std::uint64_t dropped = 0;
  for (const auto& [receiver, count] : change.dropped) {
    dropped_[receiver] += count;
    dropped += count;
  }
  if (dropped > 0) {
    log::error(
        "The outbox '{}' has dropped {} deliveries of its {} oldest events: {} were older than {:.1f} h, for "
        "{} there was no room.",
        file_, dropped, change.parcels, change.aged, to_seconds(options_.max_age) / 3600,
        change.parcels - change.aged);
  }
  return {};
}

Error Outbox::Rows::full(std::uint64_t size) const {
  return {.code = Code::kResourceExhausted,
          .message = fmt::format("The outbox '{}' holds {} of events that wait for their receivers, and {} "
                                 "more would be over its limit of {}. It goes on when a receiver has taken "
                                 "some.",
                                 file_, text::human_bytes(bytes_), text::human_bytes(size),
                                 text::human_bytes(options_.max_bytes))};
}

// True for a parcel that was not known.
Result<bool> Outbox::Rows::add(const Parcel& parcel, Change& change) {
  BASCULE_ASSIGN(Statement known, database_.prepare("INSERT OR IGNORE INTO known(id) VALUES(?1)"));
  BASCULE_TRY(known.bind(1, parcel.id).run());
  if (database_.changed_rows() == 0) return false;
  if (parcel.receivers.empty()) return true;
  const std::int64_t number = database_.last_row();
  const std::uint64_t size = size_of(parcel);
  BASCULE_TRY(make_room(size, change));
  BASCULE_ASSIGN(Statement insert, database_.prepare("INSERT INTO parcels VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
  insert.bind(1, number).bind(2, parcel.id).bind(3, now_ms());
  insert.bind(4, static_cast<std::int64_t>(size)).bind(5, parcel.body);
  if (parcel.attachment == nullptr) {
    insert.bind_null(6);
  } else {
    insert.bind(6, std::span<const std::byte>(*parcel.attachment));
  }
  BASCULE_TRY(insert.run());
  BASCULE_ASSIGN(Statement to, database_.prepare("INSERT OR IGNORE INTO deliveries VALUES(?1, 0, ?2, '')"));
  for (const std::string& receiver : parcel.receivers)
    BASCULE_TRY(to.bind(1, receiver).bind(2, number).run());
  change.added += size;
  return true;
}

// What one put() brings has to fit beside each other: none makes room for another of them.
Result<void> Outbox::Rows::check_size(std::span<const Parcel> parcels) const {
  std::uint64_t size = 0;
  for (const Parcel& parcel : parcels) size += parcel.receivers.empty() ? 0 : size_of(parcel);
  if (size <= options_.max_bytes) return {};
  return Error{.code = Code::kPayloadTooLarge,
               .message = fmt::format(
                   "The {} events of a frame, {} with their pictures, do not fit into the "
                   "outbox '{}', whose limit is {}. Allow it more, or send smaller pictures.",
                   parcels.size(), text::human_bytes(size), file_, text::human_bytes(options_.max_bytes))};
}

Result<void> Outbox::Rows::make_room(std::uint64_t size, Change& change) {
  while (bytes_ + change.added - change.removed + size > options_.max_bytes) {
    BASCULE_ASSIGN(const bool aside_gone, drop_aside(change));
    if (aside_gone) continue;
    if (options_.when_full == WhenFull::kRefuse) return full(change.added + size);
    BASCULE_ASSIGN(const bool more, drop_first(now_ms() + 1, change));
    if (!more) return full(size);
  }
  return {};
}

// Drops the oldest parcel that is only kept because it was refused; false where there is none.
Result<bool> Outbox::Rows::drop_aside(Change& change) {
  BASCULE_ASSIGN(const std::int64_t number,
                 number_of(database_,
                           "SELECT number FROM deliveries a WHERE aside=1 AND NOT EXISTS (SELECT 1 FROM "
                           "deliveries w WHERE w.number=a.number AND w.aside=0) ORDER BY number LIMIT 1"));
  if (number == 0) return false;
  BASCULE_TRY(database_.run(fmt::format("DELETE FROM deliveries WHERE number={}", number)));
  BASCULE_TRY(remove_if_done(number, change));
  return true;
}

// Drops the parcel that came first, if it came before that time; false where there is none such.
Result<bool> Outbox::Rows::drop_first(std::int64_t before_ms, Change& change) {
  BASCULE_ASSIGN(Statement oldest,
                 database_.prepare("SELECT number, size, at FROM parcels ORDER BY number LIMIT 1"));
  BASCULE_ASSIGN(const bool there, oldest.step());
  if (!there || oldest.integer(2) >= before_ms) return false;
  const std::int64_t number = oldest.integer(0);
  const auto size = static_cast<std::uint64_t>(oldest.integer(1));
  oldest.reset();
  BASCULE_ASSIGN(Statement waiting,
                 database_.prepare("SELECT receiver FROM deliveries WHERE number=?1 AND aside=0"));
  waiting.bind(1, number);
  while (true) {
    BASCULE_ASSIGN(const bool more, waiting.step());
    if (!more) break;
    ++change.dropped.try_emplace(std::string(waiting.text(0))).first->second;
  }
  BASCULE_TRY(database_.run(
      fmt::format("DELETE FROM deliveries WHERE number={0}; DELETE FROM parcels WHERE number={0}", number)));
  change.removed += size;
  ++change.parcels;
  return true;
}

Result<void> Outbox::Rows::drop_aged(Change& change) {
  const std::int64_t before = now_ms() - options_.max_age / std::chrono::milliseconds(1);
  while (true) {
    BASCULE_ASSIGN(const bool more, drop_first(before, change));
    if (!more) return {};
    ++change.aged;
  }
}

// Ids beyond those that are remembered; one that waits stays known.
Result<void> Outbox::Rows::forget_ids() {
  BASCULE_ASSIGN(
      Statement forget,
      database_.prepare("DELETE FROM known WHERE number <= (SELECT max(number) FROM known) - ?1 AND "
                        "number NOT IN (SELECT number FROM parcels)"));
  return forget.bind(1, static_cast<std::int64_t>(options_.remembered)).run();
}

Result<PutResult> Outbox::Rows::put(std::span<const Parcel> parcels, const std::optional<Position>& position,
                                    std::span<const Tally> tallies) {
  BASCULE_TRY(check_size(parcels));
  BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database_));
  Change change;
  PutResult result;
  BASCULE_TRY(drop_aged(change));
  for (const Parcel& parcel : parcels) {
    BASCULE_ASSIGN(const bool added, add(parcel, change));
    ++(added ? result.kept : result.doubles);
  }
  if (result.kept > 0) BASCULE_TRY(forget_ids());
  if (position) {
    BASCULE_ASSIGN(Statement set, database_.prepare("INSERT OR REPLACE INTO positions VALUES(?1, ?2, ?3)"));
    set.bind(1, position->source).bind(2, static_cast<std::int64_t>(position->number));
    BASCULE_TRY(set.bind(3, position->mark).run());
  }
  BASCULE_TRY(add_tallies(database_, tallies));
  BASCULE_TRY(commit(transaction, change));
  result.dropped = change.parcels - change.aged;
  return result;
}

Result<std::optional<Waiting>> Outbox::Rows::first(std::string_view receiver) {
  BASCULE_ASSIGN(
      Statement next,
      database_.prepare("SELECT p.number, p.id, p.body, p.attachment FROM deliveries d JOIN parcels "
                        "p ON p.number=d.number WHERE d.receiver=?1 AND d.aside=0 ORDER BY "
                        "d.number LIMIT 1"));
  BASCULE_ASSIGN(const bool there, next.bind(1, receiver).step());
  if (!there) return std::optional<Waiting>();
  Waiting waiting{
      .number = next.integer(0), .id = std::string(next.text(1)), .body = std::string(next.text(2))};
  if (!next.is_null(3)) {
    const auto bytes = next.bytes(3);
    waiting.attachment = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  }
  return std::optional<Waiting>(std::move(waiting));
}

// Takes the parcel out where nobody has to get it any more.
Result<void> Outbox::Rows::remove_if_done(std::int64_t number, Change& change) {
  BASCULE_ASSIGN(
      const std::int64_t left,
      number_of(database_, fmt::format("SELECT count(*) FROM deliveries WHERE number={}", number)));
  if (left > 0) return {};
  BASCULE_ASSIGN(const std::int64_t size,
                 number_of(database_, fmt::format("SELECT size FROM parcels WHERE number={}", number)));
  BASCULE_TRY(database_.run(fmt::format("DELETE FROM parcels WHERE number={}", number)));
  change.removed += static_cast<std::uint64_t>(size);
  return {};
}

Result<void> Outbox::Rows::delivered(std::string_view receiver, std::int64_t number) {
  BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database_));
  Change change;
  BASCULE_ASSIGN(Statement remove,
                 database_.prepare("DELETE FROM deliveries WHERE receiver=?1 AND aside=0 AND number=?2"));
  BASCULE_TRY(remove.bind(1, receiver).bind(2, number).run());
  BASCULE_TRY(remove_if_done(number, change));
  return commit(transaction, change);
}

Result<void> Outbox::Rows::bound_aside(Change& change) {
  BASCULE_ASSIGN(std::int64_t kept, number_of(database_, "SELECT count(*) FROM deliveries WHERE aside=1"));
  for (; kept > static_cast<std::int64_t>(options_.max_aside); --kept) {
    BASCULE_ASSIGN(const std::int64_t oldest,
                   number_of(database_, "SELECT min(number) FROM deliveries WHERE aside=1"));
    BASCULE_TRY(database_.run(fmt::format(
        "DELETE FROM deliveries WHERE aside=1 AND number={0} AND receiver=(SELECT min(receiver) FROM "
        "deliveries WHERE aside=1 AND number={0})",
        oldest)));
    BASCULE_TRY(remove_if_done(oldest, change));
  }
  return {};
}

Result<void> Outbox::Rows::refused(std::string_view receiver, std::int64_t number, std::string_view why) {
  BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database_));
  Change change;
  BASCULE_ASSIGN(Statement move,
                 database_.prepare("UPDATE deliveries SET aside=1, why=?3 WHERE receiver=?1 AND "
                                   "aside=0 AND number=?2"));
  BASCULE_TRY(move.bind(1, receiver).bind(2, number).bind(3, text::shortened(why, 1000)).run());
  BASCULE_TRY(bound_aside(change));
  return commit(transaction, change);
}

Result<std::vector<Aside>> Outbox::Rows::aside(std::string_view receiver) {
  BASCULE_ASSIGN(Statement each,
                 database_.prepare("SELECT d.number, p.id, d.why FROM deliveries d JOIN parcels p ON "
                                   "p.number=d.number WHERE d.receiver=?1 AND d.aside=1 ORDER BY d.number"));
  each.bind(1, receiver);
  std::vector<Aside> out;
  while (true) {
    BASCULE_ASSIGN(const bool row, each.step());
    if (!row) return out;
    out.push_back({.number = each.integer(0),
                   .id = std::string(each.text(1)),
                   .receiver = std::string(receiver),
                   .why = std::string(each.text(2))});
  }
}

Result<std::size_t> Outbox::Rows::try_again(std::string_view receiver) {
  BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database_));
  BASCULE_ASSIGN(Statement move,
                 database_.prepare("UPDATE deliveries SET aside=0, why='' WHERE receiver=?1 AND aside=1"));
  BASCULE_TRY(move.bind(1, receiver).run());
  const std::int64_t moved = database_.changed_rows();
  BASCULE_TRY(commit(transaction, {}));
  return static_cast<std::size_t>(moved);
}

Result<std::optional<Position>> Outbox::Rows::position(std::string_view source) {
  BASCULE_ASSIGN(Statement get, database_.prepare("SELECT number, mark FROM positions WHERE source=?1"));
  BASCULE_ASSIGN(const bool there, get.bind(1, source).step());
  if (!there) return std::optional<Position>();
  return std::optional(Position{.source = std::string(source),
                                .number = static_cast<std::uint64_t>(get.integer(0)),
                                .mark = std::string(get.text(1))});
}

Result<std::vector<ReceiverState>> Outbox::Rows::states() {
  BASCULE_ASSIGN(
      Statement each,
      database_.prepare("SELECT s.receiver, s.waiting, s.kept, p.at FROM (SELECT receiver, sum(aside=0) "
                        "AS waiting, sum(aside=1) AS kept, min(CASE WHEN aside=0 THEN number END) AS "
                        "oldest FROM deliveries GROUP BY receiver) s LEFT JOIN parcels p ON "
                        "p.number=s.oldest ORDER BY s.receiver"));
  std::vector<ReceiverState> out;
  while (true) {
    BASCULE_ASSIGN(const bool row, each.step());
    if (!row) return out;
    out.push_back(
        {.receiver = std::string(each.text(0)),
         .waiting = static_cast<std::uint64_t>(each.integer(1)),
         .aside = static_cast<std::uint64_t>(each.integer(2)),
         .oldest = each.is_null(3) ? Duration{} : std::chrono::milliseconds(now_ms() - each.integer(3))});
  }
}

Result<std::size_t> Outbox::Rows::drop_old() {
  BASCULE_ASSIGN(const std::int64_t oldest,
                 number_of(database_, "SELECT at FROM parcels ORDER BY number LIMIT 1"));
  const bool aged = oldest < now_ms() - options_.max_age / std::chrono::milliseconds(1);
  if (bytes_ == 0 || (!aged && now_ms() - written_ms_ < kWriteClockEvery / std::chrono::milliseconds(1))) {
    return 0;  // nothing that is worth a write
  }
  BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database_));
  Change change;
  BASCULE_TRY(drop_aged(change));
  BASCULE_TRY(commit(transaction, change));
  return change.parcels;
}

Outbox::Outbox(std::unique_ptr<Rows> rows) : rows_(std::move(rows)) {}

Outbox::~Outbox() {
  MutexLock lock(mutex_);
  rows_->keep_clock();
}

Result<std::unique_ptr<Outbox>> Outbox::open(const std::filesystem::path& file, const OutboxOptions& options,
                                             const Clock& clock) {
  DatabaseOptions database_options = options.database;
  database_options.exclusive = true;
  BASCULE_ASSIGN(Database database, Database::open(file, database_options));
  auto rows = std::make_unique<Rows>(std::move(database), file.string(), options, clock);
  BASCULE_TRY(rows->begin());
  return std::make_unique<Outbox>(std::move(rows));
}

Result<PutResult> Outbox::put(std::span<const Parcel> parcels, const std::optional<Position>& position,
                              std::span<const Tally> tallies) {
  MutexLock lock(mutex_);
  auto result = rows_->put(parcels, position, tallies);
  if (result && result->kept > 0) {
    ++arrivals_;
    wake_.notify_all();
  }
  return result;
}

Result<std::vector<Tally>> Outbox::tallies(std::size_t days) {
  MutexLock lock(mutex_);
  return rows_->tallies(days);
}

Result<std::optional<Waiting>> Outbox::first(std::string_view receiver) {
  MutexLock lock(mutex_);
  return rows_->first(receiver);
}

void Outbox::wait(std::uint64_t seen, Duration most) {
  MutexLock lock(mutex_);
  wake_.wait_for(mutex_, most, [&]() BASCULE_REQUIRES(mutex_) { return arrivals_ != seen; });
}

std::uint64_t Outbox::arrivals() const {
  MutexLock lock(mutex_);
  return arrivals_;
}

void Outbox::wake() {
  MutexLock lock(mutex_);
  ++arrivals_;
  wake_.notify_all();
}

Result<void> Outbox::delivered(std::string_view receiver, std::int64_t number) {
  MutexLock lock(mutex_);
  return rows_->delivered(receiver, number);
}

Result<void> Outbox::refused(std::string_view receiver, std::int64_t number, std::string_view why) {
  MutexLock lock(mutex_);
  return rows_->refused(receiver, number, why);
}

Result<std::vector<Aside>> Outbox::aside(std::string_view receiver) {
  MutexLock lock(mutex_);
  return rows_->aside(receiver);
}

Result<std::size_t> Outbox::try_again(std::string_view receiver) {
  MutexLock lock(mutex_);
  auto moved = rows_->try_again(receiver);
  if (moved && *moved > 0) {
    ++arrivals_;
    wake_.notify_all();
  }
  return moved;
}

Result<std::optional<Position>> Outbox::position(std::string_view source) {
  MutexLock lock(mutex_);
  return rows_->position(source);
}

Result<std::vector<ReceiverState>> Outbox::states() {
  MutexLock lock(mutex_);
  return rows_->states();
}

Result<std::size_t> Outbox::drop_old() {
  MutexLock lock(mutex_);
  return rows_->drop_old();
}

std::uint64_t Outbox::dropped(std::string_view receiver) const {
  MutexLock lock(mutex_);
  return rows_->dropped(receiver);
}

std::uint64_t Outbox::bytes() const {
  MutexLock lock(mutex_);
  return rows_->bytes();
}

}  // namespace bascule::journal
