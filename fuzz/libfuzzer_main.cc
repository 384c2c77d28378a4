#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "targets.h"

// One program for all: BASCULE_FUZZ_TARGET names the target. scripts/fuzz.sh runs it.
namespace {
const bascule::fuzz::Target* target = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const char* const name = std::getenv("BASCULE_FUZZ_TARGET");
  target = bascule::fuzz::find_target(name == nullptr ? "" : name);
  if (target == nullptr) {
    (void)std::fprintf(stderr,
                       "fuzz: BASCULE_FUZZ_TARGET must name a target; scripts/fuzz.sh --list has them.\n");
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): nothing runs yet
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (bytes.size() > target->longest) return -1;
  return target->run(bytes) ? 0 : -1;
}
