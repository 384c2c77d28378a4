#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "content/infer.h"
#include "content/model_info.h"
#include "content/shared_region.h"
#include "content/statistics.h"
#include "protocol/body.h"

// The Open Inference Protocol, version 2, over REST, with the binary tensor extension.
// Source: open-inference-protocol, specification/protocol/inference_rest.md; Triton,
// extension_binary_data.md, extension_model_repository.md.
namespace bascule::protocol::v2 {

// One requested output, or none named: all of them.
struct OutputChoice {
  std::string name;
  bool binary = false;
  std::size_t classes = 0;                    // of the classification extension; 0: the values themselves
  std::optional<content::SharedPart> shared;  // where its bytes are to go, instead of into the answer
};

// An input whose bytes lie in shared memory; until read_shared it has none.
struct SharedInput {
  std::size_t index = 0;  // in InferRequest::inputs
  content::SharedPart part;
};

// A parsed infer request and how its answer is to be written.
struct InferCall {
  content::InferRequest request;      // model and version are the route's, set by the caller
  std::vector<OutputChoice> outputs;  // as the request named them; empty: all
  std::vector<SharedInput> shared_inputs;
  bool binary_outputs = false;      // `binary_data_output`: for outputs not named
  std::optional<Duration> timeout;  // `timeout`, in microseconds; 0 and absent: none
};

// `header_length`: the value of Inference-Header-Content-Length, absent for a pure JSON body. Tensors of the
// binary extension stay in the body where they are aligned for their type, else they are copied.
// Values given as JSON are read strictly: numbers in the datatype's range, integers without fraction,
// booleans as true and false or 1 and 0, BYTES as strings; flat or nested row-major data whose count is the
// shape's; NaN and Infinity are refused with a pointer to binary data, FP16 and BF16 likewise. Every value is
// visited, unknown members too; nesting beyond kMaxJsonDepth, duplicate members that matter, and anything
// after the end are errors. Errors: kInvalidArgument with a Reason, and a message that says where (input
// name, index, byte).
Result<InferCall> parse_infer(const RequestBody& body, std::optional<std::size_t> header_length);

// The raw form (Inference-Header-Content-Length: 0): the whole body is the model's only input, batch 1, at
// most one dimension open, BYTES as one element; all outputs come back binary.
Result<InferCall> parse_raw_infer(const RequestBody& body, const content::ModelInfo& model);

// The answer in the form the call asked for. FP16 and BF16 outputs that were not asked for as binary are an
// error that says how to ask.
Result<ReplyBody> write_infer(const content::InferResponse& response, const InferCall& call);
// The parts of `call` that write_infer needs, so that the request itself can be moved away.
struct ReplyChoice {
  std::vector<OutputChoice> outputs;
  bool binary_outputs = false;
};
Result<ReplyBody> write_infer(const content::InferResponse& response, const ReplyChoice& choice);

// GET /v2
[[nodiscard]] std::string write_server_metadata(std::string_view name, std::string_view version,
                                                bool shared_memory = false);
// GET /v2/models/{m}[/versions/{v}]; `versions`: all that are loaded.
[[nodiscard]] std::string write_model_metadata(const content::ModelInfo& model,
                                               const std::vector<std::string>& versions);
// {"live":true} / {"ready":true|false[,"error":"…"]}
[[nodiscard]] std::string write_live();
[[nodiscard]] std::string write_ready(const Result<void>& ready);
// GET /v2/models/{m}/ready: {"name":"m","ready":true|false[,"error":"…"]}
[[nodiscard]] std::string write_model_ready(std::string_view name, const Result<void>& ready);
// GET /v2/models, KServe's listing: {"models":["a","b"]}.
[[nodiscard]] std::string write_model_list(const std::vector<std::string>& names);
// GET /v2/models/stats and /v2/models/{m}[/versions/{v}]/stats: Triton's statistics extension
// (extension_statistics.md). Every model here has one response per request, and there is no cache.
[[nodiscard]] std::string write_statistics(const std::vector<content::ModelStatistics>& models);

// POST /v2/repository/index: whether only models that are ready are asked for. An empty body asks for all.
// Errors: kInvalidArgument.
Result<bool> parse_index_request(const RequestBody& body);
// [{"name":"m","version":"1","state":"READY"|"LOADING"|"UNAVAILABLE","reason":"…"}]
[[nodiscard]] std::string write_index(const std::vector<content::ModelStatus>& models, bool ready_only);
// POST /v2/repository/models/{m}/unload: checks that nothing is asked for that is not done. An
// empty body is fine, and so is the parameter "unload_dependents", since no model depends on another. Errors:
// kInvalidArgument for other parameters.
Result<void> check_control_request(const RequestBody& body);

}  // namespace bascule::protocol::v2
