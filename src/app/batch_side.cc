#include "app/batch_side.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/batch_local.h"
#include "app/model_config.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "runs/record_file.h"
#include "runs/server_asker.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxKeyBytes = 4096;
constexpr std::string_view kKeyPrefix = "bascule_";
constexpr std::size_t kMostLanes = 1024;  // each is a thread

content::PredictOptions predict_options(const config::Values& values) {
  content::PredictOptions options;
  options.confidence = values.number("conf");
  options.iou = values.number("iou");
  options.max_detections = static_cast<int>(values.integer("max_det"));
  for (const std::string& item : values.items("classes")) {
    options.classes.push_back(static_cast<int>(*text::parse_int(item)));
  }
  if (values.has("imgsz")) {
    const int size = static_cast<int>(values.integer("imgsz"));
    options.size = {.height = size, .width = size};
  }
  return options;
}

Result<Side> open_local(const Asked& asked) {
  const std::size_t cores = cores_asked(asked.values);
  BASCULE_ASSIGN(
      std::unique_ptr<LocalModel> model,
      LocalModel::open(asked.model,
                       {.max_pixels = static_cast<std::uint64_t>(asked.values.integer("max_pixels")),
                        .cores = cores,
                        .width = cores,
                        .engines = engine_options(asked.values)}));
  const content::ModelInfo& info = model->info();
  Side side{.name = info.name, .pictures = model->takes_pictures(), .lanes = 2 * cores};
  if (!side.pictures && info.rows == nullptr) {
    return invalid_argument(
        fmt::format("Model '{}' takes tensors, and neither pictures nor rows; `bascule inspect {}` says what "
                    "is known of it.",
                    info.name, asked.model));
  }
  if (!side.pictures) {
    side.text = info.rows->is_text() && info.rows->columns.size() == 1;
    side.keeps_id = info.rows->named &&
                    std::ranges::any_of(info.rows->columns, [](const auto& one) { return one.name == "id"; });
    if (!info.batchable) side.block = std::max<std::size_t>(info.static_batch, 1);
  }
  std::error_code code;
  side.identity = asked.model;
  if (fs::is_regular_file(asked.model, code)) {
    BASCULE_ASSIGN(const std::string digest, file_digest(asked.model));
    side.identity += fmt::format(" (SHA-256 {}, {})", digest.substr(0, 16), info.backend);
  }
  side.asker = std::make_unique<LocalAsker>(*model, predict_options(asked.values),
                                            static_cast<int>(asked.values.integer("decimals")));
  side.model = std::move(model);
  return side;
}

// The fields of the form that a picture is sent with. What is as it would be anyway is left out, since not
// every server knows all of them.
std::vector<std::pair<std::string, std::string>> form_fields(const config::Values& values) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const char* name : {"conf", "iou", "imgsz", "max_det", "decimals"}) {
    const bool said = values.has(name) && values.source(name).origin != config::Origin::kDefault;
    if (said) fields.emplace_back(name, values.text(name));
  }
  if (const auto classes = values.items("classes"); !classes.empty()) {
    fields.emplace_back("classes", fmt::format("{}", fmt::join(classes, ",")));
  }
  return fields;
}

// The key in a file: alone, or in what `bascule key new` says on standard error.
Result<std::string> read_key(const config::Values& values) {
  if (!values.has("server_key")) return std::string();
  const std::string file = values.text("server_key");
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMaxKeyBytes));
  const std::string_view text =
      text::trimmed(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  if (const std::size_t at = text.find(kKeyPrefix); at != std::string_view::npos) {
    const std::size_t end = text.find_first_not_of("0123456789abcdef", at + kKeyPrefix.size());
    return std::string(text.substr(at, end - at));
  }
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; })) {
    return invalid_argument(fmt::format(
        "--server-key: '{}' holds no key; a key is one word, such as `bascule key new` prints.", file));
  }
  return std::string(text);
}

// What the model takes, as far as the names of the inputs tell it.
std::string guessed_kind(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const auto form = runs::record_form(word);
    if (form == runs::Form::kCsv) return "rows";
    if (form == runs::Form::kSentence && !word.starts_with('@')) return "text";
  }
  return "pictures";
}

Result<Side> open_servers(const Asked& asked, const Clock& clock) {
  const config::Values& values = asked.values;
  if (!valid_model_name(asked.model)) {
    return invalid_argument(
        fmt::format("With --server, MODEL is the model's name there; '{}' is none.", asked.model));
  }
  const std::vector<std::string> urls = values.items("server");
  const std::string takes = values.text("takes") == "auto" ? guessed_kind(asked.words) : values.text("takes");
  BASCULE_ASSIGN(std::string key, read_key(values));
  Side side{
      .name = asked.model,
      .identity = asked.model + " of a server",
      .pictures = takes == "pictures",
      .text = takes == "text",
      .lanes = std::min(urls.size() * static_cast<std::size_t>(values.integer("parallel")), kMostLanes)};
  BASCULE_ASSIGN(side.asker, runs::ServerAsker::open(
                                 {.urls = urls,
                                  .model = asked.model,
                                  .key = std::move(key),
                                  .fields = form_fields(values),
                                  .give_up_after = std::chrono::seconds(values.integer("give_up_after")),
                                  .stop = asked.stop},
                                 clock));
  return side;
}

}  // namespace

Result<Side> open_side(const Asked& asked, const Clock& clock) {
  return asked.values.has("server") ? open_servers(asked, clock) : open_local(asked);
}

}  // namespace bascule::app
