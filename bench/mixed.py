"""Small models beside a large one on one server: how long the small ones' slowest answers take."""

from __future__ import annotations

import concurrent.futures
import json

from common import BUS, FRUIT, ROOT, TRAY, Bench, Part, Row, fail, median, multipart, spread

NAME = "mixed"
TITLE = "Small models beside a large one"
HOW = """One server with three models: the fruit detector, asked with JPEGs at 640, wine rows (gradient boosting, one row a
request) and text messages (spam or not, one sentence). 8 clients each ask without a pause, first one of the small models
alone, then all three together, by turns; a client of the detector alone leaves no core idle. `wrk` drives them from another core;
with the server on all cores it shares them with it, so that its own waiting counts as well. What counts is the 99th percentile of the
small models' answers, together over alone."""

GOAL = 2.0
CLIENTS = 8
STEADY = 1.6  # ratios of rounds further apart than this decide nothing
WINE = ROOT / "tests/data/general/wine_classifier.onnx"
SPAM = ROOT / "tests/data/general/sms_spam.onnx"
SENTENCE = "Please CALL 08712402972 immediately as there is an urgent message waiting for you"


class Ask:
    """One model and what its clients send."""

    def __init__(self, name: str, route: str, body, content_type: str) -> None:
        self.name, self.route, self.body, self.content_type = name, route, body, content_type


def asks(bench: Bench) -> tuple[Ask, list[Ask]]:
    """The large one; the small ones."""
    row, text = bench.folder / "row.json", bench.folder / "sentence.json"
    expected = json.loads((ROOT / "tests/data/expected/general/wine_classifier.json").read_text())
    row.write_text(json.dumps({"rows": expected["inputs"]["features"][:1]}))
    text.write_text(json.dumps({"text": SENTENCE}))
    body, content_type = multipart(bench.folder, BUS if BUS.exists() else TRAY, imgsz=640)
    return (Ask("JPEG", "/models/fruit/predict", body, content_type),
            [Ask("row", "/models/wine_classifier/predict", row, "application/json"),
             Ask("sentence", "/models/sms_spam/predict", text, "application/json")])


def load(bench: Bench, server, ask: Ask, seconds: float, cores: list[int]) -> dict:
    return bench.wrk(server.url + ask.route, CLIENTS, seconds, ask.body, ask.content_type, cores=cores)


def together(bench: Bench, server, some: list[Ask], seconds: float, cores: list[int]) -> dict[str, dict]:
    with concurrent.futures.ThreadPoolExecutor(len(some)) as pool:
        runs = {ask.name: pool.submit(load, bench, server, ask, seconds, cores) for ask in some}
        return {name: run.result() for name, run in runs.items()}


def one(bench: Bench, part: Part, cores: list[int], drivers: list[int]) -> None:
    large, small = asks(bench)
    seconds = bench.options.seconds
    alone: dict[str, list[dict]] = {ask.name: [] for ask in (large, *small)}
    mixed: dict[str, list[dict]] = {ask.name: [] for ask in (large, *small)}
    with bench.server(FRUIT, WINE, SPAM, "--queue-budget-ms", 0, cores=cores) as server:
        for ask in (large, *small):
            status, answer = server.post(ask.route, ask.body.read_bytes(), ask.content_type)
            if status != 200:
                fail(f"the server answers {status}: {answer[:200]!r}")
            load(bench, server, ask, 1, drivers)  # warm
        for _ in bench.rounds():
            for ask in (large, *small):
                alone[ask.name].append(load(bench, server, ask, seconds, drivers))
            for name, result in together(bench, server, [large, *small], seconds, drivers).items():
                mixed[name].append(result)
    where = "one core" if len(cores) == 1 else f"{len(cores)} cores"
    for ask in small:
        add_small(part, ask.name, where, alone[ask.name], mixed[ask.name])
    rates = [median([one["per_second"] for one in some]) for some in (alone[large.name], mixed[large.name])]
    part.add(Row(f"{large.name} beside them, {where}", f"{rates[1]:.1f} requests/s, alone {rates[0]:.1f}", "", None, True,
                 {"per_second": rates[1], "alone_per_second": rates[0]}))


def add_small(part: Part, name: str, where: str, alone: list[dict], mixed: list[dict]) -> None:
    p99, p50, rate = ([median([one[key] for one in some]) for some in (alone, mixed)]
                      for key in ("p99_us", "p50_us", "per_second"))
    ratios = [m["p99_us"] / a["p99_us"] for a, m in zip(alone, mixed)]
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"p99 {p99[1] / 1000:.2f} ms, alone {p99[0] / 1000:.2f} ms: {ratio:.1f} times ({low_high[0]:.1f} to "
             f"{low_high[1]:.1f})   median {p50[1] / 1000:.2f} ms, alone {p50[0] / 1000:.2f} ms   {rate[1]:,.0f} requests/s, "
             f"alone {rate[0]:,.0f}")
    part.add(Row(f"{name}, {where}", shown, f"<= {GOAL:g} times", ratio <= GOAL,
                 low_high[1] <= STEADY * low_high[0] or low_high[1] <= GOAL,
                 {"ratio": ratio, "range": low_high, "p99_us": p99[1], "alone_p99_us": p99[0], "p50_us": p50[1],
                  "alone_p50_us": p50[0], "per_second": rate[1], "alone_per_second": rate[0]}))


def run(bench: Bench, part: Part) -> None:
    one(bench, part, bench.server_cores, bench.driver_cores)
    if not bench.options.smoke and len(bench.all_cores) > 1:
        one(bench, part, bench.all_cores, bench.all_cores)
