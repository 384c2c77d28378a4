#include "grpc/context.h"

#include <grpcpp/support/string_ref.h>

#include "protocol/credentials.h"

namespace bascule::grpc_front {
namespace {

// The first value that the caller sent under this name; empty where there is none.
std::string_view sent(const grpc::ServerContextBase& call, const char* name) {
  const auto& all = call.client_metadata();
  const auto found = all.find(name);
  return found == all.end() ? std::string_view{}
                            : std::string_view(found->second.data(), found->second.size());
}

}  // namespace

access::Decision Context::admit(access::RouteClass wanted, const grpc::ServerContextBase& call,
                                bool charged) const {
  // Every call is a POST; a browser would say for which page.
  return gate->admit(
      wanted, {.loopback = loopback,
               .listens = options.host,
               .unsafe = true,
               .origin = sent(call, "origin"),
               .host = {},
               .key = access::sent_key(sent(call, "authorization"), sent(call, protocol::kApiKeyField)),
               .charged = charged});
}

std::optional<tracing::TraceContext> Context::sample(const grpc::ServerContextBase& call) const {
  if (options.tracer == nullptr) return std::nullopt;
  return options.tracer->sample(sent(call, "traceparent"), sent(call, "tracestate"));
}

}  // namespace bascule::grpc_front
