#include "applications/checkout/basket_store.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::applications::checkout {
namespace {

using journal::Database;
using journal::Statement;
using journal::Transaction;

constexpr std::int64_t kVersion = 1;
constexpr const char* kSchema = R"(
  CREATE TABLE baskets (number INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, next_line INTEGER NOT NULL);
  CREATE TABLE lines (basket INTEGER NOT NULL REFERENCES baskets(number), line INTEGER NOT NULL, class TEXT NOT NULL,
                      name TEXT NOT NULL, unit INTEGER NOT NULL, price INTEGER NOT NULL, tax TEXT NOT NULL,
                      pieces INTEGER NOT NULL, grams INTEGER NOT NULL, total INTEGER NOT NULL,
                      question INTEGER NOT NULL, confidence REAL NOT NULL, PRIMARY KEY (basket, line)) WITHOUT ROWID;
  CREATE TABLE answers (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX answers_time ON answers (time);
  PRAGMA user_version = 1;
)";

Result<std::int64_t> version_of(Database& database) {
  BASCULE_ASSIGN(Statement version, database.prepare("PRAGMA user_version"));
  BASCULE_TRY(version.step());
  return version.integer(0);
}

Result<std::optional<std::string>> answered_before(Database& database, const Once& once) {
  if (once.key.empty()) return std::optional<std::string>();
  if (once.key.size() > BasketStore::kMostKey) {
    return invalid_argument(fmt::format("The idempotency key has {} bytes; its limit is {}.", once.key.size(),
                                        BasketStore::kMostKey));
  }
  BASCULE_ASSIGN(Statement find, database.prepare("SELECT request, answer FROM answers WHERE key = ?1"));
  find.bind(1, once.key);
  BASCULE_ASSIGN(const bool there, find.step());
  if (!there) return std::optional<std::string>();
  if (find.text(0) != once.request) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format(
                     "The idempotency key '{}' came with another request before; a key is for one request.",
                     text::shortened(once.key))};
  }
  return std::optional<std::string>(find.text(1));
}

Result<void> keep_answer(Database& database, const Once& once, const std::string& answer,
                         std::int64_t now_s) {
  if (once.key.empty()) return {};
  BASCULE_ASSIGN(Statement forget, database.prepare("DELETE FROM answers WHERE time < ?1"));
  BASCULE_TRY(forget.bind(1, now_s - BasketStore::kKeysKeptS).run());
  BASCULE_ASSIGN(Statement keep, database.prepare("INSERT INTO answers VALUES (?1, ?2, ?3, ?4)"));
  return keep.bind(1, once.key).bind(2, once.request).bind(3, answer).bind(4, now_s).run();
}

Result<std::int64_t> begin_basket(Database& database) {
  BASCULE_TRY(database.run("INSERT INTO baskets (state, next_line) VALUES (0, 1)"));
  return database.last_row();
}

Line read_line(const Statement& row) {
  return {.number = row.integer(0),
          .price = {.class_name = std::string(row.text(1)),
                    .name = std::string(row.text(2)),
                    .price = row.integer(4),
                    .unit = static_cast<Unit>(row.integer(3)),
                    .tax = std::string(row.text(5))},
          .pieces = row.integer(6),
          .grams = row.integer(7),
          .total = row.integer(8),
          .question = static_cast<Question>(row.integer(9)),
          .confidence = row.number(10)};
}

Result<Basket> read_basket(Database& database, std::int64_t number) {
  BASCULE_ASSIGN(Statement find, database.prepare("SELECT state, next_line FROM baskets WHERE number = ?1"));
  find.bind(1, number);
  BASCULE_ASSIGN(const bool there, find.step());
  if (!there) return not_found(fmt::format("There is no basket {}.", number));
  Basket basket{
      .number = number, .state = static_cast<BasketState>(find.integer(0)), .next_line = find.integer(1)};
  BASCULE_ASSIGN(
      Statement lines,
      database.prepare("SELECT line, class, name, unit, price, tax, pieces, grams, total, question, "
                       "confidence FROM lines WHERE basket = ?1 ORDER BY line"));
  lines.bind(1, number);
  while (true) {
    BASCULE_ASSIGN(const bool row, lines.step());
    if (!row) return basket;
    basket.lines.push_back(read_line(lines));
  }
}

