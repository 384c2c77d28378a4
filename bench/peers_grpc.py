"""A small model over gRPC beside the real Triton, by turns."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import struct
import subprocess
import urllib.request

import grpc

from common import ADD_ONE, Bench, Part, Row, Skip, fail, median, spread
from peers import VENV, Triton, cpu_seconds

NAME = "peers_grpc"
TITLE = "Beside Triton, over gRPC"
HOW = """As above, but one ModelInfer call after the other on each of the clients' own connections, the 16 floats as raw bytes.
`h2load` drives both from another core; it sends the same HTTP/2 as a gRPC client, at half of what either server costs, so
that the server's core is what is full. It does not read gRPC's statuses: the servers' own statistics must count as many inferences
as it had answers."""

CLIENTS = (1, 8, 32)
GOAL = 2
METHOD = "/inference.GRPCInferenceService/ModelInfer"


def field(number: int, content: bytes) -> bytes:
    """One length-delimited field of a protobuf message; all of ours are shorter than 128 bytes."""
    assert number < 16 and len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def infer_request(model: str) -> bytes:
    """ModelInferRequest: model_name (1), inputs (5) of name (1), datatype (2), shape (3); raw_input_contents (7)."""
    tensor = field(1, b"x") + field(2, b"FP32") + field(3, bytes([1, 16]))
    return field(1, model.encode()) + field(5, tensor) + field(7, struct.pack("<16f", *range(16)))


class Peer:
    """One of the two servers with the request that it is asked."""

    def __init__(self, bench: Bench, server, model: str) -> None:
        self.server, self.stats_url = server, f"{server.url}/v2/models/{model}/stats"
        message = infer_request(model)
        self.body = bench.folder / f"{model}.message"
        self.body.write_bytes(b"\0" + struct.pack(">I", len(message)) + message)  # as gRPC frames it: not compressed, size
        with grpc.insecure_channel(server.grpc_address) as channel:
            reply = channel.unary_unary(METHOD)(message, timeout=30)
        if not reply.endswith(struct.pack("<16f", *range(1, 17))):
            fail(f"{server.grpc_address} answers {reply!r}")

    def inferences(self) -> int:
        with urllib.request.urlopen(self.stats_url, timeout=30) as reply:
            return int(json.load(reply)["model_stats"][0]["inference_count"])


def h2load(bench: Bench, address: str, body: pathlib.Path, clients: int, seconds: float) -> dict:
    done = subprocess.run(
        bench.pinned(bench.driver_cores, "h2load", "--threads=1", f"--clients={clients}", "--max-concurrent-streams=1",
                     f"--duration={max(1, round(seconds))}", f"--data={body}", "--header=content-type: application/grpc",
                     "--header=te: trailers", f"http://{address}{METHOD}"),
        capture_output=True, text=True, timeout=seconds + 60, check=False)
    counts = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded", done.stdout)
    took = re.search(r"finished in ([\d.]+)s", done.stdout)
    mean = re.search(r"time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)\s", done.stdout)
    if done.returncode != 0 or not (counts and took and mean) or counts[1] != counts[2]:
        fail(f"h2load failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    requests = int(counts[1])
    return {"requests": requests, "per_second": requests / float(took[1]),
            "mean_us": float(mean[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[mean[2]]}


def turn(bench: Bench, peer: Peer, clients: int) -> dict:
    inferences, before = peer.inferences(), cpu_seconds(peer.server.pid)
    load = h2load(bench, peer.server.grpc_address, peer.body, clients, bench.options.seconds)
    cpu = cpu_seconds(peer.server.pid) - before
    counted = peer.inferences() - inferences
    if counted < load["requests"] - clients:  # the last of each may not be counted yet
        fail(f"{peer.stats_url} counts {counted} inferences of {load['requests']} requests")
    return {**load, "cpu_us": 1e6 * cpu / load["requests"]}


def one(bench: Bench, part: Part, peers: list[Peer], clients: int) -> None:
    turns: list[list[dict]] = [[], []]
    for _ in bench.rounds():
        for peer, some in zip(peers, turns):
            some.append(turn(bench, peer, clients))
    ours, theirs = ([one["per_second"] for one in some] for some in turns)
    ratios = [o / t for o, t in zip(ours, theirs)]
    mean, cpu = ([median([one[key] for one in some]) for some in turns] for key in ("mean_us", "cpu_us"))
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"requests/s: {median(ours):,.0f}, Triton {median(theirs):,.0f}: {ratio:.1f} times better ({low_high[0]:.1f} to "
             f"{low_high[1]:.1f})   mean {mean[0]:,.0f} us, Triton {mean[1]:,.0f} us   processor per request "
             f"{cpu[0]:.0f} us, Triton {cpu[1]:.0f} us: {cpu[1] / cpu[0]:.1f} times less")
    part.add(Row(f"{clients} client{'s' if clients > 1 else ''}", shown, f">= {GOAL} times", ratio >= GOAL,
                 low_high[1] <= 1.5 * low_high[0],
                 {"bascule": median(ours), "triton": median(theirs), "unit": "requests/s", "ratio": ratio,
                  "range": low_high, "bascule_mean_us": mean[0], "triton_mean_us": mean[1], "bascule_cpu_us": cpu[0],
                  "triton_cpu_us": cpu[1]}))


def run(bench: Bench, part: Part) -> None:
    if not VENV.exists():
        raise Skip("Triton is not here; bench/peers/setup.sh brings it (300 MB)")
    if not shutil.which("h2load"):
        raise Skip("h2load is missing; scripts/setup.sh --bench installs it")
    with bench.server(ADD_ONE, grpc=True) as bascule, Triton(bench) as triton:
        peers = [Peer(bench, bascule, "add_one"), Peer(bench, triton, "tiny")]
        for peer in peers:
            h2load(bench, peer.server.grpc_address, peer.body, 8, 1)  # warm
        for clients in CLIENTS if not bench.options.smoke else (1,):
            one(bench, part, peers, clients)
