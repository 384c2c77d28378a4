#!/usr/bin/env bash
# start_triton.sh PORT MODEL.onnx GRPC_PORT: serves `tiny` on 127.0.0.1, REST and gRPC, until it is stopped.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
peers="$root/build/peers"
packages="$(echo "$peers"/venv/lib/python3.*/site-packages)"
export BENCH_MODEL="$2" PYTHONPATH="$packages" PATH="$peers/venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
export LD_LIBRARY_PATH="$packages/nvidia_pytriton.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$packages/pytriton/tritonserver/bin/tritonserver" --model-repository="$root/bench/peers/triton" \
  --backend-directory="$peers/backends" --http-address=127.0.0.1 --http-port="$1" \
  --grpc-address=127.0.0.1 --grpc-port="$3" --allow-metrics=false --log-warning=false
