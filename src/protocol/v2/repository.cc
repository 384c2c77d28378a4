#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/v2/names.h"
#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

constexpr std::string_view kWhat = "the request";

std::string_view text_of(const RequestBody& body) {
  return {reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size()};
}

bool check_parameter(JsonReader& json) {
  const std::string_view name = json.key();
  if (name == "unload_dependents") {
    bool ignored = false;
    return json.read_bool(ignored);
  }
  return json.fail(unknown_control_parameter(name));
}

bool check_parameters(JsonReader& json) {
  if (!json.begin_object()) return false;
  bool more = false;
  while (json.next_member(more) && more) {
    if (!check_parameter(json)) return false;
  }
  return !json.failed();
}

}  // namespace

Result<bool> parse_index_request(const RequestBody& body) {
  const std::string_view text = text_of(body);
  if (text.empty()) return false;
  BASCULE_TRY(check_utf8(text, kWhat));
  JsonReader json(text, kWhat);
  bool ready = false;
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    if (!(json.key() == "ready" ? json.read_bool(ready) : json.skip_value())) break;
  }
  if (json.failed() || !json.finish()) return json.error();
  return ready;
}

std::string write_index(const std::vector<content::ModelStatus>& models, bool ready_only) {
  std::string out = "[";
  for (const content::ModelStatus& model : models) {
    if (ready_only && model.state != content::ModelState::kReady) continue;
    if (out.size() > 1) out += ',';
    out += R"({"name":)";
    text::append_json_quoted(out, model.name);
    out += R"(,"version":)";
    text::append_json_quoted(out, model.version);
    out += R"(,"state":")";
    out += state_name(model.state);
    out += R"(","reason":)";
    text::append_json_quoted(out, model.reason);
    out += '}';
  }
  out += ']';
  return out;
}

Result<void> check_control_request(const RequestBody& body) {
  const std::string_view text = text_of(body);
  if (text.empty()) return {};
  BASCULE_TRY(check_utf8(text, kWhat));
  JsonReader json(text, kWhat);
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    if (!(json.key() == "parameters" ? check_parameters(json) : json.skip_value())) break;
  }
  if (json.failed() || !json.finish()) return json.error();
  return {};
}

}  // namespace bascule::protocol::v2
