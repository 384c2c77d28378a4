#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runs/folder_walk.h"
#include "runs/item.h"
#include "runs/record_file.h"

namespace bascule::runs {

struct ReaderOptions {
  // Files, folders, globs, "-" for standard input, "@FILE" for a list with a file on each line.
  std::vector<std::string> words;
  bool pictures = true;                             // what the model takes; else rows
  bool text = false;                                // of rows: they are sentences
  std::size_t block = 256;                          // rows of a unit
  std::size_t block_bytes = std::size_t{1} << 18U;  // about
  std::uint64_t shard = 0;        // inputs whose number, from 0, leaves this when divided by …
  std::uint64_t shards = 1;       // … this are ours
  FolderWalk::Wanted is_picture;  // by its name
  Position from;                  // inputs that were done
};

// The inputs of a run one unit after the other, in an order that is the same each time. Nothing but the names
// of a folder is kept in memory. Thread-safety: external (one thread).
class Reader {
 public:
  using Stop = RecordFile::Stop;

  // Errors: kNotFound for a word that means nothing; kInvalidArgument.
  static Result<Reader> open(ReaderOptions options);

  // These inputs were done. Before the first next().
  void go_on_from(const Position& position) { options_.from = position; }

  // Nothing at the end, and once `stop` says so. Errors: kFailedPrecondition where the inputs before `from`
  // are not those that were there; of RecordFile.
  Result<std::optional<Unit>> next(const Stop& stop);

 private:
  struct Source {
    enum class Kind : std::uint8_t { kFile, kFolder, kRecords, kList };
    Kind kind = Kind::kFile;
    std::string path;
    std::optional<Form> form;  // of kRecords
    std::uint64_t weight = 0;  // of all there is to do
  };
  struct Found {
    Item item;
    Form form = Form::kPicture;
    std::uint64_t file = 0;  // `files_` where it stands; 0: it is a file itself
  };

  explicit Reader(ReaderOptions options) : options_(std::move(options)) {}
  Result<void> add_word(const std::string& word);
  Result<void> add_glob(const std::string& word);
  void add_file(const std::string& path, std::uint64_t bytes);
  Result<std::optional<Found>> find(const Stop& stop);
  Result<std::optional<Found>> find_record(const Stop& stop);
  Result<std::optional<Found>> find_listed(const Stop& stop);
  Result<std::optional<Found>> find_in_folder();
  Result<std::optional<Found>> begin(const Source& source);
  Result<void> open_records(const std::string& path, std::optional<Form> form);
  Result<bool> skipped(const Item& item);
  Result<void> add(Found found, Unit& unit);
  [[nodiscard]] bool is_full(const Unit& unit) const;
  bool ends_unit(const Unit& unit);
  [[nodiscard]] double share() const;
  [[nodiscard]] bool is_wanted(const std::filesystem::path& file) const;

  ReaderOptions options_;
  std::deque<Source> sources_;
  std::optional<FolderWalk> folder_;
  std::optional<RecordFile> list_;
  std::optional<RecordFile> records_;
  std::shared_ptr<const std::string> header_;  // of `records_`
  std::optional<Found> ahead_;                 // begins the next unit
  Position position_;
  std::size_t bytes_ = 0;    // of the unit that is read
  std::uint64_t file_ = 0;   // its items'
  std::uint64_t files_ = 0;  // of records that were opened
  bool unknown_ = false;     // how much there is to do
  std::uint64_t all_ = 0;
  std::uint64_t done_ = 0;  // without what is read of `records_`
};

}  // namespace bascule::runs
