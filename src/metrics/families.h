#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "metrics/metrics.h"
#include "metrics/request_stats.h"

namespace bascule::metrics {

// Snapshots as families of the exposition.
using Families = std::vector<prometheus::MetricFamily>;

// Requests, their stages and errors, by model, version and dialect.
void append_requests(Families& out, const std::vector<SeriesCounts>& all);
// The same counts under Triton's names, by model and version; a version that is ready shows its zeros.
void append_triton(Families& out, const std::vector<SeriesCounts>& all, const std::vector<ModelNow>& models);
// What is loaded.
void append_models(Families& out, const std::vector<ModelNow>& models);
// What applications do.
void append_applications(Families& out, const std::vector<ApplicationNow>& applications);
// This process, under the names that Prometheus' own clients use.
void append_process(Families& out);

}  // namespace bascule::metrics
