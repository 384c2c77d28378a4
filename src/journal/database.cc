#include "journal/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace bascule::journal {
namespace {

Code code_of(int code) {
  switch (code & 0xff) {  // the lower byte is the code, above it stands what of its kind
    case SQLITE_FULL: return Code::kResourceExhausted;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return Code::kFailedPrecondition;
    case SQLITE_TOOBIG: return Code::kPayloadTooLarge;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOMEM: return Code::kUnavailable;
    default: return Code::kInternal;
  }
}

const char* advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL: return " Free space on its disk, or allow it more.";
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return " Move the file away to begin a new one; `sqlite3 FILE .recover` saves what can be saved.";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return " Another process uses the file.";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return " Look at the rights of the file and of its folder.";
    default: return "";
  }
}

Error error_of(sqlite3* database, int code, const char* file) {
  const int extended = database != nullptr ? sqlite3_extended_errcode(database) : code;
  const char* said = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  return {.code = code_of(code),
          .message = fmt::format("The file '{}': {} (SQLite's code {}).{}", file == nullptr ? "" : file, said,
                                 extended, advice(code))};
}

Error error_of(sqlite3* database, int code) {
  return error_of(database, code, sqlite3_db_filename(database, "main"));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::take(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  take(sqlite3_bind_int64(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  take(sqlite3_bind_double(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  take(sqlite3_bind_text64(statement_.get(), parameter, text.data() == nullptr ? "" : text.data(),
                           text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int parameter, std::span<const std::byte> bytes) {
  take(sqlite3_bind_blob64(statement_.get(), parameter,
                           bytes.empty() ? static_cast<const void*>("") : bytes.data(), bytes.size(),
                           SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  take(sqlite3_bind_null(statement_.get(), parameter));
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  if (bind_code_ != SQLITE_OK) {
    const Error error = error_of(database, std::exchange(bind_code_, SQLITE_OK));
    reset();
    return error;
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  const Error error = error_of(database, code);
  reset();
  return error;
}

Result<void> Statement::run() {
  while (true) {
    BASCULE_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Statement::number(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::span<const std::byte> Statement::bytes(int column) const {
  const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Result<Database> Database::open(const std::filesystem::path& file, const DatabaseOptions& options) {
  sqlite3* handle = nullptr;
  const char* vfs = options.file_system.empty() ? nullptr : options.file_system.c_str();
  const int code = sqlite3_open_v2(
      file.c_str(), &handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  Database database(handle);  // there even where it could not be opened
  if (code != SQLITE_OK) return error_of(handle, code, file.c_str());
  const auto busy = std::chrono::duration_cast<std::chrono::milliseconds>(options.busy).count();
  sqlite3_busy_timeout(handle,
                       static_cast<int>(std::clamp<std::int64_t>(busy, 0, std::numeric_limits<int>::max())));
  // A file's own schema must not do more than hold data.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // Before the first look at the log: it then needs no memory that is shared with other processes.
  if (options.exclusive) BASCULE_TRY(database.run("PRAGMA locking_mode=EXCLUSIVE"));
  BASCULE_TRY(database.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"));
  if (options.max_bytes > 0) {
    BASCULE_ASSIGN(Statement size, database.prepare("PRAGMA page_size"));
    BASCULE_TRY(size.step());
    const auto page = static_cast<std::uint64_t>(std::max<std::int64_t>(size.integer(0), 1));
    BASCULE_TRY(database.run(
        fmt::format("PRAGMA max_page_count={}", std::max<std::uint64_t>(options.max_bytes / page, 1))));
  }
  return database;
}

Result<void> Database::run(const std::string& statements) {
  const int code = sqlite3_exec(database_.get(), statements.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get(), code);
  return {};
}

Result<Statement> Database::prepare(std::string_view statement) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), statement.data(), static_cast<int>(statement.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get(), code);
  BASCULE_CHECK(prepared != nullptr);
  return Statement(prepared);
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(database_.get()); }

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(database_.get()); }

Result<Transaction> Transaction::begin(Database& database) {
  BASCULE_TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // It may have been rolled back already, by what went wrong.
  if (database_ != nullptr) (void)database_->run("ROLLBACK");
}

Result<void> Transaction::commit() {
  BASCULE_CHECK(database_ != nullptr);
  BASCULE_TRY(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace bascule::journal
