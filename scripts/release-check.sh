#!/usr/bin/env bash
# The checks that take too long for every change and must pass before a release: ThreadSanitizer's run of the
# unit tests, clang-tidy with the thread-safety analysis over every translation unit, and a minute of fuzzing for
# each reader of bytes from outside. Then other people's clients, as far as they are named; docs/compatibility.md is
# rewritten.
#
#   scripts/release-check.sh [--only-clients] [--triton-client CLONE] [--repository REPOSITORY] [--environments FOLDER]
#
# CLONE: of Triton's client repository. REPOSITORY: Triton's example repository. FOLDER: where the Python
# environments of the packages kserve and ultralytics are made, or are already (7 GB).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs="${BASCULE_JOBS:-$(nproc)}"
only_clients=
environments=
clients=(--perf-analyzer)
while (($#)); do
  case "$1" in
    --only-clients) only_clients=yes; shift ;;
    --triton-client | --repository) clients+=("$1" "${2:?$1 needs a path}"); shift 2 ;;
    --environments) environments="${2:?--environments needs a folder}"; shift 2 ;;
    *) echo "release-check: there is no option '$1'." >&2; exit 2 ;;
  esac
done
scripts/setup.sh --tests --tidy

# environment NAME PACKAGE…: a Python environment with these packages, made where it is not there.
environment() {
  local python="$environments/$1/bin/python"
  shift
  if [[ ! -x "$python" ]]; then
    python3 -m venv "$(dirname "$(dirname "$python")")"
    "$python" -m pip install --quiet --only-binary=:all: "$@"
  fi
}
run_clients() {
  if [[ -n "$environments" ]]; then
    environment kserve kserve==0.21.0
    environment ultralytics ultralytics==8.4.190 "tritonclient[http,grpc]==2.73.0" onnx onnxruntime==1.32.0 onnxslim
    # The other OpenCV needs a display's libraries.
    if "$environments/ultralytics/bin/python" -m pip show --quiet opencv-python 2>/dev/null; then
      "$environments/ultralytics/bin/python" -m pip uninstall --quiet --yes opencv-python
      "$environments/ultralytics/bin/python" -m pip install --quiet --force-reinstall --no-deps opencv-python-headless
    fi
    clients+=(--kserve "$environments/kserve/bin/python" --ultralytics "$environments/ultralytics/bin/python")
  fi
  echo "release-check: other people's clients …"
  cmake --preset release
  cmake --build --preset release -j "$jobs" --target bascule
  .venv/bin/python scripts/compatibility.py "${clients[@]}"
  # BASCULE_ULTRALYTICS_MODEL: a .pt file that `bascule import` is tried on.
  if [[ -n "$environments" && -e "${BASCULE_ULTRALYTICS_MODEL:-}" ]]; then
    BASCULE_ULTRALYTICS_PYTHON="$environments/ultralytics/bin/python" \
      .venv/bin/python -m pytest tests/system/test_import.py -q -p no:cacheprovider
  fi
}
if [[ -n "$only_clients" ]]; then
  run_clients
  echo "release-check: passed after $SECONDS s."
  exit 0
fi
echo "release-check: clang-tidy …"
cmake --preset tidy
cmake --build --preset tidy -j "$jobs"
echo "release-check: ThreadSanitizer …"
cmake --preset tsan
cmake --build --preset tsan -j "$jobs"
TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp" ctest --test-dir build/tsan -j "$jobs" --output-on-failure --timeout 600 --no-tests=error
echo "release-check: fuzzing …"
scripts/fuzz.sh --seconds 60 --jobs "$jobs"
run_clients
echo "release-check: passed after $SECONDS s."
