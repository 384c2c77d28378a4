#include "tuning/candidate.h"

#include <utility>

#include <fmt/format.h>

#include "backend/backend.h"

namespace bascule::tuning {

std::string describe(const Candidate& candidate) {
  std::string out =
      fmt::format("{} {}, {} x {} thread{}", candidate.engine, backend::precision_name(candidate.precision),
                  candidate.instances, candidate.threads, candidate.threads == 1 ? "" : "s");
  if (candidate.max_batch_size > 0) out += fmt::format(", batch {}", candidate.max_batch_size);
  if (candidate.letterbox == content::LetterboxShape::kSquare) out += ", square";
  if (candidate.decode == content::DecodeMode::kFast) out += ", decode fast";
  if (!candidate.shapes.empty()) out += ", fixed shapes";
  return out;
}

int lone_threads(const Candidate& candidate) {
  return candidate.threads > 1 ? candidate.threads : static_cast<int>(candidate.instances);
}

content::ModelSettings with(content::ModelSettings settings, const Candidate& candidate) {
  settings.engine = candidate.engine;
  settings.precision = candidate.precision;
  settings.instances = candidate.instances;
  settings.threads = candidate.threads;
  settings.lone_threads = 1;  // what is measured has an instance for each core
  settings.max_batch_size = candidate.max_batch_size;
  settings.letterbox = candidate.letterbox;
  settings.decode = candidate.decode;
  settings.shapes = candidate.shapes;
  return settings;
}

}  // namespace bascule::tuning
