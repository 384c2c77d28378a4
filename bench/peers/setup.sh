#!/usr/bin/env bash
# Brings the real tritonserver, out of the Python wheel nvidia-pytriton, into build/peers/, for bench/peers.py and
# bench/peers_grpc.py. About 300 MB; nothing is installed outside that folder. Safe to run again.
#
#   bench/peers/setup.sh                 Triton and ghz
#   bench/peers/setup.sh --ultralytics   also the reference package with FastAPI and uvicorn, for bench/reference.py
#                                        (PyTorch comes with it, several GB)
#
# No package registry has Triton's own ONNX backend, so it runs its Python backend, which calls ONNX Runtime.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
venv="$root/build/peers/venv"
backend="$root/build/peers/backends/python"
python=/usr/bin/python3  # as in scripts/setup.sh

[[ "$(uname -m)" == x86_64 ]] || { echo "peers: nvidia-pytriton is built for x86_64 only." >&2; exit 1; }
[[ -x "$venv/bin/python" ]] || "$python" -m venv "$venv"
if [[ "${1:-}" == --ultralytics ]]; then
  reference="$root/build/peers/ultralytics"
  [[ -x "$reference/bin/python" ]] || "$python" -m venv "$reference"
  "$reference/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: ultralytics==8.4.190 \
    torch==2.15.0 torchvision==0.29.2 onnx==1.23.2 onnxruntime==1.32.0 opencv-python-headless==5.0.0.93 numpy==2.4.6 \
    fastapi==0.165.0 uvicorn==0.54.0 httptools==0.9.0 uvloop==0.23.0
  echo "peers: the reference package is in build/peers/ultralytics."
fi
by_hand="$root/build/peers/fastapi"
[[ -x "$by_hand/bin/python" ]] || "$python" -m venv "$by_hand"
"$by_hand/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: onnxruntime==1.32.0 numpy==2.4.6 \
  opencv-python-headless==5.0.0.93 fastapi==0.165.0 uvicorn==0.54.0 httptools==0.9.0 uvloop==0.23.0
echo "peers: FastAPI with ONNX Runtime is in build/peers/fastapi."
# Without dependencies: of pytriton itself, only the server binary beside it is used.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-deps \
  nvidia-pytriton==0.7.0 numpy==1.26.4 onnxruntime==1.32.0 flatbuffers==25.12.19 packaging==26.3 protobuf==7.36.2

triton="$(echo "$venv"/lib/python3.*/site-packages/pytriton/tritonserver)"
stub="$triton/python_backend_stubs/$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
[[ -d "$stub" ]] || { echo "peers: nvidia-pytriton has no Python backend for $("$venv/bin/python" --version)." >&2; exit 1; }
mkdir -p "$backend"
cp "$triton"/backends/python/*.{so,py} "$stub/triton_python_backend_stub" "$backend/"
chmod +x "$triton/bin/tritonserver" "$backend/triton_python_backend_stub"
if ldd "$backend/triton_python_backend_stub" | grep -q 'libpython.*not found'; then
  echo "peers: the Python backend wants $(ldd "$backend/triton_python_backend_stub" | awk '/libpython/ {print $1}'): apt-get install libpython3-dev" >&2
  exit 1
fi
echo "peers: tritonserver is in build/peers/."
