#include "journal/database.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"

namespace bascule::journal {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("journal-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Database open(const DatabaseOptions& options = {}) {
    auto database = Database::open(file(), options);
    EXPECT_TRUE(database) << database.error().message;
    EXPECT_TRUE(database->run("CREATE TABLE IF NOT EXISTS t (a INTEGER, b REAL, c TEXT, d BLOB)"));
    return *std::move(database);
  }
  std::int64_t rows(Database& database) {
    auto count = database.prepare("SELECT count(*) FROM t");
    EXPECT_TRUE(count && *count->step());
    return count->integer(0);
  }
  [[nodiscard]] std::filesystem::path file() const { return folder_ / "journal.db"; }

  std::filesystem::path folder_;
};

TEST_F(DatabaseTest, GivesBackWhatWasBound) {
  Database database = open();
  auto insert = database.prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4)");
  ASSERT_TRUE(insert);
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}, std::byte{0}};
  const std::string text("a\0b'\"", 5);
  ASSERT_TRUE(
      insert->bind(1, std::int64_t{-9'007'199'254'740'993}).bind(2, 0.1).bind(3, text).bind(4, bytes).run());
  ASSERT_TRUE(insert->bind_null(1).bind_null(2).bind(3, "").bind(4, std::span<const std::byte>()).run());
  EXPECT_EQ(database.last_row(), 2);
  EXPECT_EQ(database.changed_rows(), 1);

  auto select = database.prepare("SELECT a, b, c, d FROM t ORDER BY rowid");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->integer(0), -9'007'199'254'740'993);
  EXPECT_EQ(select->number(1), 0.1);
  EXPECT_EQ(select->text(2), text);
  EXPECT_TRUE(std::ranges::equal(select->bytes(3), bytes));
  ASSERT_TRUE(*select->step());
  EXPECT_TRUE(select->is_null(0) && select->is_null(1));
  EXPECT_FALSE(select->is_null(2) || select->is_null(3));  // empty is not NULL
  EXPECT_FALSE(*select->step());
}

TEST_F(DatabaseTest, KeepsNothingOfATransactionThatIsNotCommitted) {
  Database database = open();
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction && database.run("INSERT INTO t VALUES (1, 1, '', '')"));
  }
  EXPECT_EQ(rows(database), 0);
  auto transaction = Transaction::begin(database);
  ASSERT_TRUE(transaction && database.run("INSERT INTO t VALUES (1, 1, '', '')") && transaction->commit());
  EXPECT_EQ(rows(database), 1);
}

// Once commit() has returned, a process that ends at once loses nothing.
TEST_F(DatabaseTest, KeepsWhatWasCommittedWhenTheProcessIsKilled) {
  {
    Database database = open();
  }
  const pid_t child = ::fork();
  if (child == 0) {
    auto database = Database::open(file());
    auto transaction = Transaction::begin(*database);
    const bool kept = database->run("INSERT INTO t VALUES (1, 1, '', '')") && transaction->commit();
    auto second = Transaction::begin(*database);
    (void)database->run("INSERT INTO t VALUES (2, 1, '', '')");
    ::_exit(kept ? 7 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 7);
  Database database = open();
  EXPECT_EQ(rows(database), 1);
}

TEST_F(DatabaseTest, RefusesAFileThatIsNoneOfSQLites) {
  ASSERT_TRUE(write_file(file(), std::string(4096, 'x')));
  const auto database = Database::open(file());
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Code::kFailedPrecondition);
  EXPECT_NE(database.error().message.find("journal.db"), std::string::npos) << database.error().message;
}

TEST_F(DatabaseTest, SaysThatTheFolderIsMissing) {
  const auto database = Database::open(folder_ / "none" / "journal.db");
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Code::kUnavailable);
}

TEST_F(DatabaseTest, StopsAtItsSizeAndGoesOnWhenThereIsRoom) {
  Database database = open({.max_bytes = 64 << 10});
  auto insert = database.prepare("INSERT INTO t VALUES (1, 1, ?1, '')");
  ASSERT_TRUE(insert);
  const std::string text(4000, 'x');
  Result<void> result;
  int kept = 0;
  while (kept < 100 && (result = insert->bind(1, text).run())) ++kept;
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted) << result.error().message;
  EXPECT_EQ(rows(database), kept);
  ASSERT_TRUE(database.run("DELETE FROM t"));
  EXPECT_TRUE(insert->bind(1, text).run());
}

TEST_F(DatabaseTest, SaysThatAnotherHasItLocked) {
  Database database = open();
  auto transaction = Transaction::begin(database);
  ASSERT_TRUE(transaction);
  auto other = Database::open(file(), {.busy = std::chrono::milliseconds(1)});
  ASSERT_TRUE(other) << other.error().message;
  const auto begun = Transaction::begin(*other);
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace bascule::journal
