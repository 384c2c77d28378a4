#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands.h"
#include "app/model_config.h"
#include "app/model_settings.h"
#include "app/options.h"
#include "base/clock.h"
#include "base/text.h"
#include "catalog/loader.h"
#include "catalog/source.h"

namespace bascule::app {
namespace {

std::vector<content::Fact> facts_of(const content::ModelInfo& model) {
  std::vector<content::Fact> facts = {
      {.name = "name", .value = model.name, .origin = "file name"},
      {.name = "file",
       .value = fmt::format("{}, {}", model.file, text::human_bytes(model.file_bytes)),
       .origin = "disk"},
      {.name = "engine",
       .value =
           model.format.empty() ? model.backend : fmt::format("{} {}", model.backend, model.backend_version),
       .origin = model.format.empty() ? model.config->origin : "file extension"},
  };
  facts.insert(facts.end(), model.facts.begin(), model.facts.end());
  return facts;
}

// How the model would be served. Unless `all`, what only describes a model is left out where no one said it.
std::vector<content::Fact> facts_of(const ReadSettings& read, bool all) {
  std::vector<content::Fact> facts;
  for (const config::Option& option : tables().model) {
    if (!all && option.one_model_only && read.values.source(option.name).origin == config::Origin::kDefault &&
        option.name != "warm_up") {
      continue;
    }
    std::string value = fmt::format("{}", fmt::join(read.values.items(option.name), ", "));
    if (option.name == "threads" && value == "auto") value = fmt::format("auto: {}", read.settings.threads);
    if (option.name == "lone_threads" && value == "auto") {
      value = fmt::format("auto: {}", read.settings.lone_threads);
    }
    facts.push_back({.name = option.name,
                     .value = value.empty() ? "none" : std::move(value),
                     .origin = read.values.source(option.name).place});
  }
  return facts;
}

// The models that were named, as the server would find them: one that stands in the `models:` list of
// --config has its name and its entry there. All of that list where none was named.
Result<std::vector<catalog::ModelSource>> sources_of(const std::vector<std::string>& named,
                                                     const std::vector<catalog::ModelPath>& listed,
                                                     const backend::Backend& backend) {
  const catalog::Look look{.read_config = config_reader(false), .read_ensemble = ensemble_reader()};
  if (named.empty()) return catalog::find_models(listed, backend, look);
  std::vector<catalog::ModelPath> paths;
  for (const std::string& path : named) paths.push_back({.path = path});
  BASCULE_ASSIGN(std::vector<catalog::ModelSource> sources, catalog::find_models(paths, backend, look));
  const catalog::Found in_list = catalog::scan_models(listed,
                                                      {.versions = {.latest = 0},
                                                       .versions_win = true,
                                                       .read_config = look.read_config,
                                                       .read_ensemble = look.read_ensemble},
                                                      backend);
  for (catalog::ModelSource& source : sources) {
    const auto found = std::ranges::find_if(in_list.sources, [&](const catalog::ModelSource& other) {
      std::error_code code;
      return std::filesystem::equivalent(source.file, other.file, code);
    });
    if (found == in_list.sources.end()) {
      source.given = listed.size();
    } else {
      source = *found;
    }
  }
  return sources;
}

void print_table(const std::vector<content::Fact>& facts) {
  std::size_t name_width = 0;
  for (const content::Fact& fact : facts) name_width = std::max(name_width, fact.name.size());
  for (const content::Fact& fact : facts) {
    fmt::print("{:<{}}  {}  ({})\n", fact.name, name_width, text::escape_controls(fact.value),
               text::escape_controls(fact.origin));
  }
}

void print_json(const std::vector<content::Fact>& facts) {
  std::string out = "[";
  for (const content::Fact& fact : facts) {
    fmt::format_to(std::back_inserter(out), "{}\n{{\"name\":{},\"value\":{},\"origin\":{}}}",
                   out.size() > 1 ? "," : "", text::json_quoted(fact.name), text::json_quoted(fact.value),
                   text::json_quoted(fact.origin));
  }
  fmt::print("{}\n]\n", out);
}

// What is told of one model.
struct Report {
  std::vector<content::Fact> facts;
  std::string proposal;
};

Result<Report> inspect_one(const catalog::ModelSource& source, const SettingsReader& reader,
                           const Engines& engines, const Clock& clock, bool all) {
  BASCULE_ASSIGN(const ReadSettings read, reader.read(source));
  content::ModelSettings settings = read.settings;
  settings.lone_threads = 1;  // nothing is asked
  BASCULE_ASSIGN(const catalog::Handle model,
                 catalog::load_model(source, engines.of(source),
                                     {.settings = std::move(settings), .read_sample = read_sample}, clock));
  Report report{.facts = facts_of(*model->info), .proposal = model->info->proposal};
  std::vector<content::Fact>& facts = report.facts;
  if (!source.note.empty()) facts.push_back({.name = "note", .value = source.note, .origin = "disk"});
  std::ranges::move(facts_of(read, all), std::back_inserter(facts));
  return report;
}

}  // namespace

int inspect(config::Parsed parsed) {
  const auto entries = complete_values(command("inspect"), parsed.values);
  if (!entries) return fail(entries.error(), kUsage);
  std::vector<catalog::ModelPath> listed;
  std::vector<config::Values> said;
  const std::filesystem::path folder = config_folder(parsed.values);
  for (const config::ModelEntry& entry : *entries) {
    listed.push_back({.path = folder / entry.path, .name = entry.name});
    said.push_back(entry.values);
  }
  if (listed.empty() && parsed.positionals.empty()) {
    return fail(invalid_argument("No model was given. Try: bascule inspect MODEL.onnx"), kUsage);
  }
  const Engines engines(engine_options(parsed.values));
  const auto sources = sources_of(parsed.positionals, listed, engines.of_files());
  if (!sources) return fail(sources.error(), kFailed);
  const SettingsReader reader(parsed.values, std::move(said), folder);
  int exit_code = kOk;
  const ThreadTimeClock clock;  // as the server measures
  for (const catalog::ModelSource& source : *sources) {
    auto report = inspect_one(source, reader, engines, clock, parsed.values.flag("json"));
    if (!report) {
      exit_code = fail(report.error(), kFailed);
      continue;
    }
    if (parsed.values.flag("json")) {
      if (!report->proposal.empty()) {
        report->facts.push_back(
            {.name = "proposal", .value = report->proposal, .origin = "shapes and names"});
      }
      print_json(report->facts);
    } else {
      print_table(report->facts);
      if (!report->proposal.empty()) {
        fmt::print("\nMore can be made of it by a file {}.yaml beside it, filled in:\n\n{}",
                   source.file.stem().string(), report->proposal);
      }
    }
    if (&source != &sources->back()) fmt::print("\n");
  }
  return exit_code;
}

}  // namespace bascule::app
