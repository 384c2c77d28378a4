#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "journal/database.h"
#include "journal/tally.h"

namespace bascule::journal {

// What put() does where the outbox is full.
enum class WhenFull {
  kRefuse,     // takes nothing: whoever puts waits
  kDropOldest  // makes room by dropping what came first, counted and logged
};

struct OutboxOptions {
  std::uint64_t max_bytes = 256ULL << 20U;  // of bodies and attachments that are kept
  Duration max_age =
      std::chrono::hours(24 * 7);  // counted while a process had it open; older ones are dropped
  WhenFull when_full = WhenFull::kRefuse;
  std::uint64_t remembered = 100'000;  // ids that are known after they were delivered
  std::uint64_t max_aside = 1000;      // that a receiver refused, of all receivers; the oldest are dropped
  DatabaseOptions database;
};

// What is to be sent.
// Thread-safety: a value; the attachment is never changed.
struct Parcel {
  std::string id;  // the same id twice is one parcel
  std::string body;
  std::shared_ptr<const std::vector<std::byte>> attachment;  // or null
  std::vector<std::string> receivers;                        // none: only its id is remembered
};

// How far a source has come.
// Thread-safety: a value.
struct Position {
  std::string source;
  std::uint64_t number = 0;
  std::string mark;  // whatever the source needs to go on, such as a file's name
};

// A parcel on its way to one receiver.
// Thread-safety: a value.
struct Waiting {
  std::int64_t number = 0;  // in the order of arrival
  std::string id;
  std::string body;
  std::shared_ptr<const std::vector<std::byte>> attachment;
};

// Thread-safety: a value.
struct PutResult {
  std::size_t kept = 0;     // new ones
  std::size_t doubles = 0;  // known already
  std::size_t dropped = 0;  // parcels that went to make room
};

// Of one receiver.
// Thread-safety: a value.
struct ReceiverState {
  std::string receiver;
  std::uint64_t waiting = 0;
  std::uint64_t aside = 0;
  Duration oldest{};  // how long the first that waits has done so
};

// A parcel that its receiver refused for good.
// Thread-safety: a value.
struct Aside {
  std::int64_t number = 0;
  std::string id;
  std::string receiver;
  std::string why;
};

// Parcels that wait for their receivers, in a file that survives kill -9, a full disk and a power cut: what
// put() has acknowledged is there until delivered(), refused() or its age takes it out. Each receiver gets
// its own in the order of arrival. One process at a time has the file open.
// Thread-safety: thread-safe.
class Outbox {
 public:
  // Makes the file where there is none; its folder is there. `clock` outlives the outbox. Errors: of
  // Database::open; kFailedPrecondition for a file of a newer version, or of another program.
  static Result<std::unique_ptr<Outbox>> open(const std::filesystem::path& file, const OutboxOptions& options,
                                              const Clock& clock);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // All of it, or nothing: once this returns, the parcels, the position and the counts are on the disk.
  // Errors: kResourceExhausted where the outbox (with kRefuse) or the disk is full: try again later;
  // kPayloadTooLarge for parcels that never fit; of Database::run.
  Result<PutResult> put(std::span<const Parcel> parcels, const std::optional<Position>& position = {},
                        std::span<const Tally> tallies = {});
  // What was counted, as read_tallies. Errors: of Database::run.
  Result<std::vector<Tally>> tallies(std::size_t days);

  // The next one of a receiver; nothing where none waits. Errors: of Database::run.
  Result<std::optional<Waiting>> first(std::string_view receiver);
  // Waits until something may wait for the receiver that came after `seen`, for `most`, or until wake() is
  // called. `seen`: what arrivals() said before first() was asked.
  void wait(std::uint64_t seen, Duration most);
  [[nodiscard]] std::uint64_t arrivals() const;
  // Ends every wait(), once.
  void wake();

  // It has it. Errors: of Database::run; the parcel then still waits.
  Result<void> delivered(std::string_view receiver, std::int64_t number);
  // It will never have it: moved aside. Errors: as above.
  Result<void> refused(std::string_view receiver, std::int64_t number, std::string_view why);
  // What was moved aside, oldest first, and back into its line with it: all of a receiver's; how many.
  Result<std::vector<Aside>> aside(std::string_view receiver);
  Result<std::size_t> try_again(std::string_view receiver);

  // How far a source had come when put() was last told. Errors: of Database::run.
  Result<std::optional<Position>> position(std::string_view source);

  // Of every receiver that something is kept for, by name. Errors: of Database::run.
  Result<std::vector<ReceiverState>> states();
  // Drops what has waited for longer than `max_age`: how many parcels. put() does so, too.
  Result<std::size_t> drop_old();
  // How many of a receiver's were dropped since the file was opened, by age and for room.
  [[nodiscard]] std::uint64_t dropped(std::string_view receiver) const;
  [[nodiscard]] std::uint64_t bytes() const;  // that are kept

 private:
  class Rows;

 public:
  explicit Outbox(std::unique_ptr<Rows> rows);  // for open()

 private:
  mutable Mutex mutex_;
  ConditionVariable wake_;
  std::unique_ptr<Rows> rows_ BASCULE_GUARDED_BY(mutex_);
  std::uint64_t arrivals_ BASCULE_GUARDED_BY(mutex_) = 0;
};

}  // namespace bascule::journal
