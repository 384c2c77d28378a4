#!/usr/bin/env bash
# The checks that take too long for every change and must pass before a release: ThreadSanitizer's run of the
# unit tests, clang-tidy with the thread-safety analysis over every translation unit, and a minute of fuzzing for
# each reader of bytes from outside. Then other people's clients, as far as they are named; docs/compatibility.md is
# rewritten. Then `bascule tune` on real models, and the making of an 8-bit file.
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
echo "release-check: what bascule tune finds on real models (about 25 minutes) …"
BASCULE_LONG=1 .venv/bin/python -m pytest tests/system/test_tune.py -q -p no:cacheprovider
if [[ -n "$environments" ]]; then
  echo "release-check: eight bits, as examples/int8/README.md has it …"
  environment int8 nncf==3.4.0 onnx onnxruntime opencv-python-headless
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  "$environments/int8/bin/python" examples/int8/quantise.py examples/checkout/fruit.onnx examples/checkout/pictures \
    "$work/fruit-int8.onnx" --size 320
  build/release/bascule eval "$work/fruit-int8.onnx" tests/data/labelled/trays --imgsz 320
  build/release/bascule tune "$work/fruit-int8.onnx" --samples examples/checkout/pictures --seconds 10
fi
echo "release-check: passed after $SECONDS s."
