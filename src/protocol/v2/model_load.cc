#include "protocol/v2/model_load.h"

#include <grpc_service.pb.h>

#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/base64.h"
#include "protocol/json_reader.h"
#include "protocol/v2/model_config.h"
#include "protocol/v2/names.h"

namespace bascule::protocol::v2 {
namespace {

constexpr std::string_view kWhat = "the request";
constexpr std::string_view kOrigin = "the config parameter";
constexpr std::string_view kFile = "file:";
constexpr std::size_t kMaxFiles = 256;

Error failed(const std::string& model, Error error) {
  error.reason = Reason::kLoadFailed;
  error.fields = {.name = text::shortened(text::escape_controls(model))};
  return error;
}

// The parameters of a request as they come.
class Parameters {
 public:
  Result<void> set_config(std::string_view json) {
    if (config_ != nullptr) return invalid_argument("The parameter 'config' is given twice.");
    BASCULE_ASSIGN(content::ModelConfig config, parse_model_config_json(json, kOrigin));
    config_ = std::make_shared<const content::ModelConfig>(std::move(config));
    return {};
  }

  Result<void> add_file(std::string_view name, std::string bytes) {
    if (files_.size() == kMaxFiles) {
      return invalid_argument(fmt::format("More than {} files are given, the limit.", kMaxFiles));
    }
    files_.push_back({.path = std::string(name.substr(kFile.size())), .bytes = std::move(bytes)});
    return {};
  }

  Result<std::shared_ptr<const content::LoadOverride>> finish() {
    if (config_ == nullptr && files_.empty()) return nullptr;
    if (config_ == nullptr) {
      return invalid_argument(
          "Files are given without the parameter 'config', which says what they are; '{}' will do.");
    }
    return std::make_shared<const content::LoadOverride>(
        content::LoadOverride{.config = std::move(config_), .files = std::move(files_)});
  }

 private:
  std::shared_ptr<const content::ModelConfig> config_;
  std::vector<content::OverrideFile> files_;
};

Result<void> add_text(Parameters& out, std::string_view name, std::string_view value) {
  if (name == "config") return out.set_config(value);
  std::optional<std::string> bytes = decode_base64(value);
  if (!bytes) {
    return invalid_argument(
        fmt::format("The parameter '{}' is no base64.", text::escape_controls(text::shortened(name))));
  }
  return out.add_file(name, *std::move(bytes));
}

bool read_parameter(JsonReader& json, Parameters& out) {
  const std::string name(json.key());
  if (name == "unload_dependents") return json.skip_value();
  if (name != "config" && !name.starts_with(kFile)) return json.fail(unknown_control_parameter(name));
  std::string_view value;
  if (!json.read_string(value)) return false;
  auto added = add_text(out, name, value);
  return added ? true : json.fail(std::move(added).error());
}

bool read_parameters(JsonReader& json, Parameters& out) {
  if (!json.begin_object()) return false;
  bool more = false;
  while (json.next_member(more) && more) {
    if (!read_parameter(json, out)) return false;
  }
  return !json.failed();
}

Result<void> read_body(std::string_view text, Parameters& out) {
  if (text.empty()) return {};
  BASCULE_TRY(check_utf8(text, kWhat));
  JsonReader json(text, kWhat);
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    if (!(json.key() == "parameters" ? read_parameters(json, out) : json.skip_value())) break;
  }
  if (json.failed() || !json.finish()) return json.error();
  return {};
}

Result<void> read_wire(const inference::RepositoryModelLoadRequest& wire, Parameters& out) {
  // In the order of their names: a map has none of its own.
  std::map<std::string_view, const inference::ModelRepositoryParameter*> all;
  for (const auto& [name, value] : wire.parameters()) all.emplace(name, &value);
  for (const auto& [name, value] : all) {
    if (name == "config") {
      BASCULE_TRY(out.set_config(value->string_param()));
    } else if (name.starts_with(kFile)) {
      BASCULE_TRY(out.add_file(name, value->bytes_param()));
    } else if (name != "unload_dependents") {
      return unknown_control_parameter(name);
    }
  }
  return {};
}

}  // namespace

Result<LoadCall> parse_load_request(const RequestBody& body, const std::string& model) {
  Parameters parameters;
  const std::string_view text(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  if (auto read = read_body(text, parameters); !read) return failed(model, std::move(read).error());
  auto with = parameters.finish();
  if (!with) return failed(model, std::move(with).error());
  return LoadCall{.model = model, .with = *std::move(with)};
}

Result<LoadCall> parse_load_message(const RequestBody& message) {
  inference::RepositoryModelLoadRequest wire;
  if (message.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !wire.ParseFromArray(message.bytes.data(), static_cast<int>(message.bytes.size()))) {
    return invalid_argument("The message is no RepositoryModelLoadRequest.");
  }
  Parameters parameters;
  if (auto read = read_wire(wire, parameters); !read)
    return failed(wire.model_name(), std::move(read).error());
  auto with = parameters.finish();
  if (!with) return failed(wire.model_name(), std::move(with).error());
  return LoadCall{.model = wire.model_name(), .with = *std::move(with)};
}

}  // namespace bascule::protocol::v2
