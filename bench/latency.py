"""What the server adds to the engine's call for a small model."""

from __future__ import annotations

import json

from common import ADD_ONE, Bench, Part, Row, binary_body, median, spread

NAME = "latency"
TITLE = "What the server adds to a small model"
HOW = """`tests/data/general/add_one.onnx`, 16 floats, over REST on one connection: median of the whole round trip as
`wrk` sees it from another core, less the median of the bare engine call."""

GOAL_US = 50


def one(bench: Bench, part: Part, name: str, body, extra: list) -> None:
    added, served, called = [], [], []
    with bench.server(ADD_ONE) as server:
        url = f"{server.url}/v2/models/add_one/infer"
        bench.wrk(url, 1, 1, body, *extra)  # warm
        for _ in bench.rounds():
            load = bench.wrk(url, 1, bench.options.seconds, body, *extra)
            engine = bench.bare(bench.server_cores, "bare_engine", "--model", ADD_ONE, "--shape", "1,16", "--seconds",
                                bench.options.seconds / 2)
            served.append(load["p50_us"])
            called.append(engine["p50_us"])
            added.append(load["p50_us"] - engine["p50_us"])
    value, low_high = median(added), spread(added)
    shown = (f"{value:.0f} us added ({low_high[0]:.0f} to {low_high[1]:.0f}) to the engine's {median(called):.1f} us")
    part.add(Row(name, shown, f"< {GOAL_US} us", value < GOAL_US, True,
                 {"added_us": value, "range_us": low_high, "p50_us": median(served), "engine_us": median(called)}))


def run(bench: Bench, part: Part) -> None:
    text = bench.folder / "add_one.json"
    text.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [*range(16)]}]}))
    one(bench, part, "JSON both ways", text, ["application/json"])
    if bench.options.smoke:
        return
    body, head = binary_body(bench.folder, "add_one", "x", [1, 16])
    one(bench, part, "binary both ways", body, ["application/octet-stream", head])
