#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/inputs.h"
#include "app/local_model.h"
#include "app/pictures.h"
#include "app/predict_rows.h"
#include "app/videos.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "image/annotate.h"
#include "net/fetcher.h"
#include "protocol/ultralytics/ultralytics.h"
#include "serving/frames.h"
#include "serving/inference_service.h"

namespace bascule::app {
namespace {

constexpr std::size_t kMostAhead = 8;  // frames of a video in memory

// One picture, or frame of a video, and its answer.
struct Item {
  std::string file;
  std::size_t frame = 0;  // of those looked at, from 1; 0: it is no frame
  content::EncodedPicture picture = {};
  Result<content::InferResponse> answer = internal_error("not answered");
};

// Prints answers as they come, in order.
class Printer {
 public:
  virtual ~Printer() = default;
  virtual void item(const Item& item) = 0;
  virtual void end() = 0;
};

class JsonPrinter final : public Printer {
 public:
  explicit JsonPrinter(int decimals) : style_{.normalize = false, .decimals = decimals} {
    fmt::print("{{\"images\":[");
  }

  void item(const Item& item) override {
    std::string out = std::exchange(first_, false) ? "\n" : ",\n";
    out += "{\"file\":" + text::json_quoted(item.file);
    if (item.frame > 0) out += fmt::format(",\"frame\":{}", item.frame);
    if (item.answer) {
      out += ',';
      protocol::ultralytics::append_image(out, *item.answer, style_);
    } else {
      out += ",\"error\":" + text::json_quoted(item.answer.error().message);
    }
    fmt::print("{}}}", out);
  }

  void end() override { fmt::print("\n]}}\n"); }

 private:
  const protocol::ultralytics::Style style_;
  bool first_ = true;
};

// The table below a picture's line, one for each kind of prediction; counts the objects.
struct Table {
  const content::ClassNames& names;

  std::size_t operator()(const content::Detections& found) const {
    if (!found.rows.empty()) {
      fmt::print("  {:<20} {:>10} {:>8} {:>8} {:>8} {:>8}\n", "name", "confidence", "x1", "y1", "x2", "y2");
    }
    for (const content::Detection& row : found.rows) {
      fmt::print("  {:<20} {:>10.3f} {:>8.1f} {:>8.1f} {:>8.1f} {:>8.1f}\n",
                 content::name_of(row.class_id, names), row.confidence, row.box.x1, row.box.y1, row.box.x2,
                 row.box.y2);
    }
    return found.rows.size();
  }

  std::size_t operator()(const content::Classification& found) const {
    fmt::print("  {:<20} {:>10}\n", "name", "confidence");
    for (const content::RankedClass& row : found.best) {
      fmt::print("  {:<20} {:>10.3f}\n", content::name_of(row.class_id, names), row.confidence);
    }
    return 0;
  }

  std::size_t operator()(const content::ClassMap& map) const {
    fmt::print("  {:<20} {:>10}\n", "name", "of pixels");
    for (const content::ClassMap::Share& share : map.shares) {
      const auto class_id = content::class_of(share, names);
      if (class_id) fmt::print("  {:<20} {:>10.3f}\n", content::name_of(*class_id, names), share.of_pixels);
    }
    return 0;
  }

  std::size_t operator()(const content::DepthMap& map) const {
    fmt::print("  from {:.3f} to {:.3f}\n", map.nearest, map.farthest);
    return 0;
  }
};

class TablePrinter final : public Printer {
 public:
  void item(const Item& item) override {
    if (!item.answer) return;  // told on standard error
    const content::InferResponse& answer = *item.answer;
    const content::PictureSize picture = content::picture_of(*answer.prediction);
    const Duration took = answer.stages.prepare + answer.stages.run + answer.stages.finish;
    const std::string frame = item.frame > 0 ? fmt::format(" frame {}", item.frame) : "";
    fmt::print("{}{}  {} x {} pixels, {:.1f} ms\n", item.file, frame, picture.width, picture.height,
               to_ms(took));
    objects_ += std::visit(Table{answer.model->class_names}, *answer.prediction);
    counts_ = counts_ || std::holds_alternative<content::Detections>(*answer.prediction);
    ++pictures_;
  }

