#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "content/infer.h"
#include "content/model_info.h"
#include "content/statistics.h"
#include "protocol/body.h"
#include "protocol/v2/v2.h"

// The Open Inference Protocol, version 2, over gRPC, with Triton's extensions: messages as bytes, so that who
// carries them needs to know nothing of them.
// Source: open-inference-protocol, specification/protocol/open_inference_grpc.proto; Triton's
// grpc_service.proto, whose definitions scripts/setup.sh brings.
namespace bascule::protocol::v2 {

// ModelInferRequest. The bytes of `raw_input_contents` stay in the message where they are aligned for their
// type; all else is small. `request.model` and `version` are the message's. Errors: kInvalidArgument with a
// message that names the input: no such message, typed and raw contents mixed or not as many as inputs,
// unknown datatypes, bytes or values that are not as many as the shape says; kPayloadTooLarge where what is
// not raw has more than `limit` bytes, since it is copied and grows by it.
Result<InferCall> parse_infer_message(const RequestBody& message, std::size_t limit);

// ModelInferResponse; every output is raw, its bytes stay in the tensors' memory, or where `choice` says that
// they were put. Errors: of classify; kPayloadTooLarge.
Result<ReplyBody> write_infer_message(const content::InferResponse& response, const ReplyChoice& choice = {});
// ModelStreamInferResponse around what write_infer_message gave, or around an error and the id it belongs to.
[[nodiscard]] ReplyBody wrap_stream_reply(ReplyBody message);
[[nodiscard]] ReplyBody write_stream_error(const Error& error, std::string_view id);

// What a request of the smaller calls asks for; what such a message has not stays empty.
struct NamedCall {
  std::string model;
  std::string version;
};
// ModelReadyRequest, ModelMetadataRequest, ModelConfigRequest, ModelStatisticsRequest, and the
// HealthCheckRequest of grpc.health.v1, whose service is `model`: alike on the wire.
Result<NamedCall> parse_named_message(const RequestBody& message);
// RepositoryIndexRequest: whether only models that are ready are asked for.
Result<bool> parse_index_message(const RequestBody& message);
// RepositoryModelUnloadRequest: the model's name. Errors: as check_control_request.
Result<std::string> parse_unload_message(const RequestBody& message);

// ServerLiveResponse, ServerReadyResponse and ModelReadyResponse: alike on the wire.
[[nodiscard]] std::string write_flag_message(bool value);
[[nodiscard]] std::string write_server_metadata_message(std::string_view name, std::string_view version,
                                                        bool shared_memory = false);
[[nodiscard]] std::string write_model_metadata_message(const content::ModelInfo& model,
                                                       const std::vector<std::string>& versions);
[[nodiscard]] std::string write_statistics_message(const std::vector<content::ModelStatistics>& models);
[[nodiscard]] std::string write_index_message(const std::vector<content::ModelStatus>& models,
                                              bool ready_only);

}  // namespace bascule::protocol::v2
