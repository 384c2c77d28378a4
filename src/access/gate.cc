#include "access/gate.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include "access/origin.h"
#include "base/text.h"

namespace bascule::access {
namespace {

constexpr std::size_t kLongestKey = 256;  // what is longer is no key, and not worth a digest
constexpr std::string_view kHow = "send one as 'Authorization: Bearer KEY'";

// What only whoever runs the server may ask for: what a camera shows is among it.
bool is_administration(RouteClass wanted) {
  return wanted == RouteClass::kControl || wanted == RouteClass::kTrace || wanted == RouteClass::kLogs ||
         wanted == RouteClass::kApplications;
}

Error unknown_caller(std::string message) {
  return {.code = Code::kUnauthenticated, .message = std::move(message)};
}

Error forbidden(std::string message) {
  return {.code = Code::kUnauthenticated, .message = std::move(message), .reason = Reason::kForbidden};
}

Error too_small(const KeyEntry& key, RouteClass wanted) {
  std::string needed;
  for (const Role role : {Role::kInfer, Role::kRead, Role::kAdmin}) {
    if (may(role, wanted)) needed += fmt::format("{}{}", needed.empty() ? "" : " or ", to_string(role));
  }
  return forbidden(fmt::format("The key '{}' has the role {}; this takes a key of the role {}.", key.name,
                               to_string(key.role), needed));
}

}  // namespace

// Web pages that a browser has open elsewhere may read what the browser lets them, and nothing more.
std::optional<Error> Gate::check_origin(RouteClass wanted, const Caller& caller) const {
  if (!caller.unsafe || caller.origin.empty() || is_local_origin(caller.origin) ||
      is_own_origin(caller.origin, caller.host)) {
    return std::nullopt;
  }
  const std::string_view shared = shared_with(caller.origin);
  if (!shared.empty() && (shared != "*" || !is_administration(wanted))) return std::nullopt;
  return forbidden(fmt::format(
      "Requests that may change something are not taken from a web page of '{}'; --cors-origin names those "
      "that may ask.",
      text::shortened(caller.origin)));
}

std::string_view Gate::shared_with(std::string_view origin) const {
  if (origin.empty()) return {};
  const auto listed = std::ranges::find(options_.origins, origin);
  if (listed != options_.origins.end()) return *listed;
  return std::ranges::find(options_.origins, "*") != options_.origins.end() ? "*" : std::string_view{};
}

void Gate::set_keys(const std::vector<KeyEntry>& entries) {
  keys_.with([&](std::shared_ptr<const Keys>& keys) {
    auto next = std::make_shared<Keys>();
    for (const KeyEntry& entry : entries) {
      KeyPtr same;
      if (keys != nullptr) {
        const auto found =
            std::ranges::find_if(*keys, [&](const KeyPtr& key) { return key->entry == entry; });
        if (found != keys->end()) same = *found;
      }
      next->push_back(same != nullptr ? std::move(same) : std::make_shared<Key>(entry));
    }
    if (keys != nullptr) {
      for (const KeyPtr& key : *keys) {
        if (std::ranges::find(*next, key) == next->end()) key->withdrawn = true;
      }
    }
    keys = std::move(next);
  });
  keyed_ = true;
}

// Every digest is compared, each in constant time: how long it takes tells nothing of the key.
KeyPtr Gate::find(std::string_view key) const {
  if (key.size() > kLongestKey) return nullptr;
  const Digest digest = digest_of(key);
  const std::shared_ptr<const Keys> keys = keys_.with([](const auto& now) { return now; });
  KeyPtr found;
  for (const KeyPtr& each : *keys) {
    if (CRYPTO_memcmp(each->entry.digest.data(), digest.data(), digest.size()) == 0) found = each;
  }
  return found;
}

Decision Gate::admit(RouteClass wanted, const Caller& caller) const {
  if (auto foreign = check_origin(wanted, caller)) return {.refusal = std::move(foreign), .key = {}};
  if (!keyed_) {
    // As long as callers cannot be told apart, whoever can start programs on this machine may change what
    // it serves, and nobody else.
    if (caller.loopback || !is_administration(wanted)) return {};
    return {.refusal =
                unknown_caller(fmt::format("Beyond loopback, what is loaded, logged and traced is changed, "
                                           "and what applications see is shown, "
                                           "with a key only; this server listens on {} and has none. Start "
                                           "it with --api-keys FILE (`bascule key new NAME --role admin` "
                                           "makes a key), or with --host 127.0.0.1.",
                                           caller.listens)),
            .key = {}};
  }
  if (wanted == RouteClass::kHealth) {  // probes have no key
    return {.refusal = {}, .key = caller.key.empty() ? nullptr : find(caller.key)};
  }
  if (caller.key.empty()) {
    return {.refusal = unknown_caller(fmt::format("This server takes requests with a key only; {}.", kHow)),
            .key = {}};
  }
  KeyPtr key = find(caller.key);
  if (key == nullptr) {
    return {
        .refusal = unknown_caller(fmt::format("The key that was sent is none of this server's; {}.", kHow)),
        .key = {}};
  }
  if (!may(key->entry.role, wanted)) return {.refusal = too_small(key->entry, wanted), .key = std::move(key)};
  auto beyond = caller.charged ? charge(key) : std::nullopt;
  return {.refusal = std::move(beyond), .key = std::move(key)};
}

std::optional<Error> Gate::charge(const KeyPtr& key) const {
  if (key == nullptr) return std::nullopt;
  if (key->withdrawn) {
    return unknown_caller(fmt::format("The key '{}' is no longer one of this server's.", key->entry.name));
  }
  const Duration wait = key->bucket.take(clock_.now());
  if (wait == Duration{}) return std::nullopt;
  return Error{
      .code = Code::kResourceExhausted,
      .message = fmt::format("The key '{}' may ask {} times per second; ask again in {:.0f} ms.",
                             key->entry.name, key->entry.requests_per_second, std::max(to_ms(wait), 1.0)),
      .reason = Reason::kRateExceeded,
      .fields = {.retry_after = wait}};
}

}  // namespace bascule::access
