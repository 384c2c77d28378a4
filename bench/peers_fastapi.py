"""A small model and a detector beside ONNX Runtime behind FastAPI, written by hand."""

from __future__ import annotations

import json

import reference
from common import ADD_ONE, FRUIT, Bench, Part, Row, Skip, fail, median, spread
from peers import check
from python_peers import PythonServer, fastapi_python, rested

NAME = "peers_fastapi"
TITLE = "Beside ONNX Runtime behind FastAPI"
HOW = """What a good Python user writes by hand (`bench/peers/fastapi_app.py`): FastAPI and uvicorn in one process, ONNX Runtime
with as many threads as cores. *16 floats* as JSON over REST; *JPEG* is `bus.jpg` (a tray stands in for it where it is missing)
decoded, letterboxed to 640 x 640 by OpenCV, and boxes as JSON; Bascule with `--letterbox square`, so that both do the same work.
Both servers on the same cores, `wrk` on another, on all cores it shares them; by turns. Both find the same boxes on a tray before
anything is timed. The package `ultralytics` behind FastAPI stands below."""


def turns(bench: Bench, sides: list, clients: int, drivers: list[int]) -> list[list[dict]]:
    load = lambda side, seconds: bench.wrk(side[0], clients, seconds, *side[1:], cores=drivers)
    for side in sides:
        load(side, 1)  # warm
    return [[rested(lambda: load(side, bench.options.seconds), clients) for side in sides] for _ in bench.rounds()]


def add(part: Part, name: str, pairs: list[list[dict]]) -> None:
    ratios = [ours["per_second"] / theirs["per_second"] for ours, theirs in pairs]
    rate, p50 = ([median([pair[i][key] for pair in pairs]) for i in (0, 1)] for key in ("per_second", "p50_us"))
    ratio, low_high = median(ratios), spread(ratios)
    digits = 0 if rate[1] > 100 else 1
    shown = (f"requests/s: {rate[0]:,.{digits}f}, FastAPI {rate[1]:,.{digits}f}: {ratio:.1f} times better ({low_high[0]:.1f} to "
             f"{low_high[1]:.1f})   median {p50[0] / 1000:.2f} ms, FastAPI {p50[1] / 1000:.2f} ms")
    part.add(Row(name, shown, "", None, low_high[1] <= 1.5 * low_high[0],
                 {"bascule": rate[0], "fastapi": rate[1], "ratio": ratio, "range": low_high, "p50_us": p50[0],
                  "fastapi_p50_us": p50[1]}))


def on(bench: Bench, part: Part, cores: list[int], drivers: list[int]) -> None:
    ours, theirs = bench.folder / "v2.json", bench.folder / "fastapi.json"
    ours.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [*range(16)]}]}))
    theirs.write_text(json.dumps({"data": [[*range(16)]]}))
    body, content_type = reference.multipart(bench.folder, reference.picture_of(), imgsz=640)
    where = reference.where(cores)
    with PythonServer(bench, cores, "fastapi_app", FRUIT, fastapi_python(), BENCH_TINY=str(ADD_ONE)) as peer, bench.server(
            FRUIT, ADD_ONE, "--letterbox", "square", "--queue-budget-ms", 0, cores=cores) as server:
        tiny = [(f"{server.url}/v2/models/add_one/infer", ours, "application/json"), (f"{peer.url}/tiny", theirs, "application/json")]
        check(tiny[0][0], ours.read_bytes())
        if json.loads(peer.post("/tiny", theirs.read_bytes(), "application/json"))["y"] != [[i + 1.0 for i in range(16)]]:
            fail("FastAPI gives a wrong answer")
        reference.check(bench, server, lambda picture: json.loads(peer.post("/detect", picture.read_bytes(), "image/jpeg")),
                        reference.BOUND)
        jpeg = [(f"{server.url}/models/fruit/predict", body, content_type), (f"{peer.url}/detect", reference.picture_of(), "image/jpeg")]
        for what, sides, counts in (("16 floats", tiny, (1, 32)), ("JPEG", jpeg, (1, 8))):
            for clients in counts[: 1 if bench.options.smoke else 2]:
                name = f"{what}, {clients} client{'s' if clients > 1 else ''}, {where}"
                add(part, name, turns(bench, sides, clients, drivers))


def run(bench: Bench, part: Part) -> None:
    if not fastapi_python():
        raise Skip("FastAPI is not here; bench/peers/setup.sh brings it")
    on(bench, part, bench.server_cores, bench.driver_cores)
    if len(bench.all_cores) > 1 and not bench.options.smoke:
        on(bench, part, bench.all_cores, bench.all_cores)
