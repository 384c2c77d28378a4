#!/usr/bin/env bash
# Open Inference Protocol v2 with curl. rest.sh [ADDRESS]
set -euo pipefail
curl -sSf "${1:-http://127.0.0.1:8000}/v2/models/add_one/infer" \
  -d '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}]}'
