"""How long it takes from a camera's frame to the alert at its receiver."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

from common import FRUIT, TRAY, Bench, Part, Row, fail, median

NAME = "alerts"
TITLE = "From a frame to its alert"
HOW = """An application on one core with the fruit detector, a rule that each frame fires, and a webhook; frames of 1,280 x 960 pixels come 10
times a second, pushed over HTTP. Each alert is written to the disk (SQLite, `synchronous=FULL`) before it is sent. Measured from the
first byte of the frame's request to the whole alert at its receiver, another process on another core; what the model takes (`mean_inference_ms`:
decoding, run, boxes) is taken off. The disk's own time to write through is in it: beside it stands that of 4 KB and `fdatasync` in the
same folder."""

GOAL_MS = 150.0
FPS = 10
RECEIVER = """
import http.server, json, sys, time

class Take(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(event["frame"], time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Take)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def receiver(bench: Bench):
    process = subprocess.Popen(bench.pinned(bench.driver_cores, sys.executable, "-c", RECEIVER), stdout=subprocess.PIPE, text=True)
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def disk_ms(bench: Bench) -> float:
    """How long the disk takes to have 4 KB: the median of 50."""
    took = []
    with (bench.folder / "disk").open("wb", buffering=0) as file:
        for _ in range(50):
            before = time.monotonic()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append(1000 * (time.monotonic() - before))
    return median(took)


def push(server, picture: bytes) -> float:
    """When the frame was sent."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        sent = time.clock_gettime(time.CLOCK_MONOTONIC)
        connection.sendall(b"POST /apps/camera/frames HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(picture) + picture)
        answer = connection.makefile("rb").readline()
        if b" 202 " not in answer:
            fail(f"the server answers {answer!r} to a frame")
    return sent


def run(bench: Bench, part: Part) -> None:
    frames = 20 if bench.options.smoke else max(200, round(50 * FPS * bench.options.seconds / 2))
    picture = TRAY.read_bytes()
    with receiver(bench) as (process, port):
        file = bench.folder / "alerts.yaml"
        file.write_text(json.dumps({"applications": [{
            "name": "camera", "source": {"push": True}, "model": str(FRUIT),
            "rules": [{"name": "every", "when": "true"}],
            "sinks": {"alarm": {"webhook": f"http://127.0.0.1:{port}/", "allow_private": True}}}]}))
        with bench.server("--config", file) as server:
            took = []
            for number in range(1, frames + 11):
                began = time.monotonic()
                sent = push(server, picture)
                frame, came = process.stdout.readline().split()
                if int(frame) != number:
                    fail(f"the alert of frame {frame} came where that of {number} was due")
                if number > 10:  # the first ones warm up
                    took.append(1000 * (float(came) - sent))
                time.sleep(max(0.0, 1 / FPS - (time.monotonic() - began)))
            inference = json.loads(server.get("/apps/camera")[1])["mean_inference_ms"]
    took.sort()
    p50, p99 = (took[len(took) * share // 100] - inference for share in (50, 99))
    disk = disk_ms(bench)
    part.add(Row("beyond the inference", f"median {p50:.1f} ms, p99 {p99:.1f} ms, most {took[-1] - inference:.1f} ms of {len(took)} frames   "
                 f"inference {inference:.1f} ms   the disk {disk:.1f} ms", f"p99 < {GOAL_MS:g} ms", p99 < GOAL_MS, True,
                 {"p50_ms": p50, "p99_ms": p99, "inference_ms": inference, "disk_ms": disk}))
