#pragma once

#include <string>

#include "base/result.h"
#include "content/infer.h"
#include "content/model_info.h"
#include "protocol/body.h"

// The generate extension: one flat JSON object in, one out. Source: Triton, extension_generate.md.
namespace bascule::protocol::v2 {

// Thread-safety: a value.
struct GenerateCall {
  content::InferRequest request;  // model and version are the caller's to set
  bool text = false;              // the answer is `text_output` alone; else every output by its name
};

// POST /v2/models/{m}[/versions/{v}]/generate and generate_stream. Members of the request, and of its
// "parameters", that are called as inputs of `model` are their values: one, or a flat array of them. Where
// none is, "text_input" is the value of the model's only text input, and the model must have one text output.
// Other members must be a string, a number or a boolean, and no model sees them. Errors: kInvalidArgument,
// with what the model has where it does not fit.
Result<GenerateCall> parse_generate(const RequestBody& body, const content::ModelInfo& model);

// {"id":"…","model_name":"…","model_version":"…","text_output":"…"}, or the outputs by their names: one
// value, or a flat array. Errors: as append_json_tensor.
Result<std::string> write_generate(const content::InferResponse& response, bool text);

// The same as one event of a stream (text/event-stream).
[[nodiscard]] std::string event_of(std::string_view json);

}  // namespace bascule::protocol::v2
