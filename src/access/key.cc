#include "access/key.h"

#include <sys/random.h>

#include <fmt/format.h>
#include <openssl/sha.h>

#include "base/text.h"

namespace bascule::access {
namespace {

constexpr std::string_view kPrefix = "bascule_";  // so that those who look for leaked keys know one
constexpr std::string_view kBearer = "bearer ";

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kInfer: return "infer";
    case Role::kRead: return "read";
    case Role::kAdmin: return "admin";
  }
  return "unknown";
}

std::optional<Role> parse_role(std::string_view text) {
  for (const Role role : {Role::kInfer, Role::kRead, Role::kAdmin}) {
    if (text == to_string(role)) return role;
  }
  return std::nullopt;
}

bool may(Role role, RouteClass wanted) {
  if (role == Role::kAdmin) return true;
  switch (wanted) {
    case RouteClass::kHealth:
    case RouteClass::kMetadata: return true;
    case RouteClass::kInfer: return role == Role::kInfer;
    case RouteClass::kStatistics: return role == Role::kRead;
    case RouteClass::kControl:
    case RouteClass::kTrace:
    case RouteClass::kLogs:
    case RouteClass::kApplications: return false;
  }
  return false;
}

Digest digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::string to_hex(const Digest& digest) {
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::optional<Digest> parse_hex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return digest;
}

std::string new_key() {
  Digest bits;
  if (::getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size())) return {};
  return std::string(kPrefix) + to_hex(bits);
}

std::string_view sent_key(std::string_view authorization, std::string_view api_key) {
  if (text::equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
    return text::trimmed(authorization.substr(kBearer.size()));
  }
  return api_key;
}

}  // namespace bascule::access
