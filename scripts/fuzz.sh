#!/usr/bin/env bash
# Looks for inputs that break a reader of bytes from outside: clang's libFuzzer with ASan and UBSan, target after
# target. The last lines are a summary; the exit code is 1 where something was found.
#
#   scripts/fuzz.sh [--seconds N] [--jobs N] [TARGET…]    60 seconds and one at a time unless said; all targets
#   scripts/fuzz.sh --list                                their names
#
# Seeds are what fuzz/seeds.txt names. What a run learns stays in build/fuzz/corpus/TARGET, what it finds in
# build/fuzz/findings: put that into fuzz/corpus/TARGET with its fix, and ctest replays it for ever.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'fuzz: %s\n' "$*" >&2; exit 2; }

seconds=60
jobs=1
targets=()
while (($#)); do
  case "$1" in
    --seconds | --jobs)
      [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "$1 needs a whole number, at least 1."
      if [[ $1 == --seconds ]]; then seconds=$2; else jobs=$2; fi
      shift 2
      ;;
    --list) sed -n 's/^\([a-z0-9_]*\):.*/\1/p' fuzz/seeds.txt; exit 0 ;;
    -*) fail "there is no option '$1'; there are --seconds, --jobs and --list." ;;
    *) targets+=("$1"); shift ;;
  esac
done
mapfile -t known < <(sed -n 's/^\([a-z0-9_]*\):.*/\1/p' fuzz/seeds.txt)
for target in "${targets[@]}"; do
  [[ " ${known[*]} " == *" $target "* ]] || fail "there is no target '$target'; --list has them."
done
if ((${#targets[@]} == 0)); then targets=("${known[@]}"); fi

scripts/setup.sh --fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target bascule_fuzz
export ASAN_SYMBOLIZER_PATH="${ASAN_SYMBOLIZER_PATH:-$(command -v llvm-symbolizer-19 || true)}"
programs="$PWD/build/fuzz/fuzz"
mkdir -p build/fuzz/{corpus,findings,logs}

# run TARGET: one target for its seconds; its seeds are copied, so that a run writes nothing beside them.
run() {
  local target="$1" seeds pattern
  local corpus="build/fuzz/corpus/$target" log="build/fuzz/logs/$target.log"
  mkdir -p "$corpus"
  seeds="$(sed -n "s/^$target: //p" fuzz/seeds.txt)"
  for pattern in $seeds; do cp -n $pattern "$corpus/" 2>/dev/null || true; done  # patterns: not quoted
  ln -sf bascule_fuzz "$programs/$target"
  "$programs/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$target-" "$corpus" >"$log" 2>&1 || echo found >>"$log"
}

running=0
for target in "${targets[@]}"; do
  echo "fuzz: $target, $seconds s …"
  run "$target" &
  if ((++running >= jobs)); then wait -n || true; running=$((running - 1)); fi
done
wait

found=0
printf '\n%-14s %12s %10s  %s\n' target inputs places result
for target in "${targets[@]}"; do
  log="build/fuzz/logs/$target.log"
  inputs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)"
  places="$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -d ' ' -f 2 || true)"
  result="nothing found"
  if [[ "$(tail -1 "$log")" == found ]]; then
    result="$(grep -m 1 -E '^SUMMARY|^==[0-9]+== ?ERROR|bascule: ' "$log" || echo "it ended early"), see $log"
    found=$((found + 1))
  fi
  printf '%-14s %12s %10s  %s\n' "$target" "${inputs:-?}" "${places:-?}" "$result"
done
echo "fuzz: ${#targets[@]} targets, $found with findings."
if ((found > 0)); then exit 1; fi
