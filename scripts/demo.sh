#!/usr/bin/env bash
# From a clone to named boxes: builds the server, serves two detectors, asks both once, and keeps serving.
#
#   scripts/demo.sh              until Ctrl-C
#   scripts/demo.sh --once       ends after the answers
#   scripts/demo.sh --port N     serves there (default 8000, or any free port where that one is taken)
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
binary=build/release/bascule
fruit=examples/checkout/fruit.onnx
tray=examples/checkout/pictures/fruit_101_0008.jpg
steel=examples/factory/steel.onnx
plate=examples/factory/pictures/steel_104_0006.jpg
out=build/demo
ready_limit_s=30

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'demo: failed: %s\n' "$*" >&2
  exit 1
}

once=0
port=
while (($#)); do
  case "$1" in
    --once) once=1 ;;
    --port)
      [[ "${2:-}" =~ ^[0-9]+$ ]] || fail "--port needs a number, as in --port 8080."
      port="$2"
      shift
      ;;
    -h | --help)
      sed -n '2,6s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) fail "there is no option '$1'; scripts/demo.sh --help lists them." ;;
  esac
  shift
done

now_ms() { echo $(($(date +%s%N) / 1000000)); }
begin=$(now_ms)
times=()
# lap NAME: notes what the time since the last lap was for.
lap_start=$begin
lap() {
  local now
  now=$(now_ms)
  times+=("$1 $(seconds $((now - lap_start))) s")
  lap_start=$now
}
seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# Runs a command with its output in a file, which is shown where the command fails.
quietly() {
  local log="$1"
  shift
  "$@" >"$log" 2>&1 && return 0
  tail -n 40 "$log" | sed 's/^/  | /' >&2
  fail "'$*' failed; the end of $log is above."
}

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

server=
stop_server() {
  if [[ -n "$server" ]] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
  server=
}
trap stop_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "Setting up (apt packages and ONNX Runtime; nothing to do the second time)"
scripts/setup.sh || fail "scripts/setup.sh could not set this machine up; its last line says why."
lap setup

say "Building $binary (the first time takes minutes)"
mkdir -p build "$out"
quietly build/demo-configure.log cmake --preset release
lap configure
quietly build/demo-build.log cmake --build build/release --target bascule
lap build

if [[ -z "$port" ]]; then
  port=8000
  if taken "$port"; then
    echo "Port 8000 is taken on this machine; taking any free one."
    port=0
  fi
elif ((port != 0)) && taken "$port"; then
  fail "port $port is taken; choose another one, or none for any that is free."
fi

say "Serving $fruit and $steel"
: >"$out/serve.txt"
"$binary" serve "$fruit" "$steel" --http-port "$port" --log-level warning >"$out/serve.txt" 2>"$out/serve.log" &
server=$!
url=
for ((waited = 0; waited < ready_limit_s * 100; ++waited)); do
  url="$(sed -n 's|^Serving on \(http://[^ ]*\)$|\1|p' "$out/serve.txt")"
  [[ -n "$url" ]] && break
  if ! kill -0 "$server" 2>/dev/null; then
    cat "$out/serve.log" >&2
    fail "the server ended before it was ready; its log is above."
  fi
  sleep 0.01
done
[[ -n "$url" ]] || fail "the server was not ready within $ready_limit_s s; its log is $out/serve.log."
now=$(now_ms)
times+=("start $((now - lap_start)) ms")
lap_start=$now
cat "$out/serve.txt"

# ask MODEL PICTURE: the reply, readable, and kept for the count.
ask() {
  local reply="$out/$1.json" status
  status="$(curl -sS --max-time 60 -o "$reply" -w '%{http_code}' -F "file=@$2" "$url/models/$1/predict")" ||
    fail "curl got no answer from $url."
  [[ "$status" == 200 ]] || fail "the server answered $status to $2: $(cat "$reply")"
  printf '\n$ curl -F file=@%s %s/models/%s/predict\n' "$2" "$url" "$1"
  python3 - "$reply" <<'PYTHON'
import json, sys

reply = json.load(open(sys.argv[1]))
# Readable, one found object a line.
print('{"images": [')
for image in reply["images"]:
    head = json.dumps({k: image[k] for k in ("shape", "speed")})
    print(f' {head[:-1]}, "results": [')
    print(",\n".join("   " + json.dumps(row) for row in image["results"]))
    print(" ]}")
print('], "metadata": ' + json.dumps(reply["metadata"]) + "}")
PYTHON
}

say "What is on the tray?"
ask fruit "$tray"
first=$(($(now_ms) - begin))
times+=("first answer $((first - lap_start + begin)) ms")
say "What is wrong with the steel plate?"
ask steel "$plate"

say "The same as annotated pictures, without a server: bascule predict"
"$binary" predict "$fruit" "$tray" --save "$out" || fail "'$binary predict' failed on $tray."
"$binary" predict "$steel" "$plate" --save "$out" || fail "'$binary predict' failed on $plate."

say "Done"
python3 - "$out" "$tray" "$plate" <<'PYTHON'
import collections, json, os, sys

out, tray, plate = sys.argv[1:]
total = 0
for model, picture in (("fruit", tray), ("steel", plate)):
    rows = [r for i in json.load(open(f"{out}/{model}.json"))["images"] for r in i["results"]]
    total += len(rows)
    counts = ", ".join(f"{n} {name}" for name, n in sorted(collections.Counter(r["name"] for r in rows).items()))
    print(f"{model}: {counts or 'nothing'}  (look at {out}/{os.path.basename(picture)})")
print(f"{total} boxes in all.")
PYTHON
printf -v spent '%s, ' "${times[@]}"
echo "Where the time went: ${spent%, }. From the start to the first answer: $(seconds "$first") s."
if ((once)); then
  exit 0
fi
echo "Still serving on $url. Ask it yourself:"
echo "  curl -F file=@$tray $url/models/fruit/predict"
echo "Ctrl-C ends it."
wait "$server" || fail "the server ended; its log is $out/serve.log."
