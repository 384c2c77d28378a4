"""A small model over gRPC beside the real Triton, by turns."""

from __future__ import annotations

import json
import struct
import subprocess

from common import ADD_ONE, ROOT, Bench, Part, Row, Skip, fail, median, spread
from peers import VENV, Triton, cpu_seconds

NAME = "peers_grpc"
TITLE = "Beside Triton, over gRPC"
HOW = """As above, but one ModelInfer call after the other on each of the clients' own connections, the 16 floats as raw bytes.
`ghz` drives both from another core, and costs more than either server: where it has no more to give, the ratio is nearer
to one than the servers are. The processor time per request does not depend on it."""

GHZ = ROOT / "build/peers/ghz"
WIRE = ROOT / ".deps/wire/inference.pb"
CLIENTS = (1, 8, 32)
GOAL = 2


def field(number: int, content: bytes) -> bytes:
    """One length-delimited field of a protobuf message; all of ours are shorter than 128 bytes."""
    assert number < 16 and len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def infer_request(model: str) -> bytes:
    """ModelInferRequest: model_name (1), inputs (5) of name (1), datatype (2), shape (3); raw_input_contents (7)."""
    tensor = field(1, b"x") + field(2, b"FP32") + field(3, bytes([1, 16]))
    return field(1, model.encode()) + field(5, tensor) + field(7, struct.pack("<16f", *range(16)))


def ghz(bench: Bench, address: str, clients: int, body, seconds: float) -> dict:
    command = [GHZ, "--insecure", "--protoset", WIRE, "--call", "inference.GRPCInferenceService/ModelInfer", "--binary-file",
               body, "--concurrency", clients, "--connections", clients, "--duration", f"{max(1, round(seconds))}s",
               "--duration-stop", "ignore", "--cpus", 1, "--format", "json", address]
    done = subprocess.run(bench.pinned(bench.driver_cores, *command), capture_output=True, text=True, timeout=seconds + 60,
                          check=False)
    if done.returncode != 0:
        fail(f"ghz failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    report = json.loads(done.stdout)
    if set(report["statusCodeDistribution"]) != {"OK"}:
        fail(f"calls to {address} failed: {report['statusCodeDistribution']} {report.get('errorDistribution')}")
    p50 = next(one["latency"] for one in report["latencyDistribution"] if one["percentage"] == 50)
    return {"requests": report["count"], "per_second": report["rps"], "p50_us": p50 / 1e3}


def turn(bench: Bench, server, clients: int, body) -> dict:
    before = cpu_seconds(server.pid)
    load = ghz(bench, server.grpc_address, clients, body, bench.options.seconds)
    return {**load, "cpu_us": 1e6 * (cpu_seconds(server.pid) - before) / load["requests"]}


def one(bench: Bench, part: Part, servers: list, clients: int) -> None:
    turns: list[list[dict]] = [[], []]
    for _ in bench.rounds():
        for (server, body), some in zip(servers, turns):
            some.append(turn(bench, server, clients, body))
    ours, theirs = ([one["per_second"] for one in some] for some in turns)
    ratios = [o / t for o, t in zip(ours, theirs)]
    p50, cpu = ([median([one[key] for one in some]) for some in turns] for key in ("p50_us", "cpu_us"))
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"requests/s: {median(ours):,.0f}, Triton {median(theirs):,.0f}: {ratio:.1f} times better ({low_high[0]:.1f} to "
             f"{low_high[1]:.1f})   median {p50[0]:,.0f} us, Triton {p50[1]:,.0f} us   processor per request "
             f"{cpu[0]:.0f} us, Triton {cpu[1]:.0f} us")
    part.add(Row(f"{clients} client{'s' if clients > 1 else ''}", shown, f">= {GOAL} times", ratio >= GOAL,
                 low_high[1] <= 1.5 * low_high[0],
                 {"bascule": median(ours), "triton": median(theirs), "unit": "requests/s", "ratio": ratio,
                  "range": low_high, "bascule_p50_us": p50[0], "triton_p50_us": p50[1], "bascule_cpu_us": cpu[0],
                  "triton_cpu_us": cpu[1]}))


def run(bench: Bench, part: Part) -> None:
    if not VENV.exists():
        raise Skip("Triton is not here; bench/peers/setup.sh brings it (300 MB)")
    if not GHZ.exists():
        raise Skip("ghz is not here; bench/peers/setup.sh builds it where there is Go")
    with bench.server(ADD_ONE, grpc=True) as bascule, Triton(bench) as triton:
        servers = []
        for server, model in ((bascule, "add_one"), (triton, "tiny")):
            body = bench.folder / f"{model}.message"
            body.write_bytes(infer_request(model))
            servers.append((server, body))
            ghz(bench, server.grpc_address, 8, body, 1)  # warm
        for clients in CLIENTS if not bench.options.smoke else (1,):
            one(bench, part, servers, clients)
