#include "base/text.h"
#include "protocol/json.h"
#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

void append_count(std::string& out, std::string_view key, std::uint64_t value) {
  out += '"';
  out += key;
  out += R"(":)";
  append_number(out, value);
}

// "key":{"count":n,"ns":n}
void append_total(std::string& out, std::string_view key, const content::DurationTotal& total) {
  out += '"';
  out += key;
  out += R"(":{)";
  append_count(out, "count", total.count);
  out += ',';
  append_count(out, "ns", static_cast<std::uint64_t>(total.time.count()));
  out += '}';
}

void append_batch(std::string& out, const content::BatchStatistics& batch) {
  out += '{';
  append_count(out, "batch_size", batch.batch_size);
  out += ',';
  append_total(out, "compute_input", batch.prepare);
  out += ',';
  append_total(out, "compute_infer", batch.run);
  out += ',';
  append_total(out, "compute_output", batch.finish);
  out += '}';
}

void append_model(std::string& out, const content::ModelStatistics& model) {
  out += R"({"name":)";
  text::append_json_quoted(out, model.name);
  out += R"(,"version":)";
  text::append_json_quoted(out, model.version);
  out += ',';
  append_count(out, "last_inference", static_cast<std::uint64_t>(model.last_inference.count()));
  out += ',';
  append_count(out, "inference_count", model.inference_count);
  out += ',';
  append_count(out, "execution_count", model.execution_count);
  out += R"(,"inference_stats":{)";
  // There is no response cache: its two members are there, and stay 0.
  const std::pair<std::string_view, content::DurationTotal> totals[] = {{"success", model.success},
                                                                        {"fail", model.fail},
                                                                        {"queue", model.queue},
                                                                        {"compute_input", model.prepare},
                                                                        {"compute_infer", model.run},
                                                                        {"compute_output", model.finish},
                                                                        {"cache_hit", {}},
                                                                        {"cache_miss", {}}};
  bool first = true;
  for (const auto& [key, total] : totals) {
    if (!first) out += ',';
    first = false;
    append_total(out, key, total);
  }
  out += R"(},"response_stats":{},"batch_stats":[)";
  first = true;
  for (const content::BatchStatistics& batch : model.batches) {
    if (!first) out += ',';
    first = false;
    append_batch(out, batch);
  }
  out += R"(],"memory_usage":[)";
  if (model.memory_bytes > 0) {
    out += R"({"type":"CPU","id":0,)";
    append_count(out, "byte_size", model.memory_bytes);
    out += '}';
  }
  out += "]}";
}

}  // namespace

std::string write_statistics(const std::vector<content::ModelStatistics>& models) {
  std::string out = R"({"model_stats":[)";
  bool first = true;
  for (const content::ModelStatistics& model : models) {
    if (!first) out += ',';
    first = false;
    append_model(out, model);
  }
  out += "]}";
  return out;
}

}  // namespace bascule::protocol::v2
