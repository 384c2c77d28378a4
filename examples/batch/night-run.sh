#!/usr/bin/env bash
# One night: night-run.sh PICTURES MODEL RESULTS [DAY]. Safe to run again: what is done is left, what was cut off goes on.
set -euo pipefail

pictures=$1 model=$2 results=$3
day=${4:-$(date -d yesterday +%F)}
out=$results/$day.jsonl

mkdir -p "$results"
if [[ ! -d $pictures/$day ]]; then
  echo "There are no pictures of $day in $pictures."
  exit 0
fi
# With a checkpoint beside it the result is not whole yet.
if [[ -e $out && ! -e $out.checkpoint ]]; then
  echo "$out is done already."
  exit 0
fi
exec bascule batch "$model" "$pictures/$day" --out "$out" --report "$results/$day.html"
