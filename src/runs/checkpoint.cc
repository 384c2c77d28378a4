#include "runs/checkpoint.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

namespace bascule::runs {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS terms(name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS progress(one INTEGER PRIMARY KEY CHECK(one = 1), inputs INTEGER NOT NULL, "
    "chain INTEGER NOT NULL, good INTEGER NOT NULL, bad INTEGER NOT NULL, result_at INTEGER NOT NULL, "
    "errors_at INTEGER NOT NULL, columns TEXT NOT NULL, report TEXT NOT NULL)";

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t read(std::int64_t value) { return static_cast<std::uint64_t>(value); }

std::string said(std::string_view value) { return value.empty() ? "not given" : fmt::format("'{}'", value); }

}  // namespace

Result<Checkpoint> Checkpoint::open(const std::filesystem::path& file) {
  BASCULE_ASSIGN(journal::Database database, journal::Database::open(file));
  BASCULE_TRY(database.run(kSchema));
  return Result<Checkpoint>(Checkpoint(std::move(database)));
}

Result<std::optional<Progress>> Checkpoint::load() {
  BASCULE_ASSIGN(journal::Statement one,
                 database_.prepare("SELECT inputs, chain, good, bad, result_at, errors_at, columns, report "
                                   "FROM progress"));
  BASCULE_ASSIGN(const bool there, one.step());
  if (!there) return std::optional<Progress>();
  return std::optional(Progress{.position = {.inputs = read(one.integer(0)), .chain = read(one.integer(1))},
                                .good = read(one.integer(2)),
                                .bad = read(one.integer(3)),
                                .result_at = read(one.integer(4)),
                                .errors_at = read(one.integer(5)),
                                .columns = std::string(one.text(6)),
                                .report = std::string(one.text(7))});
}

Result<void> Checkpoint::agree(const Terms& terms) {
  Terms before;
  BASCULE_ASSIGN(journal::Statement all, database_.prepare("SELECT name, value FROM terms"));
  while (true) {
    BASCULE_ASSIGN(const bool more, all.step());
    if (!more) break;
    before.emplace_back(all.text(0), all.text(1));
  }
  if (before.empty()) {
    BASCULE_ASSIGN(journal::Transaction transaction, journal::Transaction::begin(database_));
    BASCULE_ASSIGN(journal::Statement insert,
                   database_.prepare("INSERT INTO terms(name, value) VALUES(?, ?)"));
    for (const auto& [name, value] : terms) {
      BASCULE_TRY(insert.bind(1, std::string_view(name)).bind(2, std::string_view(value)).run());
    }
    return transaction.commit();
  }
  const auto value_in = [](const Terms& in, const std::string& name) {
    const auto found = std::ranges::find(in, name, &Terms::value_type::first);
    return found == in.end() ? std::string() : found->second;
  };
  for (const auto& [name, value] : terms) {
    const std::string then = value_in(before, name);
    if (then == value) continue;
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("The result was begun with another {}: {} then, {} now. Give what was given "
                               "then, name another --out, or begin anew with --restart.",
                               name, said(then), said(value))};
  }
  return {};
}

Result<void> Checkpoint::save(const Progress& progress) {
  BASCULE_ASSIGN(journal::Statement one,
                 database_.prepare("INSERT OR REPLACE INTO progress VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?)"));
  one.bind(1, stored(progress.position.inputs)).bind(2, stored(progress.position.chain));
  one.bind(3, stored(progress.good)).bind(4, stored(progress.bad));
  one.bind(5, stored(progress.result_at)).bind(6, stored(progress.errors_at));
  return one.bind(7, std::string_view(progress.columns)).bind(8, std::string_view(progress.report)).run();
}

void Checkpoint::remove(const std::filesystem::path& file) {
  std::error_code code;
  // The log first: it must not be taken for that of a new file.
  for (const char* ending : {"-wal", "-shm", ""}) std::filesystem::remove(file.string() + ending, code);
}

}  // namespace bascule::runs
