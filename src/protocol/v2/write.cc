#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json.h"
#include "protocol/v2/classification.h"
#include "protocol/v2/json_tensor.h"
#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

// The output lies in shared memory: where, and how much of it.
void append_place(std::string& out, const content::SharedPart& part, std::size_t size) {
  out += R"(,"parameters":{"shared_memory_region":)";
  text::append_json_quoted(out, part.region);
  if (part.offset != 0) {
    out += R"(,"shared_memory_offset":)";
    append_number(out, part.offset);
  }
  out += R"(,"shared_memory_byte_size":)";
  append_number(out, std::uint64_t{size});
  out += '}';
}

Result<void> append_output(ReplyBody& reply, const content::InferResponse& response,
                           const tensor::NamedTensor& output, const OutputChoice& choice) {
  std::string& out = reply.head;
  tensor::Tensor tensor = output.tensor;
  if (choice.classes > 0 && response.model != nullptr) {
    BASCULE_ASSIGN(tensor, classify(output.tensor, choice.classes, output.name, *response.model));
  }
  BASCULE_ASSIGN(const std::size_t bytes,
                 tensor::byte_count(tensor.shape, tensor::element_size(tensor.type)));
  if (tensor.type != tensor::DataType::kString && bytes != tensor.bytes.size()) {
    return internal_error(fmt::format("Output '{}' has {} bytes; its shape {} needs {}.", output.name,
                                      tensor.bytes.size(), tensor::to_string(tensor.shape), bytes));
  }
  out += R"({"name":)";
  text::append_json_quoted(out, output.name);
  out += R"(,"datatype":")";
  out += to_string(tensor.type);
  out += R"(","shape":)";
  out += '[';
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i != 0) out += ',';
    append_number(out, tensor.shape[i]);
  }
  out += ']';
  if (choice.shared) {
    append_place(out, *choice.shared, tensor.bytes.size());
  } else if (choice.binary) {
    out += R"(,"parameters":{"binary_data_size":)";
    append_number(out, std::uint64_t{tensor.bytes.size()});
    out += '}';
    reply.binary = true;
    reply.parts.push_back(tensor.bytes);
    reply.owners.push_back(tensor.owner);
  } else {
    out += R"(,"data":)";
    BASCULE_TRY(append_json_tensor(out, tensor, output.name));
  }
  out += '}';
  return {};
}

Result<ReplyBody> write(const content::InferResponse& response, const std::vector<OutputChoice>& outputs,
                        bool binary_outputs) {
  ReplyBody reply;
  std::string& out = reply.head;
  out.reserve(256);
  out += '{';
  if (response.model != nullptr) {
    out += R"("model_name":)";
    text::append_json_quoted(out, response.model->name);
    out += R"(,"model_version":)";
    text::append_json_quoted(out, response.model->version);
    out += ',';
  }
  if (!response.id.empty()) {
    out += R"("id":)";
    text::append_json_quoted(out, response.id);
    out += ',';
  }
  out += R"("outputs":[)";
  bool first = true;
  for (const tensor::NamedTensor& output : response.outputs) {
    if (!first) out += ',';
    first = false;
    const auto named = std::ranges::find(outputs, output.name, &OutputChoice::name);
    BASCULE_TRY(append_output(reply, response, output,
                              named != outputs.end() ? *named : OutputChoice{.binary = binary_outputs}));
  }
  out += "]}";
  return reply;
}

}  // namespace

Result<ReplyBody> write_infer(const content::InferResponse& response, const InferCall& call) {
  return write(response, call.outputs, call.binary_outputs);
}

Result<ReplyBody> write_infer(const content::InferResponse& response, const ReplyChoice& choice) {
  return write(response, choice.outputs, choice.binary_outputs);
}

}  // namespace bascule::protocol::v2