Result<void> write_basket(Database& database, const Basket& basket) {
  BASCULE_ASSIGN(Statement head,
                 database.prepare("UPDATE baskets SET state = ?2, next_line = ?3 WHERE number = ?1"));
  BASCULE_TRY(head.bind(1, basket.number)
                  .bind(2, static_cast<std::int64_t>(basket.state))
                  .bind(3, basket.next_line)
                  .run());
  BASCULE_ASSIGN(Statement clear, database.prepare("DELETE FROM lines WHERE basket = ?1"));
  BASCULE_TRY(clear.bind(1, basket.number).run());
  BASCULE_ASSIGN(
      Statement add,
      database.prepare("INSERT INTO lines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"));
  for (const Line& line : basket.lines) {
    BASCULE_TRY(add.bind(1, basket.number)
                    .bind(2, line.number)
                    .bind(3, line.price.class_name)
                    .bind(4, line.price.name)
                    .bind(5, static_cast<std::int64_t>(line.price.unit))
                    .bind(6, line.price.price)
                    .bind(7, line.price.tax)
                    .bind(8, line.pieces)
                    .bind(9, line.grams)
                    .bind(10, line.total)
                    .bind(11, static_cast<std::int64_t>(line.question))
                    .bind(12, line.confidence)
                    .run());
  }
  return {};
}

// The newest open basket, or a new one.
Result<std::int64_t> current_basket(Database& database) {
  BASCULE_ASSIGN(Statement find, database.prepare("SELECT max(number) FROM baskets WHERE state = 0"));
  BASCULE_TRY(find.step());
  if (!find.is_null(0)) return find.integer(0);
  find.reset();
  return begin_basket(database);
}

Result<std::string> change_basket(Database& database, std::int64_t number, const TillOptions& till,
                                  const BasketStore::Change& change) {
  BASCULE_ASSIGN(Basket basket, read_basket(database, number));
  BASCULE_TRY(change(basket));
  BASCULE_TRY(write_basket(database, basket));
  return basket_json(basket, till);
}

// All of it in one transaction, with the answer by which the same request is known when it comes again.
Result<std::string> change_once(Database& database, const Once& once, std::int64_t now_s,
                                const std::function<Result<std::string>()>& change) {
  BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database));
  BASCULE_ASSIGN(auto before, answered_before(database, once));
  if (before) return *std::move(before);
  BASCULE_ASSIGN(std::string answer, change());
  BASCULE_TRY(keep_answer(database, once, answer, now_s));
  BASCULE_TRY(transaction.commit());
  return answer;
}

}  // namespace

Result<std::unique_ptr<BasketStore>> BasketStore::open(const std::filesystem::path& file,
                                                       const TillOptions& till) {
  BASCULE_ASSIGN(Database database, Database::open(file));
  {
    BASCULE_ASSIGN(Transaction transaction, Transaction::begin(database));
    BASCULE_ASSIGN(const std::int64_t version, version_of(database));
    if (version > kVersion) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = fmt::format(
                       "The file '{}' was written by a later version of this program (its format is {}, this "
                       "one knows {}). Use that version, or move the file away.",
                       file.string(), version, kVersion)};
    }
    if (version == 0) BASCULE_TRY(database.run(kSchema));
    BASCULE_TRY(transaction.commit());
  }
  return std::make_unique<BasketStore>(std::move(database), till);
}

Result<std::string> BasketStore::create(const Once& once, std::int64_t now_s, const Change& change) {
  MutexLock lock(mutex_);
  return change_once(database_, once, now_s, [&]() BASCULE_REQUIRES(mutex_) -> Result<std::string> {
    BASCULE_ASSIGN(const std::int64_t number, begin_basket(database_));
    if (change) return change_basket(database_, number, till_, change);
    return basket_json({.number = number}, till_);
  });
}

Result<std::string> BasketStore::change(std::int64_t number, const Once& once, std::int64_t now_s,
                                        const Change& change) {
  MutexLock lock(mutex_);
  return change_once(database_, once, now_s, [&]() BASCULE_REQUIRES(mutex_) {
    return change_basket(database_, number, till_, change);
  });
}

Result<std::string> BasketStore::change_current(const Once& once, std::int64_t now_s, const Change& change) {
  MutexLock lock(mutex_);
  return change_once(database_, once, now_s, [&]() BASCULE_REQUIRES(mutex_) -> Result<std::string> {
    BASCULE_ASSIGN(const std::int64_t number, current_basket(database_));
    return change_basket(database_, number, till_, change);
  });
}

Result<Basket> BasketStore::find(std::int64_t number) {
  MutexLock lock(mutex_);
  return read_basket(database_, number);
}

}  // namespace bascule::applications::checkout
