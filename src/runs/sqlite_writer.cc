#include "runs/sqlite_writer.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "journal/database.h"

namespace bascule::runs {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS results(number INTEGER PRIMARY KEY, input TEXT NOT NULL, id TEXT, "
    "answer TEXT NOT NULL)";

// Rows are added within a transaction that sync() ends.
// Thread-safety: external (one thread).
class SqliteWriter final : public Writer {
 public:
  SqliteWriter(journal::Database database, journal::Statement insert)
      : database_(std::move(database)), insert_(std::move(insert)) {}

  Result<void> add(const Outcome& outcome) override {
    if (!std::exchange(begun_, true)) BASCULE_TRY(database_.run("BEGIN"));
    insert_.bind(1, static_cast<std::int64_t>(at_ + 1)).bind(2, std::string_view(outcome.key));
    if (outcome.id.empty())
      insert_.bind_null(3);
    else
      insert_.bind(3, std::string_view(outcome.id));
    const std::string answer = '{' + outcome.answer + '}';
    insert_.bind(4, std::string_view(answer));
    BASCULE_TRY(insert_.run());
    ++at_;
    return {};
  }
  Result<void> flush() override { return {}; }
  Result<void> sync() override {
    return std::exchange(begun_, false) ? database_.run("COMMIT") : Result<void>{};
  }
  [[nodiscard]] std::uint64_t at() const override { return at_; }

  Result<void> cut(std::uint64_t at, const std::string& /*columns*/) override {
    BASCULE_TRY(database_.run(fmt::format("DELETE FROM results WHERE number > {}", at)));
    BASCULE_ASSIGN(journal::Statement count, database_.prepare("SELECT count(*) FROM results"));
    BASCULE_TRY(count.step());
    const auto rows = static_cast<std::uint64_t>(count.integer(0));
    if (rows != at) {
      return Error{
          .code = Code::kFailedPrecondition,
          .message = fmt::format("The result has {} rows, but the run had written {}: it was changed "
                                 "since. --restart begins anew.",
                                 rows, at)};
    }
    at_ = at;
    return {};
  }

  Result<void> finish() override {
    BASCULE_TRY(sync());
    return database_.run("PRAGMA journal_mode = DELETE");
  }

 private:
  journal::Database database_;
  journal::Statement insert_;  // goes before its database
  std::uint64_t at_ = 0;       // rows
  bool begun_ = false;
};

}  // namespace

Result<std::unique_ptr<Writer>> open_sqlite_writer(const std::filesystem::path& file) {
  BASCULE_ASSIGN(journal::Database database, journal::Database::open(file));
  BASCULE_TRY(database.run(kSchema));
  BASCULE_ASSIGN(journal::Statement insert,
                 database.prepare("INSERT INTO results(number, input, id, answer) VALUES(?, ?, ?, ?)"));
  return Result<std::unique_ptr<Writer>>(
      std::make_unique<SqliteWriter>(std::move(database), std::move(insert)));
}

}  // namespace bascule::runs
