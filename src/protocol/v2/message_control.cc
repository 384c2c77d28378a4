#include <grpc_service.pb.h>

#include "base/text.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/names.h"
#include "protocol/v2/small_message.h"

namespace bascule::protocol::v2 {
namespace {

template <class Parameters>
Result<void> check_parameters(const Parameters& parameters) {
  for (const auto& [key, value] : parameters) {
    if (key == "unload_dependents") continue;
    return unknown_control_parameter(key);
  }
  return {};
}

void fill(inference::ModelMetadataResponse::TensorMetadata& wire, const tensor::TensorSpec& spec) {
  wire.set_name(spec.name);
  wire.set_datatype(std::string(to_string(spec.type)));
  wire.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
}

void fill(inference::StatisticDuration& wire, const content::DurationTotal& total) {
  wire.set_count(total.count);
  wire.set_ns(static_cast<std::uint64_t>(total.time.count()));
}

void fill(inference::ModelStatistics& wire, const content::ModelStatistics& model) {
  wire.set_name(model.name);
  wire.set_version(model.version);
  wire.set_last_inference(static_cast<std::uint64_t>(model.last_inference.count()));
  wire.set_inference_count(model.inference_count);
  wire.set_execution_count(model.execution_count);
  auto& stats = *wire.mutable_inference_stats();
  fill(*stats.mutable_success(), model.success);
  fill(*stats.mutable_fail(), model.fail);
  fill(*stats.mutable_queue(), model.queue);
  fill(*stats.mutable_compute_input(), model.prepare);
  fill(*stats.mutable_compute_infer(), model.run);
  fill(*stats.mutable_compute_output(), model.finish);
  // There is no response cache: its two members are there, and stay 0.
  fill(*stats.mutable_cache_hit(), {});
  fill(*stats.mutable_cache_miss(), {});
  for (const content::BatchStatistics& batch : model.batches) {
    auto& out = *wire.add_batch_stats();
    out.set_batch_size(batch.batch_size);
    fill(*out.mutable_compute_input(), batch.prepare);
    fill(*out.mutable_compute_infer(), batch.run);
    fill(*out.mutable_compute_output(), batch.finish);
  }
}

}  // namespace

Result<NamedCall> parse_named_message(const RequestBody& message) {
  BASCULE_ASSIGN(const auto wire, read_small_message<inference::ModelReadyRequest>(message));
  return NamedCall{.model = wire.name(), .version = wire.version()};
}

Result<bool> parse_index_message(const RequestBody& message) {
  BASCULE_ASSIGN(const auto wire, read_small_message<inference::RepositoryIndexRequest>(message));
  return wire.ready();
}

Result<std::string> parse_unload_message(const RequestBody& message) {
  BASCULE_ASSIGN(const auto wire, read_small_message<inference::RepositoryModelUnloadRequest>(message));
  BASCULE_TRY(check_parameters(wire.parameters()));
  return wire.model_name();
}

std::string write_flag_message(bool value) {
  inference::ServerReadyResponse wire;
  wire.set_ready(value);
  return wire.SerializeAsString();
}

std::string write_server_metadata_message(std::string_view name, std::string_view version,
                                          bool shared_memory) {
  inference::ServerMetadataResponse wire;
  wire.set_name(std::string(name));
  wire.set_version(std::string(version));
  for (const std::string_view extension : extensions(shared_memory))
    wire.add_extensions(std::string(extension));
  return wire.SerializeAsString();
}

std::string write_model_metadata_message(const content::ModelInfo& model,
                                         const std::vector<std::string>& versions) {
  inference::ModelMetadataResponse wire;
  wire.set_name(model.name);
  for (const std::string& version : versions) wire.add_versions(version);
  wire.set_platform(platform_name(model));
  for (const tensor::TensorSpec& spec : model.inputs) fill(*wire.add_inputs(), spec);
  for (const tensor::TensorSpec& spec : model.outputs) fill(*wire.add_outputs(), spec);
  return wire.SerializeAsString();
}

std::string write_statistics_message(const std::vector<content::ModelStatistics>& models) {
  inference::ModelStatisticsResponse wire;
  for (const content::ModelStatistics& model : models) fill(*wire.add_model_stats(), model);
  return wire.SerializeAsString();
}

std::string write_index_message(const std::vector<content::ModelStatus>& models, bool ready_only) {
  inference::RepositoryIndexResponse wire;
  for (const content::ModelStatus& model : models) {
    if (ready_only && model.state != content::ModelState::kReady) continue;
    auto& out = *wire.add_models();
    out.set_name(model.name);
    out.set_version(model.version);
    out.set_state(std::string(state_name(model.state)));
    out.set_reason(model.reason);
  }
  return wire.SerializeAsString();
}

}  // namespace bascule::protocol::v2
