#!/usr/bin/env bash
# A plant in one command: a receiver of alerts, a broker where mosquitto is installed, the server with plant.yaml, and
# plates that come in one after the other. Everything is kept in a folder of its own.
#
#   examples/factory/demo.sh               until Ctrl-C
#   examples/factory/demo.sh --once        ends once the plates are through
#   BASCULE=PATH                           the program (bascule)
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bascule="${BASCULE:-bascule}"
work="${WORK:-$(mktemp -d)}"
children=()
clean_up() { for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done; wait; }
trap clean_up EXIT

mkdir -p "$work/incoming"
cp -r "$here/steel.onnx" "$here/parts" "$work/"

# Any free port: this machine may have something on 9000.
python3 "$here/receiver.py" 0 "$work/alerts" >"$work/alerts.txt" &
children+=($!)
until url="$(sed -n 's/^Receiver on //p' "$work/alerts.txt")" && [[ -n "$url" ]]; do sleep 0.1; done
sed "s|http://127.0.0.1:9000/alert|$url|" "$here/plant.yaml" >"$work/plant.yaml"
if command -v mosquitto >/dev/null; then
  port="$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')"
  mosquitto -p "$port" >"$work/mosquitto.log" 2>&1 &
  children+=($!)
  sed -i "s|127.0.0.1:1883|127.0.0.1:$port|" "$work/plant.yaml"
  echo "Broker on mqtt://127.0.0.1:$port; to listen: mosquitto_sub -p $port -t plant/plates"
else
  sed -i '/mqtt:/d' "$work/plant.yaml"
  echo "mosquitto is not installed: alerts go to the webhook and the files."
fi
tail -n +1 -f "$work/alerts.txt" &
children+=($!)

"$bascule" app run "$work/plant.yaml" --http-port "${PORT:-8000}" >"$work/server.txt" 2>"$work/server.log" &
children+=($!)
until grep -q '^Serving on' "$work/server.txt" 2>/dev/null; do
  kill -0 "${children[-1]}" 2>/dev/null || { cat "$work/server.log" >&2; exit 1; }
  sleep 0.1
done
cat "$work/server.txt"
url="$(sed -n 's/^Serving on //p' "$work/server.txt")"

for plate in "$here"/pictures/*.jpg; do
  cp "$plate" "$work/incoming/.coming.jpg" && mv "$work/incoming/.coming.jpg" "$work/incoming/$(basename "$plate")"
done
plates=$(find "$here/pictures" -name '*.jpg' | wc -l)
until [[ "$(curl -fs "$url/apps/plates" | sed -n 's/.*"handled":\([0-9]*\).*/\1/p')" -ge "$plates" ]]; do sleep 0.5; done
curl -fs "$url/apps/plates/frame" -o "$work/last.jpg"
curl -fs "$url/apps/plates/days?format=csv" -o "$work/days.csv"
echo "Defects by day:"
grep ',objects,' "$work/days.csv" || true
echo "Events: $work/events.jsonl, $work/events.csv; counts by day: $work/days.csv; the last frame, annotated: $work/last.jpg; alerts with pictures: $work/alerts"
if [[ "${1:-}" == --once ]]; then exit 0; fi
echo "Copy more pictures into $work/incoming; Ctrl-C ends."
wait "${children[-1]}"
