"""JPEG in, JSON out: requests a second of the server over pictures a second of a loop without a server."""

from __future__ import annotations

import json

from common import BUS, FRUIT, TRAY, Bench, Part, Row, fail, median, multipart, spread

NAME = "pipeline"
TITLE = "JPEG in, JSON out"
HOW = """The demo's fruit detector (YOLO26n). The *bare pipeline* (`bench/bare_pipeline.cc`) is the same decode,
letterbox, engine and suppression on one thread without a server; the *bare engine* (`bench/bare_engine.cc`) is ONNX
Runtime alone on a tensor of the same shape. `wrk` drives the server from another core; on all cores it shares them
with the server. `bus.jpg` (810 x 1,080) is the Ultralytics sample picture, which is not part of this repository; a tray (1,280 x
960) stands in for it where it is missing."""

GOAL = 0.97
STEADY_SPREAD = 0.1  # rounds further apart, or a server faster than the engine inside it, show the machine's other work


def letterboxed(shape: list[int], size: int, stride: int = 32) -> str:
    """The engine's input for a picture of this height and width: to the stride, not square."""
    scale = min(size / shape[0], size / shape[1])
    height, width = (-(-round(side * scale) // stride) * stride for side in shape)
    return f"1,3,{height},{width}"


def check_answer(server, body, content_type: str) -> dict:
    """One answer by hand before anything is measured: a fast server of errors is not fast."""
    status, answer = server.post("/models/fruit/predict", body.read_bytes(), content_type)
    if status != 200:
        fail(f"the server answers {status}: {answer[:200]!r}")
    return json.loads(answer)["images"][0]


def one(bench: Bench, part: Part, picture, size: int, cores: list[int], drivers: list[int]) -> None:
    seconds = bench.options.seconds
    body, content_type = multipart(bench.folder, picture, imgsz=size)
    ratios, engine_ratios, rates = [], [], []
    with bench.server(FRUIT, cores=cores) as server:
        image = check_answer(server, body, content_type)
        load = lambda length: bench.wrk(f"{server.url}/models/fruit/predict", 4 * len(cores), length, body, content_type,
                                        cores=drivers)
        load(1)  # warm
        for _ in bench.rounds():
            first = load(seconds)
            loop = bench.bare(cores, "bare_pipeline", "--model", FRUIT, "--picture", picture, "--imgsz", size,
                              "--seconds", seconds)
            second = load(seconds)
            engine = bench.bare(cores, "bare_engine", "--model", FRUIT, "--shape", letterboxed(image["shape"], size),
                                "--seconds", seconds)
            # The server before and after the loop, so that a drift of the machine meets both alike.
            rate = (first["requests"] + second["requests"]) / (first["seconds"] + second["seconds"])
            ratios.append(rate / loop["per_second"])
            engine_ratios.append(rate / engine["per_second"])
            rates.append(rate)
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"{ratio:.3f} of the bare pipeline ({low_high[0]:.3f} to {low_high[1]:.3f})   {median(engine_ratios):.3f} of "
             f"the bare engine   {median(rates):.1f} requests/s")
    part.add(Row(
        f"{picture.stem} at {size}, {'one core' if len(cores) == 1 else f'{len(cores)} cores'}", shown, f">= {GOAL}",
        ratio >= GOAL, max(ratios) - min(ratios) <= STEADY_SPREAD and median(engine_ratios) <= 1.02,
        {"objects": len(image["results"]), "requests_per_second": median(rates), "ratio": ratio, "range": low_high,
         "ratio_to_engine": median(engine_ratios)},
    ))


def run(bench: Bench, part: Part) -> None:
    big = BUS if BUS.exists() else TRAY
    for cores, drivers in ((bench.server_cores, bench.driver_cores), (bench.all_cores, bench.all_cores)):
        if cores == bench.all_cores and len(cores) == 1 and part.rows:
            break
        for picture, size in ((big, 640), (TRAY, 320)):
            one(bench, part, picture, size, cores, drivers)
            if bench.options.smoke:
                return
