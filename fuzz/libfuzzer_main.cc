#include <cstdint>
#include <filesystem>

#include "targets.h"

// One program for all: it is started under the name of its target. scripts/fuzz.sh makes the links.
namespace {
const bascule::fuzz::Target* target = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** argv) {
  target = bascule::fuzz::find_target(std::filesystem::path((*argv)[0]).filename().string());
  BASCULE_CHECK(target != nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (bytes.size() > target->longest) return -1;
  return target->run(bytes) ? 0 : -1;
}
