#include "tuning/search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace bascule::tuning {
namespace {

constexpr double kHopeless = 1.3;  // times the shortest run: no sharing of the cores makes up for it
constexpr double kWorthARow = 1.1;
constexpr double kShortRun = 0.2;  // milliseconds; threads gain nothing within it
constexpr double kTolerance = 0.05;
constexpr double kAlike = 0.03;
constexpr std::size_t kFinalists = 3;
constexpr std::size_t kTried = 2;  // sharings of the cores, with what is tried on the best alone
constexpr int kRounds = 3;

// A kind that is still in the running.
struct Kind {
  Candidate candidate;
  Probe probe;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// How the cores can be shared out: instances times threads of each.
std::vector<std::pair<std::size_t, int>> sharings(std::size_t cores) {
  std::vector<std::pair<std::size_t, int>> out = {{cores, 1}};
  for (std::size_t threads = 2; threads < cores; threads *= 2) {
    if (cores % threads == 0) out.emplace_back(cores / threads, static_cast<int>(threads));
  }
  if (cores > 1) out.emplace_back(1, static_cast<int>(cores));
  return out;
}

class Search {
 public:
  Search(Measuring& measuring, const SearchOptions& options) : measuring_(measuring), options_(options) {}

  Result<Outcome> run() {
    BASCULE_TRY(probe_all());
    list();
    measure_all();
    try_fixed_shapes();
    try_fast_decode();
    finals();
    choose();
    tell(1, "done");
    return std::move(out_);
  }

 private:
  void tell(double done, std::string_view what) const {
    if (options_.progress) options_.progress(done, what);
  }

  Candidate shaped(Candidate candidate, std::size_t instances, int threads) const {
    candidate.instances = instances;
    candidate.threads = threads;
    return candidate;
  }

  void leave_out(const Candidate& candidate, std::optional<double> drop, std::string why) {
    left_out_.push_back({.candidate = candidate, .drop = drop, .verdict = std::move(why)});
  }

  Result<void> probe_all() {
    std::optional<Error> first;
    for (std::size_t i = 0; i < options_.kinds.size(); ++i) {
      const Candidate one = shaped(options_.kinds[i], 1, 1);
      tell(0.3 * static_cast<double>(i) / static_cast<double>(options_.kinds.size()), describe(one));
      Result<Probe> probe = measuring_.probe(one);
      if (!probe) {
        leave_out(one, std::nullopt, probe.error().message);
        if (!first) first = std::move(probe).error();
      } else {
        kinds_.push_back({.candidate = one, .probe = *probe});
      }
    }
    if (kinds_.empty()) return first ? *std::move(first) : invalid_argument("There is no engine to try.");
    // The default is there in any case; the others as long as they may win.
    const auto exact = [&](const Kind& kind) { return kind.probe.drop <= options_.max_drop; };
    double shortest = kinds_.front().probe.run_ms;
    for (const Kind& kind : kinds_) {
      if (exact(kind)) shortest = std::min(shortest, kind.probe.run_ms);
    }
    std::vector<Kind> in;
    for (const Kind& kind : kinds_) {
      const bool standard = in.empty();
      if (!standard && !exact(kind)) {
        leave_out(kind.candidate, kind.probe.drop, too_far(kind.probe.drop));
      } else if (!standard && kind.probe.run_ms > kHopeless * shortest) {
        leave_out(kind.candidate, kind.probe.drop,
                  fmt::format("not measured: one run takes {:.1f} times the shortest",
                              kind.probe.run_ms / shortest));
      } else {
        in.push_back(kind);
      }
    }
    hopeless_default_ = kinds_.front().probe.run_ms > kHopeless * shortest;
    kinds_ = std::move(in);
    return {};
  }

  // What is measured.
  void list() {
    for (const Kind& kind : kinds_) {
      const bool standard = &kind == &kinds_.front();
      for (const auto& [instances, threads] : sharings(options_.cores)) {
        const Candidate candidate = shaped(kind.candidate, instances, threads);
        if (threads > 1 && kind.probe.run_ms < kShortRun) {
          leave_out(candidate, kind.probe.drop, "not measured: a run is too short for threads to share");
        } else if (standard && !out_.rows.empty() && hopeless_default_) {
          leave_out(candidate, kind.probe.drop, "not measured: another engine's run is far shorter");
        } else {
          out_.rows.push_back({.candidate = candidate, .drop = kind.probe.drop});
          if (threads == 1) list_shared(kind, candidate);
        }
      }
    }
  }

