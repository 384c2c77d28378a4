#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "protocol/body.h"

// One target for each reader of bytes that come from outside. libfuzzer_main.cc runs one with clang's
// libFuzzer, replay_main.cc gives it files, in any build.
namespace bascule::fuzz {

using Bytes = std::span<const std::byte>;

struct Target {
  std::string_view name;
  // False: not worth keeping, because it is for another target. What must hold is checked with BASCULE_CHECK.
  bool (*run)(Bytes bytes);
  std::size_t longest;  // inputs are cut to this
};

std::span<const Target> picture_targets();
std::span<const Target> protocol_targets();
std::span<const Target> table_targets();
std::span<const Target> text_targets();

// Null where there is none of that name.
const Target* find_target(std::string_view name);

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What every refusal owes whoever reads it: words, in JSON that can be read, and a status.
void check_refusal(const Error& error, protocol::Dialect dialect = protocol::Dialect::kV2);

// The first byte picks one of several readers that take the same kind of bytes.
struct Choice {
  std::size_t which = 0;
  Bytes rest;
};
inline Choice choose(Bytes bytes, std::size_t of) {
  if (bytes.empty()) return {};
  return {std::to_integer<std::size_t>(bytes.front()) % of, bytes.subspan(1)};
}

}  // namespace bascule::fuzz
