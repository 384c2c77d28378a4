#!/usr/bin/env bash
# Brings what is missing, builds and runs every test. The last line is "N passed, N failed" (", N skipped" may
# follow); the exit code is not 0 where a test or a build failed, or where no test ran.
#
#   scripts/test.sh                  everything
#   scripts/test.sh --only unit      ctest alone: units, conformance, house rules, under ASan and UBSan
#   scripts/test.sh --only system    pytest alone: the release binary with real clients
#
# BASCULE_JOBS sets how many compilers and tests run at once (default: the cores of this machine).
set -uo pipefail  # not -e: a failed phase is counted, and the others still run

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root="$PWD"
jobs="${BASCULE_JOBS:-$(nproc)}"
results="$root/build/results"
unit=yes
system=yes
case "${1:-} ${2:-}" in
  " ") ;;
  "--only unit") system=no ;;
  "--only system") unit=no ;;
  *)
    echo "test: usage: scripts/test.sh [--only unit|system]" >&2
    exit 2
    ;;
esac

phases=()
broken=()

# phase NAME COMMAND… : runs it, keeps how long it took and whether it failed.
phase() {
  local name="$1" began=$SECONDS
  shift
  echo "test: $name …"
  if "$@"; then
    phases+=("$(printf '%5d s  %s' $((SECONDS - began)) "$name")")
    return 0
  fi
  phases+=("$(printf '%5d s  %s: failed' $((SECONDS - began)) "$name")")
  broken+=(--broken "$name")
  return 1
}

build() { cmake --preset "$1" >"$results/configure-$1.log" || { cat "$results/configure-$1.log"; return 1; }
          cmake --build --preset "$1" -j "$jobs" ${2:+--target "${@:2}"}; }
run_ctest() { ctest --test-dir build/dev -j "$jobs" --output-on-failure --timeout 300 --no-tests=error \
                    --output-junit "$results/ctest.xml"; }
run_pytest() { .venv/bin/python -m pytest tests/system -q -rs -p no:cacheprovider --junitxml "$results/pytest.xml"; }

mkdir -p "$results" && rm -f "$results"/*.xml || exit 1
if phase "setup" scripts/setup.sh --tests; then
  if [[ $unit == yes ]]; then
    # The header targets: each public header compiles alone.
    phase "build dev" build dev all all_verify_interface_header_sets && phase "ctest" run_ctest
  fi
  if [[ $system == yes ]]; then
    phase "build release" build release && phase "pytest" run_pytest
  fi
fi

echo "test: where the time went:"
printf '  %s\n' "${phases[@]}"
if ! [[ -x /usr/bin/python3 ]]; then  # setup failed before it could bring one
  echo "0 passed, 1 failed"
  exit 1
fi
exec /usr/bin/python3 scripts/count_tests.py "${broken[@]}" "$results"/*.xml
