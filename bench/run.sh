#!/usr/bin/env bash
# Measures the server against bare loops of the same work, a peer and itself, in one run, and prints the ratios.
#
#   bench/run.sh                     everything, about a quarter of an hour; writes build/bench/bench.{json,html}
#   bench/run.sh --only overload     one part
#   bench/run.sh --write-docs        everything, and the figures and plots of docs/benchmarks.md anew
#   bench/run.sh --help              the other options (those of bench/run.py)
#
# Triton is measured where bench/peers/setup.sh has brought it; that part says so and is skipped otherwise.
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
exec .venv/bin/python bench/run.py "$@"
