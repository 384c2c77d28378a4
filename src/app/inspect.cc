#include <cstdio>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/commands.h"
#include "backend/onnxruntime/onnxruntime_backend.h"
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
       .value = fmt::format("{} {}", model.backend, backend::onnxruntime_version()),
       .origin = "file extension"},
  };
  facts.insert(facts.end(), model.facts.begin(), model.facts.end());
  return facts;
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

}  // namespace

int inspect(config::Parsed parsed) {
  if (auto completed = complete_values(command("inspect"), parsed.values); !completed) {
    return fail(completed.error(), kUsage);
  }
  const auto backend = backend::make_onnxruntime_backend();
  std::vector<catalog::ModelPath> paths;
  for (const std::string& path : parsed.positionals) paths.push_back({.path = path});
  const auto sources = catalog::find_models(paths, *backend);
  if (!sources) return fail(sources.error(), kFailed);
  int exit_code = kOk;
  const SteadyClock clock;
  for (const catalog::ModelSource& source : *sources) {
    const auto model = catalog::load_model(source, *backend, {}, clock);
    if (!model) {
      exit_code = fail(model.error(), kFailed);
      continue;
    }
    std::vector<content::Fact> facts = facts_of(*(*model)->info);
    if (!source.note.empty()) facts.push_back({.name = "note", .value = source.note, .origin = "disk"});
    if (parsed.values.flag("json")) {
      print_json(facts);
    } else {
      print_table(facts);
    }
    if (&source != &sources->back()) fmt::print("\n");
  }
  return exit_code;
}

}  // namespace bascule::app
