#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runs/item.h"

namespace bascule::runs {

// Counts of names along an axis, in at most kMost steps: what is further apart than that makes all steps
// twice as wide. Thread-safety: a value.
struct Timeline {
  static constexpr std::size_t kMost = 48;

  void add(std::int64_t at, const std::string& name, std::uint64_t count = 1);
  [[nodiscard]] bool empty() const { return steps.empty(); }

  std::int64_t width = 1;
  std::map<std::int64_t, std::map<std::string, std::uint64_t>> steps;  // by `at` over the width
};

// One input that the report shows.
// Thread-safety: a value.
struct Kept {
  std::uint64_t order = 0;  // of samples: those with the lowest are kept
  double confidence = 0;    // of the least sure thing that is said of it
  std::string key;
  std::string name;    // of that thing
  std::string answer;  // of a picture: shape and results; empty where it is too long to keep
};

// What a report tells of a run, gathered as it goes: of a size that does not grow with the inputs, and saved
// with the checkpoint. Thread-safety: external (one thread).
class ReportState {
 public:
  static constexpr std::size_t kBins = 20;
  static constexpr std::size_t kWorst = 24;
  static constexpr std::size_t kSamples = 12;
  static constexpr std::size_t kMostNames = 200;  // others are counted together

  struct Seen {
    std::uint64_t count = 0;
    std::uint64_t sure = 0;  // of those, the ones with a confidence
    double sum = 0;          // of the confidences
  };
  struct Measured {  // rows whose answer is a number
    std::uint64_t count = 0;
    double least = 0, most = 0, sum = 0;
  };

  explicit ReportState(bool pictures) : pictures_(pictures) {}

  void add(const Outcome& outcome);
  // For a checkpoint, and back. Errors: kFailedPrecondition for what saved() did not write.
  [[nodiscard]] std::string saved() const;
  Result<void> restore(std::string_view saved);

  [[nodiscard]] bool pictures() const { return pictures_; }
  [[nodiscard]] const std::map<std::string, Seen>& names() const { return names_; }
  [[nodiscard]] const std::array<std::uint64_t, kBins>& bins() const { return bins_; }
  // By the time at which a picture's file was written (seconds since 1970), and by the number of the input.
  [[nodiscard]] const Timeline& by_time() const { return by_time_; }
  [[nodiscard]] const Timeline& by_order() const { return by_order_; }
  [[nodiscard]] const std::vector<Kept>& worst() const { return worst_; }  // least sure first
  [[nodiscard]] std::vector<Kept> samples() const;                         // by key
  [[nodiscard]] const Measured& measured() const { return measured_; }
  [[nodiscard]] std::uint64_t without() const { return without_; }  // pictures that show nothing

 private:
  void add_picture(const Outcome& outcome);
  void add_row(const Outcome& outcome);
  void count(const std::string& name, double confidence, std::int64_t time);
  void keep_worst(Kept kept);
  void keep_sample(Kept kept);
  Result<void> take(const std::vector<std::string>& fields);

  const bool pictures_;
  std::uint64_t inputs_ = 0;
  std::uint64_t without_ = 0;
  std::map<std::string, Seen> names_;
  std::array<std::uint64_t, kBins> bins_{};
  Timeline by_time_;
  Timeline by_order_;
  std::vector<Kept> worst_;
  std::vector<Kept> samples_;  // by order
  Measured measured_;
};

}  // namespace bascule::runs
