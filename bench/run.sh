#!/usr/bin/env bash
# Measures the server against bare loops of the same work, in one run, and prints the ratios.
#
#   bench/run.sh                     everything, about three minutes; writes build/bench.json
#   bench/run.sh --rounds 9          longer and steadier
#   bench/run.sh --help              the other options (those of bench/run.py)
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
for option in "$@"; do
  if [[ "$option" == -h || "$option" == --help ]]; then exec python3 bench/run.py --help; fi
done
scripts/setup.sh --bench
mkdir -p build
cmake --preset release -DBASCULE_BENCH=ON >build/bench-configure.log || {
  cat build/bench-configure.log >&2
  exit 1
}
cmake --build build/release --target bascule bare_engine bare_pipeline
exec python3 bench/run.py "$@"
