"""What it costs that requests are traced and their spans sent away."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

from common import ADD_ONE, Bench, Part, Row, median, spread

NAME = "tracing"
TITLE = "Traces of requests"
HOW = """`tests/data/general/add_one.onnx`, 16 floats as JSON over REST at 8 connections, the server on one core, `wrk` on another;
requests a second with `--otlp-endpoint` over those without, by turns. The receiver takes and drops what comes; it has a
third core where there is one, else it shares `wrk`'s. *Sent*: of the spans that were recorded, the others found the queue full."""

CONNECTIONS = 8
GOAL = 0.98  # of what is answered without traces, when one request in a hundred is recorded
STEADY = 1.1
RECEIVER = """
import http.server

class Drop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drop)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def receiver(bench: Bench):
    cores = bench.all_cores[2:3] or bench.driver_cores
    process = subprocess.Popen(bench.pinned(cores, sys.executable, "-c", RECEIVER), stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def spans(server) -> dict[str, float]:
    """By outcome, so far."""
    _, text = server.get("/metrics")
    lines = [line for line in text.decode().splitlines() if line.startswith("bascule_trace_spans_total")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def run(bench: Bench, part: Part) -> None:
    body = bench.folder / "add_one_traced.json"
    body.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [*range(16)]}]}))
    load = lambda server, seconds: bench.wrk(f"{server.url}/v2/models/add_one/infer", CONNECTIONS, seconds, body,
                                             "application/json")["per_second"]
    with receiver(bench) as url, bench.server(ADD_ONE) as plain, \
            bench.server(ADD_ONE, "--otlp-endpoint", url, "--trace-sample", 0.01) as some, \
            bench.server(ADD_ONE, "--otlp-endpoint", url) as all_of_them:
        sides = {"one in a hundred": some, "every request": all_of_them}
        for server in (plain, *sides.values()):
            load(server, 1)  # warm
        rates: dict[str, list] = {name: [] for name in ("none", *sides)}
        for _ in bench.rounds():
            rates["none"].append(load(plain, bench.options.seconds))
            for name, server in sides.items():
                rates[name].append(load(server, bench.options.seconds))
        for name, server in sides.items():
            ratios = [rate / none for rate, none in zip(rates[name], rates["none"])]
            ratio, low_high, counts = median(ratios), spread(ratios), spans(server)
            sent = counts["exported"] / max(1, sum(counts.values()))
            goal = GOAL if name == "one in a hundred" else None
            part.add(Row(name, f"{ratio:.3f} of those without ({low_high[0]:.3f} to {low_high[1]:.3f})   "
                               f"{median(rates[name]):,.0f} requests/s, without {median(rates['none']):,.0f}; "
                               f"{100 * sent:.0f} % sent",
                         f">= {goal}" if goal else "", ratio >= goal if goal else None,
                         low_high[1] <= STEADY * low_high[0],
                         {"ratio": ratio, "range": low_high, "per_second": median(rates[name]),
                          "plain_per_second": median(rates["none"]), "spans": counts}))
