"""A small model beside the real Triton, by turns."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from common import ADD_ONE, ROOT, Bench, Part, Row, Skip, fail, median, spread, thread_seconds, threads_of

NAME = "peers"
TITLE = "Beside Triton"
HOW = """16 floats as JSON over REST, each server on the same one core with all its processes, `wrk` on another, by turns.
Triton is the real tritonserver 2.51 that the Python package `nvidia-pytriton` carries (`bench/peers/setup.sh` brings
it). No package registry has its own ONNX backend, so its Python backend calls ONNX Runtime: its figures hold one hop
through shared memory to a Python process, and **a Triton with its native backend would be faster than this** by an
unknown part. It may share runs, as Bascule may. Processor time is that of all of a server's processes."""

VENV = ROOT / "build/peers/venv"
GOALS = {1: 5, 32: 3}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def processes_of(pid: int) -> list[int]:
    """A process and all below it."""
    out = [pid]
    for thread in threads_of(pid):
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:
            continue
        for child in children:
            out += processes_of(int(child))
    return out


def cpu_seconds(pid: int) -> float:
    return sum(thread_seconds(one, thread) for one in processes_of(pid) for thread in threads_of(one))


class Triton:
    def __init__(self, bench: Bench) -> None:
        port, grpc_port = free_port(), free_port()
        self.url, self.grpc_address = f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}"
        self.log = bench.folder / "triton.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                bench.pinned(bench.server_cores, ROOT / "bench/peers/start_triton.sh", port, ADD_ONE, grpc_port), stdout=log,
                stderr=subprocess.STDOUT, process_group=0)  # a session would have its own share of the processor
        self.pid = self.process.pid
        limit = time.monotonic() + 60
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.__exit__()
                fail(f"Triton did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v2/models/tiny/ready", timeout=1):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def __enter__(self) -> "Triton":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def check(url: str, body: bytes) -> None:
    """Both must give the right answer before either is measured."""
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=30) as reply:
        data = json.load(reply)["outputs"][0]["data"]
    if data != [i + 1.0 for i in range(16)]:
        fail(f"{url} answers {data}")


def turn(bench: Bench, server, url: str, connections: int, body) -> dict:
    before = cpu_seconds(server.pid)
    load = bench.wrk(url, connections, bench.options.seconds, body, "application/json")
    return {**load, "cpu_us": 1e6 * (cpu_seconds(server.pid) - before) / load["requests"]}


def one(bench: Bench, part: Part, servers: list, connections: int, body) -> None:
    turns: list[list[dict]] = [[], []]
    for _ in bench.rounds():
        for (server, url), some in zip(servers, turns):
            some.append(turn(bench, server, url, connections, body))
    latency = connections == 1
    value = "p50_us" if latency else "per_second"
    ours, theirs = ([one[value] for one in some] for some in turns)
    ratios = [t / o if latency else o / t for o, t in zip(ours, theirs)]
    cpu = [median([one["cpu_us"] for one in some]) for some in turns]
    ratio, low_high, goal = median(ratios), spread(ratios), GOALS[connections]
    unit = "median, us" if latency else "requests/s"
    shown = (f"{unit}: {median(ours):,.0f}, Triton {median(theirs):,.0f}: {ratio:.1f} times better ({low_high[0]:.1f} to "
             f"{low_high[1]:.1f})   processor per request {cpu[0]:.0f} us, Triton {cpu[1]:.0f} us")
    part.add(Row(f"{connections} connection{'s' if connections > 1 else ''}", shown, f">= {goal} times", ratio >= goal,
                 low_high[1] <= 1.5 * low_high[0],
                 {"bascule": median(ours), "triton": median(theirs), "unit": unit, "ratio": ratio, "range": low_high,
                  "bascule_cpu_us": cpu[0], "triton_cpu_us": cpu[1]}))


def run(bench: Bench, part: Part) -> None:
    if not VENV.exists():
        raise Skip("Triton is not here; bench/peers/setup.sh brings it (300 MB)")
    body = bench.folder / "tiny.json"
    body.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [*range(16)]}]}))
    with bench.server(ADD_ONE) as bascule, Triton(bench) as triton:
        servers = [(bascule, f"{bascule.url}/v2/models/add_one/infer"), (triton, f"{triton.url}/v2/models/tiny/infer")]
        for server, url in servers:
            check(url, body.read_bytes())
            bench.wrk(url, 8, 1, body, "application/json")  # warm
        for connections in GOALS if not bench.options.smoke else (1,):
            one(bench, part, servers, connections, body)