  void list_shared(const Kind& kind, Candidate candidate) {
    if (kind.probe.run_ms < kLongRunMs) return;
    candidate.max_batch_size = kSharedRows;
    if (kind.probe.row_gain < kWorthARow) {
      leave_out(candidate, kind.probe.drop,
                fmt::format("not measured: a row of a shared run takes {:.0f} % of one alone",
                            100 / std::max(kind.probe.row_gain, 0.01)));
      return;
    }
    out_.rows.push_back({.candidate = candidate, .drop = kind.probe.drop});
    if (!kind.probe.many_shapes) return;
    candidate.letterbox = content::LetterboxShape::kSquare;
    out_.rows.push_back({.candidate = candidate, .drop = kind.probe.drop});
  }

  void measure_all() {
    const std::size_t count = out_.rows.size() + 2 * kTried;  // with fixed shapes, decoded fast
    const std::size_t finals = kRounds * std::min(count, kFinalists + 1);
    slice_ = options_.time / static_cast<long>(count + finals);
    for (std::size_t i = 0; i < out_.rows.size(); ++i) {
      Row& row = out_.rows[i];
      tell(0.3 + 0.35 * static_cast<double>(i) / static_cast<double>(count), describe(row.candidate));
      const Result<Speed> speed = measuring_.measure(row.candidate, slice_);
      if (speed) {
        row.speed = *speed;
      } else {
        row.verdict = speed.error().message;
      }
      // Without the default there is nothing to compare with; the probe ran it.
      if (row.speed && out_.rows.front().speed) row.score = score(*row.speed, *out_.rows.front().speed);
    }
  }

  [[nodiscard]] const Probe& probe_of(const Candidate& candidate) const {
    return std::ranges::find_if(kinds_,
                                [&](const Kind& one) {
                                  return one.candidate.engine == candidate.engine &&
                                         one.candidate.precision == candidate.precision;
                                })
        ->probe;
  }

  // Of the engine and precision that lead so far, the best sharings of the cores that `fits` takes: what is
  // tried on them may bring each closer to the other, or past it. As the rows are ordered, not by what was
  // measured, so that of those alike the same one is chosen again.
  [[nodiscard]] std::vector<Candidate> best(const std::function<bool(const Candidate&)>& fits) const {
    std::vector<std::size_t> chosen;
    for (const std::size_t i : by_score()) {
      const Candidate& one = out_.rows[i].candidate;
      if (chosen.size() == kTried || out_.rows[i].score <= 0 || !fits(one)) continue;
      const bool other = std::ranges::all_of(chosen, [&](std::size_t j) {
        const Candidate& better = out_.rows[j].candidate;
        return one.engine == better.engine && one.precision == better.precision &&
               (one.instances != better.instances || one.threads != better.threads);
      });
      if (other) chosen.push_back(i);
    }
    std::ranges::sort(chosen);
    std::vector<Candidate> out;
    for (const std::size_t i : chosen) out.push_back(out_.rows[i].candidate);
    return out;
  }

  // Compiled for the samples' own shapes; not where requests share runs, which have more rows.
  void try_fixed_shapes() {
    const auto alone = [&](const Candidate& candidate) {
      return candidate.max_batch_size == 0 && !probe_of(candidate).shapes.empty();
    };
    for (Candidate& candidate : best(alone)) {
      candidate.shapes = probe_of(candidate).shapes;
      try_as(candidate);
    }
  }

  void try_fast_decode() {
    for (Candidate& one : best([&](const Candidate& candidate) { return probe_of(candidate).fast_decode; })) {
      one.decode = content::DecodeMode::kFast;
      try_as(one);
    }
  }

