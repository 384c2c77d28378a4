#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace bascule::journal {

// A prepared statement. Parameters and columns are counted as SQLite does: parameters from 1, columns from 0.
// Thread-safety: external (one thread), as its database.
class Statement {
 public:
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view text);             // copied
  Statement& bind(int parameter, std::span<const std::byte> bytes);  // copied
  Statement& bind_null(int parameter);

  // One row further; false at the end, after which the statement may be bound and run again.
  // Errors: of Database::run, and of the values that were bound.
  Result<bool> step();
  // To its end, rows unread.
  Result<void> run();
  // Leaves what it has not read, so that it may be bound and run again.
  void reset();

  // Of the row that step() has come to; valid until the next call. NULL is 0, or empty.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double number(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::span<const std::byte> bytes(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void take(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_code_ = 0;  // of the first value that could not be bound
};

struct DatabaseOptions {
  Duration busy = std::chrono::seconds(5);  // how long another process's lock is waited for
  std::uint64_t max_bytes = 0;              // of the file; 0: no limit. Beyond it: kResourceExhausted
  bool exclusive = false;                   // no other process may use the file while this one has it open
  std::string file_system = {};             // SQLite's name of a VFS; empty: the system's own. For tests
};

// A file that survives power cuts: SQLite with a write-ahead log (WAL) and `synchronous=FULL`, so that what a
// transaction wrote is on the disk once it is committed. Source: https://sqlite.org/wal.html, pragma.html.
// Thread-safety: external (one thread).
class Database {
 public:
  // Makes the file where there is none; its folder is there. Errors: kFailedPrecondition for a file that is
  // none of SQLite's, or is damaged; kUnavailable where it cannot be opened, or another process has it
  // locked.
  static Result<Database> open(const std::filesystem::path& file, const DatabaseOptions& options = {});

  // One or more statements without parameters. Errors: kResourceExhausted where the disk or the file is full;
  // kUnavailable for a lock that lasts or a disk that fails; kFailedPrecondition for a damaged file;
  // kInternal for a statement that is wrong. The sentence names the file.
  Result<void> run(const std::string& statements);
  // Errors: as run().
  Result<Statement> prepare(std::string_view statement);

  // Of what the last INSERT, UPDATE or DELETE changed.
  [[nodiscard]] std::int64_t changed_rows() const;
  [[nodiscard]] std::int64_t last_row() const;  // the number of the row that was inserted last

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

// What is written between its making and commit() is written whole or not at all; without commit() not at
// all. Thread-safety: as its database, which outlives it.
class Transaction {
 public:
  // Errors: of Database::run.
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // Once this returns, what was written is on the disk. Errors: of Database::run; nothing was written then.
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: it is over
};

}  // namespace bascule::journal