  void end() override {
    if (!counts_ && pictures_ > 0) return;  // a task without objects
    fmt::print("Detected {} {}", objects_, objects_ == 1 ? "object" : "objects");
    fmt::print("{}\n", pictures_ == 1 ? "" : fmt::format(" in {} pictures", pictures_));
  }

 private:
  std::size_t objects_ = 0;
  std::size_t pictures_ = 0;
  bool counts_ = false;
};

// Writes annotated pictures; two of one name get numbers.
class Saver {
 public:
  explicit Saver(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<void> save(const Item& item, std::uint64_t max_pixels) {
    const content::InferResponse& answer = *item.answer;
    BASCULE_ASSIGN(const std::vector<std::byte> jpeg,
                   image::annotate(item.picture, max_pixels, *answer.prediction, answer.model->class_names));
    std::string stem = stem_of(item.file);
    if (item.frame > 0) stem += fmt::format("-{:06}", item.frame);
    std::string name = stem;
    for (int i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}-{}", stem, i);
    return write_file(folder_ / (name + ".jpg"), {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()});
  }

 private:
  const std::filesystem::path folder_;
  std::set<std::string> names_;
};

struct Run {
  const config::Values& values;
  const Clock& clock;
  std::size_t width = 1;  // pictures at once
  content::PredictOptions options = {};
  std::uint64_t max_pixels = 0;
  bool failed = false;
};

content::InferRequest request_of(const Run& run) {
  content::InferRequest request;
  request.dialect = "cli";
  request.options = run.options;
  return request;
}

std::future<Item> ask(serving::InferenceService& service, const Run& run, const std::string& file,
                      Result<Input> input) {
  auto promise = std::make_shared<std::promise<Item>>();
  std::future<Item> future = promise->get_future();
  Item item{.file = file};
  if (!input) {
    item.answer = std::move(input).error();
    promise->set_value(std::move(item));
    return future;
  }
  item.picture = {.bytes = *input->bytes, .owner = input->bytes, .name = file};
  content::InferRequest request = request_of(run);
  request.picture = item.picture;
  service.infer(std::move(request), [promise, item = std::move(item)](auto answer, bool last) mutable {
    if (!last) return;
    item.answer = std::move(answer);
    promise->set_value(std::move(item));
  });
  return future;
}

void take(Item item, Run& run, Printer& printer, Saver* saver) {
  printer.item(item);
  if (!item.answer) {
    fmt::print(stderr, "bascule: {}: {}\n", item.file, item.answer.error().message);
    run.failed = true;
  } else if (saver != nullptr) {
    if (auto saved = saver->save(item, run.max_pixels); !saved) {
      fmt::print(stderr, "bascule: {}: {}\n", item.file, saved.error().message);
      run.failed = true;
    }
  }
}

// Frame after frame. An error ends the video; what was answered before it is told.
void take_video(serving::InferenceService& service, const Run& run, const std::string& file,
                video::Descriptor video, const std::function<void(Item)>& take_item) {
  const auto show = [&]() -> Result<void> {
    BASCULE_ASSIGN(video::ReaderOptions options, reader_options(run.values));
    options.stride = static_cast<std::uint64_t>(run.values.integer("vid_stride"));
    BASCULE_ASSIGN(serving::NextFrame next, open_frames(std::move(video), std::move(options), {}, run.clock));
    std::size_t frame = 0;
    BASCULE_TRY(serving::infer_frames(
        {.service = service, .clock = run.clock, .ahead = std::min(run.width + 1, kMostAhead)},
        request_of(run), std::move(next), [&](serving::AnsweredFrame answered) {
          take_item({.file = file,
                     .frame = ++frame,
                     .picture = std::move(answered.picture),
                     .answer = std::move(answered.answer)});
          return true;
        }));
    return {};
  };
  if (auto shown = show(); !shown) take_item({.file = file, .answer = std::move(shown).error()});
}

int predict_all(serving::InferenceService& service, Run& run, const std::vector<std::string>& files) {
  std::unique_ptr<Saver> saver;
  if (run.values.has("save")) {
    std::error_code code;
    std::filesystem::create_directories(run.values.text("save"), code);
    if (code) {
      return fail(invalid_argument(fmt::format("--save: the folder '{}' cannot be made: {}.",
                                               run.values.text("save"), code.message())),
                  kFailed);
    }
    saver = std::make_unique<Saver>(run.values.text("save"));
  }
  std::unique_ptr<Printer> printer;
  if (run.values.flag("json")) {
    printer = std::make_unique<JsonPrinter>(static_cast<int>(run.values.integer("decimals")));
  } else {
    printer = std::make_unique<TablePrinter>();
  }
  std::deque<std::future<Item>> waiting;  // at most one more than run at once
  const auto take_item = [&](Item item) { take(std::move(item), run, *printer, saver.get()); };
  const auto take_waiting = [&](std::size_t left) {
    for (; waiting.size() > left; waiting.pop_front()) take_item(waiting.front().get());
  };
  for (const std::string& file : files) {
    Result<Input> input = read_input(file, run.clock);
    if (input && input->video.open()) {
      take_waiting(0);
      take_video(service, run, file, std::move(input->video), take_item);
    } else {
      waiting.push_back(ask(service, run, file, std::move(input)));
      take_waiting(run.width);
    }
  }
  take_waiting(0);
  printer->end();
  return run.failed ? kFailed : kOk;
}

}  // namespace

int predict(config::Parsed parsed) {
  config::Values& values = parsed.values;
  if (auto completed = complete_values(command("predict"), values); !completed)
    return fail(completed.error(), kUsage);
  const RowsRun rows{.json = values.flag("json"), .text = values.has("text") ? values.text("text") : ""};
  if (parsed.positionals.size() < 2 && (parsed.positionals.empty() || rows.text.empty())) {
    return fail(
        invalid_argument("Give a model and at least one picture, table or text. See: bascule predict --help"),
        kUsage);
  }
  const std::vector<std::string> words(parsed.positionals.begin() + 1, parsed.positionals.end());
  // Of a table the model decides what is done with it.
  const auto files = std::ranges::all_of(words, looks_like_rows) ? Result<std::vector<std::string>>(words)
                                                                 : expand_pictures(words);
  if (!files) return fail(files.error(), kFailed);

  // One picture: all cores on it. Many: a core each.
  const std::size_t cores = cores_asked(values);
  const std::size_t width = std::clamp<std::size_t>(files->size(), 1, cores);
  const SteadyClock clock;
  Run run{.values = values,
          .clock = clock,
          .width = width,
          .max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels"))};
  auto opened = LocalModel::open(
      parsed.positionals[0],
      {.max_pixels = run.max_pixels, .cores = cores, .width = width, .engines = engine_options(values)});
  if (!opened) return fail(opened.error(), kFailed);
  LocalModel& model = **opened;
  if (!model.takes_pictures() && model.info().rows != nullptr) {
    return predict_rows(model.service(), model.info(), rows, words);
  }
  run.options.confidence = values.number("conf");
  run.options.iou = values.number("iou");
  run.options.max_detections = static_cast<int>(values.integer("max_det"));
  for (const std::string& item : values.items("classes")) {
    run.options.classes.push_back(static_cast<int>(*text::parse_int(item)));
  }
  if (values.has("imgsz")) {
    const int size = static_cast<int>(values.integer("imgsz"));
    run.options.size = {.height = size, .width = size};
  }
  return predict_all(model.service(), run, *files);
}

}  // namespace bascule::app
