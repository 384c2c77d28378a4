#include "targets.h"

#include <nlohmann/json.hpp>

namespace bascule::fuzz {

const Target* find_target(std::string_view name) {
  for (const auto targets : {picture_targets(), protocol_targets(), table_targets(), text_targets()}) {
    for (const Target& target : targets) {
      if (target.name == name) return &target;
    }
  }
  return nullptr;
}

void check_refusal(const Error& error, protocol::Dialect dialect) {
  BASCULE_CHECK(!error.message.empty());
  BASCULE_CHECK(nlohmann::json::accept(protocol::error_body(error, dialect)));
  BASCULE_CHECK(protocol::http_status(error, dialect) >= 400);
  BASCULE_CHECK(protocol::grpc_status(error, protocol::Dialect::kV2) > 0);
}

}  // namespace bascule::fuzz
