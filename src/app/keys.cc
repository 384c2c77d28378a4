#include "app/keys.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "app/commands.h"
#include "base/file.h"

namespace bascule::app {
namespace {

using config::Type;

constexpr std::uint64_t kMaxFile = 4ULL << 20U;
constexpr std::size_t kMaxKeys = 1000;  // every request is compared with each
constexpr std::size_t kMaxName = 64;

bool valid_name(std::string_view name) {
  constexpr std::string_view kOthers = "_-.@";
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

Result<access::KeyEntry> entry_of(const config::Values& values, const std::string& path) {
  for (const std::string_view needed : {"name", "sha256"}) {
    if (!values.has(needed)) {
      return invalid_argument(fmt::format(
          "{}: every key needs a '{}'; `bascule key new NAME` prints a whole entry.", path, needed));
    }
  }
  const std::string& name = values.text("name");
  if (!valid_name(name)) {
    return invalid_argument(
        fmt::format("{}: a key's name is 1 to {} of letters, digits, '_', '-', '.' and '@'.",
                    values.source("name").place, kMaxName));
  }
  const auto digest = access::parse_hex(values.text("sha256"));
  if (!digest) {
    return invalid_argument(fmt::format(
        "{}: 'sha256' of the key '{}' must be 64 hexadecimal digits: the key's SHA-256, never the "
        "key itself.",
        values.source("sha256").place, name));
  }
  return access::KeyEntry{.name = name,
                          .digest = *digest,
                          .role = access::parse_role(values.text("role")).value_or(access::Role::kInfer),
                          .requests_per_second = values.number("requests_per_second")};
}

}  // namespace

const std::vector<config::Option>& key_options() {
  static const std::vector<config::Option> table = {
      {.name = "name", .type = Type::kText, .text = "What the key is called, in logs and answers."},
      {.name = "sha256", .type = Type::kText, .text = "SHA-256 of the key, in hexadecimal."},
      {.name = "role",
       .type = Type::kChoice,
       .fallback = "infer",
       .text = "infer: asks models; read: reads metadata and counters; admin: everything.",
       .choices = {"infer", "read", "admin"}},
      {.name = "requests_per_second",
       .type = Type::kNumber,
       .fallback = "0",
       .text = "Requests beyond this are answered with 429; 0: no limit.",
       .min = 0,
       .max = 1e6}};
  return table;
}

Result<std::vector<access::KeyEntry>> read_keys(const std::string& path) {
  BASCULE_ASSIGN(const auto bytes, read_file(path, kMaxFile));
  const std::string_view yaml(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  BASCULE_ASSIGN(auto list, config::read_yaml_list("keys", key_options(), yaml, path));
  if (list.empty() || list.size() > kMaxKeys) {
    return invalid_argument(
        fmt::format("{}: it has {} keys; it must have 1 to {}.", path, list.size(), kMaxKeys));
  }
  std::vector<access::KeyEntry> entries;
  for (config::Values& values : list) {
    BASCULE_TRY(config::apply_defaults(key_options(), values));
    BASCULE_ASSIGN(access::KeyEntry entry, entry_of(values, path));
    for (const access::KeyEntry& other : entries) {
      if (other.name == entry.name || other.digest == entry.digest) {
        return invalid_argument(fmt::format("{}: '{}' and '{}' have the same name or the same key.",
                                            values.source("name").place, other.name, entry.name));
      }
    }
    entries.push_back(std::move(entry));
  }
  return Result<std::vector<access::KeyEntry>>(std::move(entries));
}

int key(config::Parsed parsed) {
  auto models = complete_values(command("key"), parsed.values);
  if (!models) return fail(models.error(), kUsage);
  if (parsed.positionals.size() != 2 || parsed.positionals[0] != "new") {
    return fail(invalid_argument("Try: bascule key new NAME --role infer (see: bascule key --help)"), kUsage);
  }
  const std::string& name = parsed.positionals[1];
  if (!valid_name(name)) {
    return fail(invalid_argument(fmt::format(
                    "A key's name is 1 to {} of letters, digits, '_', '-', '.' and '@'.", kMaxName)),
                kUsage);
  }
  const std::string made = access::new_key();
  if (made.empty()) return fail(internal_error("The system gives no random bits."), kFailed);
  // The key to standard error, the entry to standard output: `bascule key new NAME >> keys.yaml` keeps the
  // one and shows the other.
  fmt::print(
      stderr,
      "The key, which is not shown again: {}\nIts entry, for the file of --api-keys (under `keys:`):\n",
      made);
  std::fflush(stderr);
  fmt::print("  - name: {}\n    sha256: {}\n    role: {}\n", name, access::to_hex(access::digest_of(made)),
             parsed.values.text("role"));
  if (const double rate = parsed.values.number("requests_per_second"); rate > 0) {
    fmt::print("    requests_per_second: {}\n", rate);
  }
  return kOk;
}

}  // namespace bascule::app
