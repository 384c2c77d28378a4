#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "content/load_override.h"
#include "protocol/body.h"

// A request to load a model, which may bring a configuration and files.
// Source: Triton, extension_model_repository.md.
namespace bascule::protocol::v2 {

struct LoadCall {
  std::string model;
  std::shared_ptr<const content::LoadOverride> with;  // null: what lies in its folder
};

// POST /v2/repository/models/{m}/load: the parameters "config" (JSON) and "file:PATH" (base64); a file needs
// a configuration beside it. An empty body is fine. Errors: kInvalidArgument with kLoadFailed, for a
// parameter that is unknown, too.
Result<LoadCall> parse_load_request(const RequestBody& body, const std::string& model);
// RepositoryModelLoadRequest; its files are bytes.
Result<LoadCall> parse_load_message(const RequestBody& message);

}  // namespace bascule::protocol::v2
