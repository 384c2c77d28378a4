"""What it brings that requests which wait together share a run."""

from __future__ import annotations

import models
from common import Bench, Part, Row, binary_body, median, spread

NAME = "batching"
TITLE = "Shared runs"
HOW = """512 floats in, 64 out, two layers: 2.4 MB of weights, and the same with eight times as many (19 MB, both made
by the bench). 32 connections, binary v2, the server on one core and `wrk` on another; requests a second with the
server's defaults over those with `--max-batch-size 1`, by turns."""

CONNECTIONS = 32


def one(bench: Bench, part: Part, name: str, hidden: int, goal: float) -> None:
    path = models.two_layers(bench, f"matmul_{hidden}", hidden)
    body, head = binary_body(bench.folder, path.stem, "x", [1, 512])
    ratios, alone, shared = [], [], []
    with bench.server(path) as joined, bench.server(path, "--max-batch-size", 1) as single:
        load = lambda server, seconds: bench.wrk(f"{server.url}/v2/models/{path.stem}/infer", CONNECTIONS, seconds, body,
                                                 "application/octet-stream", head)
        for server in (joined, single):
            load(server, 1)  # warm
        for _ in bench.rounds():
            alone.append(load(single, bench.options.seconds)["per_second"])
            shared.append(load(joined, bench.options.seconds)["per_second"])
            ratios.append(shared[-1] / alone[-1])
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"{ratio:.2f} times batch 1 ({low_high[0]:.2f} to {low_high[1]:.2f})   {median(shared):,.0f} requests/s, "
             f"batch 1 {median(alone):,.0f}")
    part.add(Row(name, shown, f">= {goal}", ratio >= goal, low_high[1] <= 1.3 * low_high[0],
                 {"ratio": ratio, "range": low_high, "per_second": median(shared), "alone_per_second": median(alone)}))


def run(bench: Bench, part: Part) -> None:
    one(bench, part, "2.4 MB of weights", 1024, 1.8)
    if not bench.options.smoke:
        one(bench, part, "19 MB of weights", 8192, 3)
