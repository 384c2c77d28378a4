#!/usr/bin/env bash
# A picture with curl. predict.sh ADDRESS PICTURE
set -euo pipefail
curl -sSf -F "file=@$2" -F conf=0.5 "$1/models/fruit/predict"
