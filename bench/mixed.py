"""Small models beside a large one on one server: how long the small ones' slowest answers take."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import shutil
import subprocess
import sys

from common import BUS, FRUIT, ROOT, TRAY, Bench, Part, Row, Skip, fail, median, multipart, spread

NAME = "mixed"
TITLE = "Small models beside a large one"
HOW = """One server with three models: the fruit detector, asked with JPEGs at 640, wine rows (gradient boosting, one row a
request) and text messages (spam or not, one sentence). 24 clients: 8 ask the detector without a pause, which leaves no core idle; 8 each
ask for rows and sentences, one request every 10 ms (`h2load --rps`), first of one model alone, then all three together, by turns of three
times the usual length. With the server on all cores the clients share them with it. Each round also takes the small ones together with empty loops of the lowest priority
that there is (`SCHED_IDLE`) in place of the detector, one for each of the server's cores: what a busy core costs on this machine whoever keeps it
busy. What counts is the 99th percentile of the
small models' answers, together over alone; with
`--priority` the paced clients go before all else, so that their own waiting for a core is not measured. Below that, for who wants to know, the same with 24 clients that all ask without a pause:
there each of three wants the whole core and has a third of it, and waits three times as long by that alone."""

GOAL = 2.0
CLIENTS = 8
RATE = 100  # requests a second of each client that pauses
PACED = 3  # times the length of a turn, for those: in one turn, two stalls of the machine are the slowest hundredth
LOOP_S = 180  # at most
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


def paced(bench: Bench, server, ask: Ask, seconds: float, cores: list[int]) -> dict:
    """As `load`, each client one request after the other at a fixed rate."""
    if not shutil.which("h2load"):
        raise Skip("h2load is missing; scripts/setup.sh --bench installs it")
    log = bench.folder / f"{ask.name}.log"
    log.unlink(missing_ok=True)  # it appends
    wanted = round(RATE * CLIENTS * seconds)
    first = ["nice", "-n", "-5"] if bench.options.priority else []
    done = subprocess.run(
        bench.pinned(cores, *first, "h2load", "--h1", "--threads=1", f"--clients={CLIENTS}", f"--rps={RATE}", f"--requests={wanted}",
                     f"--data={ask.body}", f"--header=content-type: {ask.content_type}", f"--log-file={log}", server.url + ask.route),
        capture_output=True, text=True, timeout=seconds + 60, check=False)
    answers = [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []
    if done.returncode != 0 or len(answers) != wanted or any(status != "200" for _, status, _ in answers):
        fail(f"h2load: {len(answers)} of {wanted} requests to {ask.route} were answered, or not all with 200: {done.stdout[-500:]}")
    took = sorted(int(us) for _, _, us in answers)
    began = [int(start) for start, _, _ in answers]
    return {"p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100],
            "per_second": len(took) / max((max(began) - min(began)) / 1e6, 1e-3)}


def together(bench: Bench, server, some: list, seconds: float, cores: list[int]) -> dict[str, dict]:
    """`some`: asks, each with the function that loads the server with it."""
    with concurrent.futures.ThreadPoolExecutor(len(some)) as pool:
        runs = {ask.name: pool.submit(how, bench, server, ask, seconds, cores) for ask, how in some}
        return {name: run.result() for name, run in runs.items()}


LOOP = f"""
import os, time
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
end = time.monotonic() + {LOOP_S}
while time.monotonic() < end:
    sum(range(20_000))
