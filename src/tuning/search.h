#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tuning/candidate.h"

// Which way of serving a model is the fastest here, found in bounded time: what cannot win is not measured.
namespace bascule::tuning {

// Below, a trial at load decides whether requests share runs, and tuning does not look at that.
inline constexpr double kLongRunMs = 5;
// Rows of the shared runs that are tried.
inline constexpr std::size_t kSharedRows = 4;

// What is known of an engine and a precision before it is measured in earnest.
// Thread-safety: a value.
struct Probe {
  double run_ms = 0;         // of one request's run on one thread
  double drop = 0;           // how far its answers are from the reference's: 0 alike, 1 nothing in common
  double row_gain = 1;       // time of a row alone by its part of a run of four; 1 where runs are not shared
  bool many_shapes = false;  // samples would go to runs of different shapes
  bool fast_decode = false;  // samples are so large that they can be decoded at a part of their size
  // Those of all samples' inputs, where the engine may gain by knowing them and they are few.
  std::vector<tensor::Shape> shapes = {};
};

// How fast a way of serving is.
// Thread-safety: a value.
struct Speed {
  double latency_ms = 0;  // of a request that comes alone, from its coming to its answer; median
  double rate = 0;        // requests a second with as many at once as keep it busy
};

// What can be measured. Two implementations: models on this machine, and one of numbers for tests.
// Thread-safety: external (one thread).
class Measuring {
 public:
  virtual ~Measuring() = default;
  // Loads the model alone on one thread, and compares its answers. Errors: of the load; of the first run.
  virtual Result<Probe> probe(const Candidate& candidate) = 0;
  // Measures for about `time`, once more or for the first time.
  virtual Result<Speed> measure(const Candidate& candidate, Duration time) = 0;
};

enum class Goal { kBoth, kLatency, kThroughput };

// Thread-safety: a value.
struct SearchOptions {
  Goal goal = Goal::kBoth;
  double max_drop = 0.01;
  std::size_t cores = 1;
  Duration time = std::chrono::seconds(30);  // of all measurements, loads not counted
  std::vector<Candidate> kinds;              // engines and precisions; the first is the default
  std::function<void(double done, std::string_view what)> progress;  // done: 0 to 1; may be empty
};

// One line of the table.
struct Row {
  Candidate candidate;
  std::optional<double> drop;
  std::optional<Speed> speed;
  double score = 0;     // times as good as the default; 0 where it was not measured
  std::string verdict;  // why it was chosen, or not, or not measured
};

// Thread-safety: a value.
struct Outcome {
  std::vector<Row> rows;   // the default first
  std::size_t winner = 0;  // of `rows`
  [[nodiscard]] const Row& chosen() const { return rows[winner]; }
  [[nodiscard]] const Row& standard() const { return rows.front(); }
};

// The default is the first of the kinds that loads, with an instance of one thread for each core. Of the
// kinds whose answers are near enough those win a place whose one run takes at most 1.3 times the shortest;
// each is measured with every sharing of the cores, and with shared runs where a row gains by them. The two
// best sharings of the kind that leads are also compiled for the samples' own shapes where the engine gains
// by that, and then the two best also with pictures decoded at a part of their size where that can be; both
// where answers are near enough. The best three and the default are then measured again in turns. The winner
// has the best score: the default's latency by its own, its rate by the default's, or the geometric mean of
// the two, and then neither may be more than 5 % worse than the default's. Of those within 3 % of the best
// the first counts: the nearest to the default. Errors: where no kind loads, that of the first.
Result<Outcome> search(Measuring& measuring, const SearchOptions& options);

}  // namespace bascule::tuning
