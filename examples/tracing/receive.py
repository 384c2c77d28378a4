#!/usr/bin/env python3
"""Takes traces as OTLP over HTTP with JSON bodies, and prints each as a tree: for a look at what is sent, where no
Jaeger, Tempo or OpenTelemetry collector is at hand. Ends after SPANS spans, or goes on.

    receive.py [--port 4318] [--spans SPANS]
"""

import argparse
import http.server
import json

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--port", type=int, default=4318)
parser.add_argument("--spans", type=int, default=0)
options = parser.parse_args()
seen = 0


def show(span: dict, below: dict, depth: int) -> None:
    begin, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    facts = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
    print(f"{'  ' * depth}{span['name']}  {(end - begin) / 1e6:.3f} ms  "
          + " ".join(f"{key}={value}" for key, value in facts.items()), flush=True)
    for child in below.get(span["spanId"], []):
        show(child, below, depth + 1)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        global seen
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        spans = [s for r in body["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
        here = {span["spanId"] for span in spans}
        below: dict[str, list] = {}
        for span in spans:
            below.setdefault(span.get("parentSpanId", ""), []).append(span)
        for span in spans:
            if span.get("parentSpanId", "") not in here:
                show(span, below, 0)
        seen += len(spans)

    def log_message(self, *_: object) -> None:
        pass


server = http.server.HTTPServer(("127.0.0.1", options.port), Receiver)
while not options.spans or seen < options.spans:
    server.handle_request()