"""


@contextlib.contextmanager
def empty_loops(bench: Bench, cores: list[int]):
    loops = [subprocess.Popen(bench.pinned([core], sys.executable, "-c", LOOP)) for core in cores]
    try:
        yield
        if any(loop.poll() is not None for loop in loops):
            fail("an empty loop ended before what it was to keep waiting")
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def one(bench: Bench, part: Part, cores: list[int], drivers: list[int]) -> None:
    large, small = asks(bench)
    seconds = bench.options.seconds
    figures: dict = {(ask.name, how, where): [] for ask in (large, *small) for how in (load, paced)
                     for where in ("alone", "mixed", "loops")}
    with bench.server(FRUIT, WINE, SPAM, "--queue-budget-ms", 0, cores=cores) as server:
        for ask in (large, *small):
            status, answer = server.post(ask.route, ask.body.read_bytes(), ask.content_type)
            if status != 200:
                fail(f"the server answers {status}: {answer[:200]!r}")
            load(bench, server, ask, 1, drivers)  # warm
        for _ in bench.rounds():
            figures[large.name, load, "alone"].append(load(bench, server, large, seconds, drivers))
            for how, length in ((paced, PACED * seconds), (load, seconds)):
                for ask in small:
                    figures[ask.name, how, "alone"].append(how(bench, server, ask, length, drivers))
                result = together(bench, server, [(large, load), *((ask, how) for ask in small)], length, drivers)
                for name, one_figure in result.items():
                    figures[name, load if name == large.name else how, "mixed"].append(one_figure)
            with empty_loops(bench, cores):
                result = together(bench, server, [(ask, paced) for ask in small], PACED * seconds, drivers)
            for name, one_figure in result.items():
                figures[name, paced, "loops"].append(one_figure)
    where = "one core" if len(cores) == 1 else f"{len(cores)} cores"
    for ask in small:
        add_small(part, f"{ask.name}, {where}", figures[ask.name, paced, "alone"], figures[ask.name, paced, "mixed"], GOAL)
    for ask in small:
        add_small(part, f"{ask.name} beside empty loops, {where}", figures[ask.name, paced, "alone"], figures[ask.name, paced, "loops"], None)
    add_large(part, large, where, figures[large.name, load, "alone"], figures[large.name, load, "mixed"][0::2], "beside them")
    for ask in small:
        add_small(part, f"{ask.name} without a pause, {where}", figures[ask.name, load, "alone"], figures[ask.name, load, "mixed"], None)
    add_large(part, large, where, figures[large.name, load, "alone"], figures[large.name, load, "mixed"][1::2], "beside those")


def add_large(part: Part, large: Ask, where: str, alone: list[dict], mixed: list[dict], beside: str) -> None:
    rates = [median([one["per_second"] for one in some]) for some in (alone, mixed)]
    part.add(Row(f"{large.name} {beside}, {where}", f"{rates[1]:.1f} requests/s, alone {rates[0]:.1f}", "", None, True,
                 {"per_second": rates[1], "alone_per_second": rates[0]}))


def add_small(part: Part, name: str, alone: list[dict], mixed: list[dict], goal: float | None) -> None:
    p99, p50, rate = ([median([one[key] for one in some]) for some in (alone, mixed)]
                      for key in ("p99_us", "p50_us", "per_second"))
    ratios = [m["p99_us"] / a["p99_us"] for a, m in zip(alone, mixed)]
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"p99 {p99[1] / 1000:.2f} ms, alone {p99[0] / 1000:.2f} ms: {ratio:.1f} times ({low_high[0]:.1f} to "
             f"{low_high[1]:.1f})   median {p50[1] / 1000:.2f} ms, alone {p50[0] / 1000:.2f} ms   {rate[1]:,.0f} requests/s, "
             f"alone {rate[0]:,.0f}")
    part.add(Row(name, shown, "" if goal is None else f"<= {goal:g} times", None if goal is None else ratio <= goal,
                 goal is None or low_high[1] <= STEADY * low_high[0] or low_high[1] <= goal,
                 {"ratio": ratio, "range": low_high, "p99_us": p99[1], "alone_p99_us": p99[0], "p50_us": p50[1],
                  "alone_p50_us": p50[0], "per_second": rate[1], "alone_per_second": rate[0]}))


def run(bench: Bench, part: Part) -> None:
    one(bench, part, bench.server_cores, bench.driver_cores)
    if not bench.options.smoke and len(bench.all_cores) > 1:
        one(bench, part, bench.all_cores, bench.all_cores)
