#!/usr/bin/env bash
# The checks that take too long for every change and must pass before a release. Each part, when it has ended, writes
# what came of it into its section of docs/release-check.md. One that fails does not keep the others from running; the
# exit code is 1 then.
#
#   scripts/release-check.sh [OPTION…]                    every part: hours
#   scripts/release-check.sh --only PART… [OPTION…]       one of them; --only may be given several times
#
# PART: tidy      clang-tidy with the thread-safety analysis over every translation unit
#       tsan      the unit tests under ThreadSanitizer
#       fuzz      a minute of fuzzing for each reader of bytes from outside
#       clients   other people's clients, as far as they are named; docs/compatibility.md is rewritten
#       tune      what `bascule tune` finds on real models (about 25 minutes)
#       int8      an 8-bit file made and measured, as examples/int8/README.md has it; needs --environments
#
#   --rooms "ROOM…"            tidy and tsan look at these folders of src/ alone: "journal applications/checkout"
#   --fuzz-seconds N           for each target (default: 60)
#   --triton-client CLONE      of Triton's client repository
#   --repository REPOSITORY    Triton's example repository
#   --environments FOLDER      where the Python environments of the packages kserve, ultralytics and nncf are made, or
#                              are already (7 GB)
#
# BASCULE_JOBS sets how many compilers and tests run at once (default: the cores of this machine).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'release-check: %s\n' "$*" >&2; exit 2; }

jobs="${BASCULE_JOBS:-$(nproc)}"
known=(tidy tsan fuzz clients tune int8)
parts=()
rooms=()
fuzz_seconds=60
environments=
clients=(--perf-analyzer)
said="scripts/release-check.sh"  # the command, as docs/release-check.md tells it: no folder of this machine
while (($#)); do
  case "$1" in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --only | --rooms | --fuzz-seconds | --triton-client | --repository | --environments)
      [[ -n "${2:-}" ]] || fail "$1 needs a value; --help says which."
      ;;&
    --only)
      [[ " ${known[*]} " == *" $2 "* ]] || fail "there is no part '$2'; there are ${known[*]}."
      parts+=("$2"); said+=" --only $2" ;;
    --rooms)
      read -ra rooms <<<"$2"
      for room in "${rooms[@]}"; do
        [[ -d "src/$room" ]] || fail "there is no room '$room': src/$room is no folder."
      done
      said+=" --rooms \"${rooms[*]}\"" ;;
    --fuzz-seconds)
      [[ "$2" =~ ^[1-9][0-9]*$ ]] || fail "--fuzz-seconds needs a whole number, at least 1, not '$2'."
      fuzz_seconds=$2; said+=" --fuzz-seconds $2" ;;
    --triton-client) clients+=("$1" "$2"); said+=" --triton-client CLONE" ;;
    --repository) clients+=("$1" "$2"); said+=" --repository REPOSITORY" ;;
    --environments) environments="$2"; said+=" --environments FOLDER" ;;
    *) fail "there is no option '$1'; --help has them." ;;
  esac
  shift 2
done
if [[ " ${parts[*]} " == *" int8 "* && -z "$environments" ]]; then
  fail "int8 needs --environments FOLDER, where its Python packages are or are put."
fi
if ((${#parts[@]} == 0)); then
  parts=("${known[@]}")
  if [[ -z "$environments" ]]; then
    echo "release-check: int8 is left out: it needs --environments."
    parts=("${parts[@]/int8/}")
  fi
fi

# environment NAME PACKAGE…: a Python environment with these packages, made where it is not there.
environment() {
  local python="$environments/$1/bin/python"
  shift
  if [[ ! -x "$python" ]]; then
    python3 -m venv "$(dirname "$(dirname "$python")")"
    "$python" -m pip install --quiet --only-binary=:all: "$@"
  fi
}
build_release() {
  cmake --preset release
  cmake --build --preset release -j "$jobs" --target bascule
}
run_tidy() {
  local where="(src|tests|fuzz)"
  if ((${#rooms[@]})); then where="src/($(IFS='|'; echo "${rooms[*]}"))"; fi
  cmake --preset tidy
  cmake --build --preset tidy --target wire/grpc_service.grpc.pb.h  # generated headers
  run-clang-tidy-19 -p build/tidy -quiet -j "$jobs" "^$PWD/$where/"
}
run_tsan() {
  local folders=("") folder status=0
  if ((${#rooms[@]})); then folders=("${rooms[@]/#//src/}"); fi
  cmake --preset tsan
  export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp"
  for folder in "${folders[@]}"; do
    cmake --build --preset tsan -j "$jobs" --target "${folder:+${folder#/}/}all"
    echo "release-check: the tests of ${folder:-/all}"
    ctest --test-dir "build/tsan$folder" -j "$jobs" --output-on-failure --timeout 600 --no-tests=error || status=1
  done
  return "$status"
}
run_fuzz() { scripts/fuzz.sh --seconds "$fuzz_seconds" --jobs "$jobs"; }
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
  build_release
  .venv/bin/python scripts/compatibility.py "${clients[@]}"
  # BASCULE_ULTRALYTICS_MODEL: a .pt file that `bascule import` is tried on.
  if [[ -n "$environments" && -e "${BASCULE_ULTRALYTICS_MODEL:-}" ]]; then
    BASCULE_ULTRALYTICS_PYTHON="$environments/ultralytics/bin/python" \
      .venv/bin/python -m pytest tests/system/test_import.py -q -p no:cacheprovider
  fi
}
run_tune() {
  build_release
  BASCULE_LONG=1 .venv/bin/python -m pytest tests/system/test_tune.py -q -p no:cacheprovider
}
run_int8() {
  local work=build/release-check/int8
  environment int8 nncf==3.4.0 onnx onnxruntime opencv-python-headless
  build_release
  rm -rf "$work" && mkdir "$work"
  "$environments/int8/bin/python" examples/int8/quantise.py examples/checkout/fruit.onnx examples/checkout/pictures \
    "$work/fruit-int8.onnx" --size 320
  build/release/bascule eval "$work/fruit-int8.onnx" tests/data/labelled/trays --imgsz 320
  build/release/bascule tune "$work/fruit-int8.onnx" --samples examples/checkout/pictures --seconds 10
}

commit="$(git rev-parse --short HEAD)"
if [[ -n "$(git status --porcelain -- . ':!docs/release-check.md')" ]]; then commit+=" with changes"; fi
mkdir -p build/release-check
scripts/setup.sh --tests --tidy
failed=()
for part in "${parts[@]}"; do
  [[ -n "$part" ]] || continue
  echo "release-check: $part …"
  began=$SECONDS
  log="build/release-check/$part.log"
  # Not in a condition: there, the part would go on after a command that failed.
  set +e
  (set -e; "run_$part") 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  if ((status != 0)); then failed+=("$part"); fi
  /usr/bin/python3 scripts/release_record.py "$part" --log "$log" --status "$status" --seconds $((SECONDS - began)) \
    --commit "$commit" --command "$said"
done
if ((${#failed[@]})); then
  echo "release-check: failed after $SECONDS s: ${failed[*]}. docs/release-check.md says how."
  exit 1
fi
echo "release-check: passed after $SECONDS s."