  // The answers are others, so they are compared on their own.
  void try_as(const Candidate& candidate) {
    tell(0.65, describe(candidate));
    const Result<Probe> probe = measuring_.probe(candidate);
    if (!probe) return leave_out(candidate, std::nullopt, probe.error().message);
    if (probe->drop > options_.max_drop) return leave_out(candidate, probe->drop, too_far(probe->drop));
    Row row{.candidate = candidate, .drop = probe->drop};
    const Result<Speed> speed = measuring_.measure(candidate, slice_);
    if (!speed) return leave_out(candidate, probe->drop, speed.error().message);
    row.speed = *speed;
    row.score = score(*speed, *out_.rows.front().speed);
    out_.rows.push_back(std::move(row));
  }

  // What was measured, the best first.
  [[nodiscard]] std::vector<std::size_t> by_score() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < out_.rows.size(); ++i) {
      if (out_.rows[i].speed) order.push_back(i);
    }
    std::ranges::stable_sort(order, std::ranges::greater{},
                             [&](std::size_t i) { return out_.rows[i].score; });
    return order;
  }

  [[nodiscard]] std::string too_far(double drop) const {
    return fmt::format("answers differ by {:.3g}, and {:.3g} is allowed", drop, options_.max_drop);
  }

  [[nodiscard]] double score(const Speed& speed, const Speed& standard) const {
    const double latency = standard.latency_ms / std::max(speed.latency_ms, 1e-9);
    const double rate = speed.rate / std::max(standard.rate, 1e-9);
    if (options_.goal == Goal::kLatency) return latency;
    if (options_.goal == Goal::kThroughput) return rate;
    // Worse in either than the default is no way to serve it.
    if (latency < 1 - kTolerance || rate < 1 - kTolerance) return std::min({latency, rate, 1 - kTolerance});
    return std::sqrt(latency * rate);
  }

  // The best again, in turns with the default: what the machine does meanwhile, it does to all.
  void finals() {
    std::vector<std::size_t> order = by_score();
    std::erase(order, 0U);
    if (order.size() > kFinalists) order.resize(kFinalists);
    order.insert(order.begin(), 0);
    std::vector<std::vector<double>> latencies(order.size());
    std::vector<std::vector<double>> rates(order.size());
    std::vector<std::vector<double>> scores(order.size());
    for (int round = 0; round < kRounds; ++round) {
      Speed standard;
      for (std::size_t i = 0; i < order.size(); ++i) {
        const double done =
            static_cast<double>(round) + static_cast<double>(i) / static_cast<double>(order.size());
        tell(0.65 + 0.35 * done / kRounds, describe(out_.rows[order[i]].candidate));
        const Result<Speed> speed = measuring_.measure(out_.rows[order[i]].candidate, slice_);
        if (!speed) continue;
        if (i == 0) standard = *speed;
        latencies[i].push_back(speed->latency_ms);
        rates[i].push_back(speed->rate);
        if (standard.rate > 0) scores[i].push_back(score(*speed, standard));
      }
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      Row& row = out_.rows[order[i]];
      if (scores[i].empty()) continue;
      row.speed = {.latency_ms = median(latencies[i]), .rate = median(rates[i])};
      row.score = median(scores[i]);
      finalists_.push_back(order[i]);
    }
    std::ranges::sort(finalists_);
  }

  void choose() {
    double best = 0;
    for (const std::size_t i : finalists_) best = std::max(best, out_.rows[i].score);
    // The first that is as good as the best, but not worse than the default.
    for (const std::size_t i : finalists_) {
      if (out_.rows[i].score < best * (1 - kAlike)) continue;
      out_.winner = i;
      break;
    }
    for (std::size_t i = 0; i < out_.rows.size(); ++i) {
      Row& row = out_.rows[i];
      if (!row.verdict.empty()) continue;
      if (i == out_.winner) {
        row.verdict = "chosen";
      } else if (row.score >= best * (1 - kAlike)) {
        row.verdict = "as good, but farther from the default";
      } else {
        row.verdict = "slower";
      }
    }
    std::ranges::move(left_out_, std::back_inserter(out_.rows));
  }

  Measuring& measuring_;
  const SearchOptions& options_;
  std::vector<Kind> kinds_;
  std::vector<Row> left_out_;
  std::vector<std::size_t> finalists_;
  bool hopeless_default_ = false;
  Duration slice_{};
  Outcome out_;
};

}  // namespace

Result<Outcome> search(Measuring& measuring, const SearchOptions& options) {
  return Search(measuring, options).run();
}

}  // namespace bascule::tuning
