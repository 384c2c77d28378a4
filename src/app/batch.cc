#include "app/batch.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/batch_side.h"
#include "app/commands.h"
#include "app/pictures.h"
#include "app/videos.h"
#include "base/file.h"
#include "base/text.h"
#include "runs/report.h"
#include "runs/run.h"
#include "runs/thumbnail.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr int kThumbnail = 320;  // pixels of the longer side
constexpr Duration kBarEvery = std::chrono::milliseconds(250);
constexpr Duration kLineEvery = std::chrono::seconds(10);

std::atomic<bool> stop_is_asked = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal may set it

void ask_to_stop(int /*number*/) { stop_is_asked = true; }

// The first such signal ends the run at a checkpoint, a second one at once.
void take_signals() {
  struct sigaction action{};
  action.sa_handler = ask_to_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

struct Shard {
  std::uint64_t index = 0;
  std::uint64_t of = 1;
};

Result<Shard> read_shard(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto index = text::parse_int(std::string_view(text).substr(0, slash));
  const auto of =
      slash == std::string::npos ? std::nullopt : text::parse_int(std::string_view(text).substr(slash + 1));
  if (index && of && *index >= 0 && *of > *index) {
    return Shard{.index = static_cast<std::uint64_t>(*index), .of = static_cast<std::uint64_t>(*of)};
  }
  return invalid_argument(fmt::format(
      "--shard: '{}' is not I/N with I from 0 to N-1; four runs have 0/4, 1/4, 2/4 and 3/4.", text));
}

// What the command line asks for.
struct Batch {
  const config::Values& values;
  std::string model;
  std::vector<std::string> words;
  fs::path out;
  fs::path errors;  // empty: told in the result
  Shard shard;
};

Result<Batch> read_batch(const config::Parsed& parsed) {
  const config::Values& values = parsed.values;
  Batch batch{.values = values};
  if (!parsed.positionals.empty()) {
    batch.model = parsed.positionals[0];
    batch.words.assign(parsed.positionals.begin() + 1, parsed.positionals.end());
  }
  if (values.has("in")) batch.words.push_back(values.text("in"));
  if (values.has("list")) batch.words.push_back('@' + values.text("list"));
  if (batch.words.empty()) {
    return invalid_argument(
        "Give a model and at least one input; - is standard input. See: bascule batch --help");
  }
  batch.out = values.text("out");
  BASCULE_TRY(runs::result_form(batch.out));
  if (values.has("errors"))
    batch.errors = values.text("errors");
  else if (batch.out != "-")
    batch.errors = runs::errors_of(batch.out);
  if (values.has("shard")) {
    BASCULE_ASSIGN(batch.shard, read_shard(values.text("shard")));
  }
  return batch;
}

// Everything that the answers depend on, and which inputs there are.
runs::Terms terms_of(const Batch& batch, std::string model) {
  runs::Terms terms = {{"model", std::move(model)},
                       {"input", fmt::format("{}", fmt::join(batch.words, " "))}};
  for (const char* name : {"conf", "iou", "imgsz", "max_det", "decimals", "vid_stride", "shard"}) {
    std::string flag = std::string("--") + name;
    std::ranges::replace(flag, '_', '-');
    terms.emplace_back(flag, batch.values.has(name) ? batch.values.text(name) : "");
  }
  terms.emplace_back("--classes", fmt::format("{}", fmt::join(batch.values.items("classes"), ",")));
  terms.emplace_back("--errors", batch.errors.string());
  terms.emplace_back("--report", batch.values.has("report") ? "given" : "");
  return terms;
}

// Shows how the run does: as a bar that is drawn over where a person looks on, else as lines.
// Thread-safety: external (one thread).
class Display {
 public:
  explicit Display(const Clock& clock)
      : clock_(clock), bar_(::isatty(STDERR_FILENO) == 1), last_(clock.now()) {}

  void show(const runs::Standing& standing) {
    const TimePoint now = clock_.now();
    // The bar is there from the first answer, however short the run is.
    const bool first = bar_ && !drawn_ && standing.share >= 0;
    if (!first && now - last_ < (bar_ ? kBarEvery : kLineEvery)) return;
    last_ = now;
    if (bar_)
      fmt::print(stderr, "\r\x1b[K{}", runs::bar_text(standing));
    else
      fmt::print(stderr, "bascule: {}\n", text::trimmed(runs::line_text(standing)));
    std::fflush(stderr);
    drawn_ = bar_;
  }

  void clear() {
    if (std::exchange(drawn_, false)) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  const Clock& clock_;
  const bool bar_;
  TimePoint last_;
  bool drawn_ = false;
};

struct Done {
  runs::Ending ending = runs::Ending::kDone;
  runs::Progress progress;
  double seconds = 0;
};

Result<void> write_report(const Batch& batch, const Side& side, const runs::ReportState& state,
                          const Done& done, std::uint64_t before) {
  const auto max_pixels = static_cast<std::uint64_t>(batch.values.integer("max_pixels"));
  const std::string html =
      runs::report_html(state,
                        {.model = side.name,
                         .inputs = fmt::format("{}", fmt::join(batch.words, " ")),
                         .result = batch.out.string(),
                         .errors = batch.errors.string(),
                         .good = done.progress.good,
                         .bad = done.progress.bad,
                         .seconds = done.seconds,
                         .since = done.progress.good + done.progress.bad - before,
                         .complete = done.ending == runs::Ending::kDone},
                        [&](const runs::Kept& kept) {
                          // One that has gone meanwhile is named without its picture.
                          return runs::thumbnail(kept.key, kept.answer, kThumbnail, max_pixels)
                              .value_or(std::vector<std::byte>{});
                        });
  return write_file(batch.values.text("report"), html);
}

// Opens a video for the model here; servers are sent pictures.
runs::OpenVideo video_opener(const config::Values& values, const Clock& clock) {
  return [&values, &clock](const std::string& path,
                           const std::function<bool()>& stop) -> Result<runs::NextFrame> {
    if (values.has("server")) {
      return invalid_argument(
          "Videos are looked at by a model here, and not by servers: give its file in place of --server, or "
          "the frames as pictures.");
    }
    BASCULE_ASSIGN(video::ReaderOptions options, reader_options(values));
    options.stride = static_cast<std::uint64_t>(values.integer("vid_stride"));
    BASCULE_ASSIGN(video::Descriptor file, video::open_file(path));
    return open_frames(std::move(file), std::move(options), {.gone = stop}, clock);
  };
}

Result<Done> run_batch(const Batch& batch, Side& side, const Clock& clock) {
  runs::ReaderOptions reading{.words = batch.words,
                              .pictures = side.pictures,
                              .text = side.text,
                              .block = side.block,
                              .shard = batch.shard.index,
                              .shards = batch.shard.of,
                              .is_picture = [](const fs::path& file) { return looks_like_picture(file); },
                              .is_video = [](const fs::path& file) { return looks_like_video(file); },
                              .open_video = video_opener(batch.values, clock)};
  BASCULE_ASSIGN(runs::Reader reader, runs::Reader::open(std::move(reading)));
  BASCULE_ASSIGN(runs::Results results, runs::Results::open({.out = batch.out,
                                                             .errors = batch.errors,
                                                             .pictures = side.pictures,
                                                             .restart = batch.values.flag("restart"),
                                                             .overwrite = batch.values.flag("overwrite"),
                                                             .terms = terms_of(batch, side.identity)}));
  reader.go_on_from(results.progress().position);
  if (results.resumed()) {
    fmt::print(stderr, "bascule: going on after {} inputs.\n",
               runs::with_commas(results.progress().position.inputs));
  }
  std::optional<runs::ReportState> report;
  if (batch.values.has("report")) {
    report.emplace(side.pictures);
    BASCULE_TRY(report->restore(results.progress().report));
  }
  const std::uint64_t before = results.progress().good + results.progress().bad;
  Display display(clock);
  runs::RunOptions options{.lanes = side.lanes,
                           .window = 4 * side.lanes,
                           .answer = {.pictures = side.pictures, .keeps_id = side.keeps_id},
                           .save_every = std::chrono::duration_cast<Duration>(
                               std::chrono::duration<double>(batch.values.number("checkpoint_every")))};
  if (batch.values.has("max_errors")) {
    options.max_errors = static_cast<std::uint64_t>(batch.values.integer("max_errors"));
  }
  const TimePoint began = clock.now();
  const auto ending = runs::run(reader, *side.asker, results, options,
                                {.clock = clock,
                                 .stop = [] { return stop_is_asked.load(); },
                                 .tick = [&](const runs::Standing& standing) { display.show(standing); },
                                 .report = report ? &*report : nullptr});
  display.clear();
  if (!ending) return ending.error();
  Done done{.ending = *ending, .progress = results.progress(), .seconds = to_seconds(clock.now() - began)};
  // Before the checkpoint goes: what is killed here writes it again.
  if (report) BASCULE_TRY(write_report(batch, side, *report, done, before));
  if (*ending == runs::Ending::kDone) BASCULE_TRY(results.finish());
  return done;
}

int tell(const Batch& batch, const Done& done) {
  const runs::Progress& progress = done.progress;
  std::string text = fmt::format("{} answered", runs::with_commas(progress.good));
  if (progress.bad > 0) {
    text += fmt::format(", {} bad ({})", runs::with_commas(progress.bad),
                        batch.errors.empty() ? "among the results" : batch.errors.string());
  }
  text += fmt::format(", {}", runs::duration_text(done.seconds));
  const std::string go_on = batch.out == "-" ? "" : " The same command goes on from here.";
  switch (done.ending) {
    case runs::Ending::kStopped:
      fmt::print(stderr, "bascule: stopped; {}.{}\n", text, go_on);
      return kStopped;
    case runs::Ending::kTooManyErrors:
      fmt::print(stderr, "bascule: ended, for --max-errors is {}; {}.{}\n",
                 batch.values.integer("max_errors"), text, go_on);
      return kFailed;
    case runs::Ending::kDone: break;
  }
  fmt::print(stderr, "bascule: done; {}.\n", text);
  return progress.good > 0 || progress.bad == 0 ? kOk : kFailed;
}

}  // namespace

int batch(config::Parsed parsed) {
  config::Values& values = parsed.values;
  if (auto completed = complete_values(command("batch"), values); !completed)
    return fail(completed.error(), kUsage);
  const auto batch = read_batch(parsed);
  if (!batch) return fail(batch.error(), kUsage);
  take_signals();
  const SteadyClock clock;
  auto side = open_side({.values = values,
                         .model = batch->model,
                         .words = batch->words,
                         .stop = [] { return stop_is_asked.load(); }},
                        clock);
  if (!side) return fail(side.error(), kFailed);
  const auto done = run_batch(*batch, *side, clock);
  return done ? tell(*batch, *done) : fail(done.error(), kFailed);
}

}  // namespace bascule::app
