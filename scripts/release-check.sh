#!/usr/bin/env bash
# The checks that take too long for every change and must pass before a release: ThreadSanitizer's run of the
# unit tests, and clang-tidy with the thread-safety analysis over every translation unit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs="${BASCULE_JOBS:-$(nproc)}"
scripts/setup.sh --tests --tidy
echo "release-check: clang-tidy …"
cmake --preset tidy
cmake --build --preset tidy -j "$jobs"
echo "release-check: ThreadSanitizer …"
cmake --preset tsan
cmake --build --preset tsan -j "$jobs"
TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp" ctest --test-dir build/tsan -j "$jobs" --output-on-failure --timeout 600 --no-tests=error
echo "release-check: passed after $SECONDS s."
