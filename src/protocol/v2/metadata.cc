#include "base/text.h"
#include "protocol/json.h"
#include "protocol/v2/names.h"
#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

template <class Range, class Append>
void append_list(std::string& out, const Range& range, const Append& append) {
  out += '[';
  bool first = true;
  for (const auto& item : range) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

void append_strings(std::string& out, const std::vector<std::string>& values) {
  append_list(out, values, [&](const std::string& value) { text::append_json_quoted(out, value); });
}

void append_specs(std::string& out, const std::vector<tensor::TensorSpec>& specs) {
  append_list(out, specs, [&](const tensor::TensorSpec& spec) {
    out += R"({"name":)";
    text::append_json_quoted(out, spec.name);
    out += R"(,"datatype":")";
    out += to_string(spec.type);
    out += R"(","shape":)";
    append_list(out, spec.shape, [&](std::int64_t dimension) { append_number(out, dimension); });
    out += '}';
  });
}

}  // namespace

std::string write_server_metadata(std::string_view name, std::string_view version, bool shared_memory) {
  std::string out = R"({"name":)";
  text::append_json_quoted(out, name);
  out += R"(,"version":)";
  text::append_json_quoted(out, version);
  out += R"(,"extensions":)";
  append_list(out, extensions(shared_memory),
              [&](std::string_view extension) { text::append_json_quoted(out, extension); });
  out += '}';
  return out;
}

std::string write_model_metadata(const content::ModelInfo& model, const std::vector<std::string>& versions) {
  std::string out = R"({"name":)";
  text::append_json_quoted(out, model.name);
  out += R"(,"versions":)";
  append_strings(out, versions);
  out += R"(,"platform":)";
  text::append_json_quoted(out, platform_name(model));
  out += R"(,"inputs":)";
  append_specs(out, model.inputs);
  out += R"(,"outputs":)";
  append_specs(out, model.outputs);
  out += '}';
  return out;
}

std::string write_live() { return R"({"live":true})"; }

std::string write_ready(const Result<void>& ready) {
  if (ready) return R"({"ready":true})";
  std::string out = R"({"ready":false,"error":)";
  text::append_json_quoted(out, ready.error().message);
  out += '}';
  return out;
}

std::string write_model_ready(std::string_view name, const Result<void>& ready) {
  std::string out = R"({"name":)";
  text::append_json_quoted(out, name);
  out += ',';
  out += write_ready(ready).substr(1);
  return out;
}

std::string write_model_list(const std::vector<std::string>& names) {
  std::string out = R"({"models":)";
  append_strings(out, names);
  out += '}';
  return out;
}

}  // namespace bascule::protocol::v2
