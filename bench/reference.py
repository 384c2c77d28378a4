"""Beside the reference package: a loop over `predict` in Python, and the same behind FastAPI."""

from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile

from common import BINARY, BUS, FRUIT, TRAY, Bench, Part, Row, Skip, fail, median, multipart, spread
from python_peers import PEERS, PythonServer, rested, ultralytics_python

NAME = "reference"
TITLE = "Beside the reference package"
HOW = """The demo's fruit detector (YOLO26n) on `bus.jpg` at 640 (a tray stands in for it where it is missing), from the file to
boxes, by turns on the same cores. The reference is `YOLO(MODEL).predict(PATH)` of the package `ultralytics` with ONNX Runtime
in a warm Python process, and the same behind FastAPI and uvicorn; both with as many engine threads as cores, which is their fastest.
Bascule is asked over HTTP with its defaults. *In a loop*: the loop's pictures a second, beside Bascule's with 4 clients a core.
*One after the other*: a call's median time, beside a request's with one client and `--threads` for all cores. Behind FastAPI the
same generator (`wrk`) drives both; on all cores it shares them. Before anything is timed, both find the same boxes on a tray
and on the picture: matched by their overlap, with confidences within 0.01 (with bf16, within 0.05). *Tuned* is
`--engine openvino --precision bf16`, measured where the processor has bf16."""

GOAL = 1.2
TUNED_GOAL = 2.0
BOUND, TUNED_BOUND = 0.01, 0.05  # of confidences
OVERLAP = 0.95  # of matched boxes
UNSURE = 0.3  # a box below this may be missed by the other, which asks for 0.25
TUNED = ("--engine", "openvino", "--precision", "bf16")


class Loop:
    """bench/peers/ultralytics_loop.py on some cores, until the block ends."""

    def __init__(self, bench: Bench, cores: list[int]) -> None:
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            bench.pinned(cores, ultralytics_python(), PEERS / "ultralytics_loop.py", FRUIT, len(cores)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.answer()

    def answer(self):
        for line in self.process.stdout:
            if line[0] in '["':  # the package prints, too
                return json.loads(line)
        self.log.seek(0)
        return fail(f"the loop over predict failed: {self.log.read()[-1000:]}")

    def ask(self, words: str):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return self.answer()

    def __enter__(self) -> "Loop":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(30)


def overlap(a: list[float], b: list[float]) -> float:
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / max(area(a) + area(b) - width * height, 1e-9)


def furthest(ours: list[dict], theirs: list[dict]) -> float:
    """The largest difference of the confidences of boxes that match; 1 where a sure one has no match."""
    worst, left = 0.0, list(ours)
    for box in theirs:
        same = [one for one in left if one["class"] == box["class"]]
        best = max(same, key=lambda one: overlap(one["box"], box["box"]), default=None)
        if best is None or overlap(best["box"], box["box"]) < OVERLAP:
            worst = max(worst, 1.0 if box["confidence"] > UNSURE else 0.0)
            continue
        left.remove(best)
        worst = max(worst, abs(best["confidence"] - box["confidence"]))
    return max([worst, *(1.0 for one in left if one["confidence"] > UNSURE)])


def our_boxes(bench: Bench, server, picture: pathlib.Path) -> list[dict]:
    body, content_type = multipart(bench.folder, picture, imgsz=640)
    status, answer = server.post("/models/fruit/predict", body.read_bytes(), content_type)
    if status != 200:
        fail(f"the server answers {status}: {answer[:200]!r}")
    return [{"class": one["class"], "confidence": one["confidence"], "box": [one["box"][side] for side in ("x1", "y1", "x2", "y2")]}
            for one in json.loads(answer)["images"][0]["results"]]


def check(bench: Bench, server, theirs, bound: float) -> float:
    """Fails where the two find something else; how far apart their confidences are."""
    worst = 0.0
    for picture in {TRAY, picture_of()}:
        expected = theirs(picture)
        if picture == TRAY and not expected:
            fail("the reference finds nothing on the tray")
        worst = max(worst, furthest(our_boxes(bench, server, picture), expected))
    if worst > bound:
        fail(f"the answers are not the reference's: confidences differ by {worst:.3f}, more than {bound}, or a box is missing")
    return worst


def picture_of() -> pathlib.Path:
    return BUS if BUS.exists() else TRAY


def where(cores: list[int]) -> str:
    return "one core" if len(cores) == 1 else f"{len(cores)} cores"


def add(part: Part, name: str, turns: list[tuple[float, float]], unit: str, goal: float | None, **more: object) -> None:
    """`turns`: ours and theirs of each round; less is better for a time."""
    ratios = [theirs / ours if unit == "ms" else ours / theirs for ours, theirs in turns]
    ours, theirs = (median([one[i] for one in turns]) for i in (0, 1))
    ratio, low_high = median(ratios), spread(ratios)
    shown = (f"{unit}: {ours:,.1f}, reference {theirs:,.1f}: {ratio:.2f} times better ({low_high[0]:.2f} to {low_high[1]:.2f})"
             f"   confidences within {more['apart']:.4f}")
    part.add(Row(name, shown, f">= {goal:g} times" if goal else "", ratio >= goal if goal else None,
                 low_high[1] <= 1.3 * low_high[0],
                 {"bascule": ours, "reference": theirs, "unit": unit, "ratio": ratio, "range": low_high, **more}))


def beside_loop(bench: Bench, part: Part, cores: list[int], flags: tuple, goal: float | None) -> None:
    body, content_type = multipart(bench.folder, picture_of(), imgsz=640)
    bound, tuned, seconds = (TUNED_BOUND, "tuned, ", bench.options.seconds) if flags else (BOUND, "", bench.options.seconds)
    with Loop(bench, cores) as loop:
        theirs = lambda: loop.ask(f"run {seconds} {picture_of()}")
        rate = lambda took: len(took) / sum(took)
        for alone, more in ((False, ()), (True, ("--instances", 1, "--threads", len(cores)))):
            with bench.server(FRUIT, "--queue-budget-ms", 0, *flags, *more, cores=cores) as server:
                apart = check(bench, server, lambda picture: loop.ask(f"boxes {picture}"), bound)
                load = lambda length: bench.wrk(f"{server.url}/models/fruit/predict", 1 if alone else 4 * len(cores), length,
                                                body, content_type, cores=cores if alone else bench.all_cores)
                load(1), loop.ask(f"run 1 {picture_of()}")  # warm
                turns = []
                for _ in bench.rounds():
                    ours, took = load(seconds), theirs()
                    turns.append((ours["p50_us"] / 1e3, 1e3 * median(took)) if alone else (ours["per_second"], rate(took)))
            name = f"{tuned}{'one after the other' if alone else 'in a loop'}, {where(cores)}"
            add(part, name, turns, "ms" if alone else "pictures/s", None if alone else goal, apart=apart)


def beside_fastapi(bench: Bench, part: Part, cores: list[int], flags: tuple, goal: float | None) -> None:
    body, content_type = multipart(bench.folder, picture_of(), imgsz=640)
    apps = PythonServer(bench, cores, "ultralytics_app", FRUIT, ultralytics_python())
    with apps as peer, bench.server(FRUIT, "--queue-budget-ms", 0, *flags, cores=cores) as server:
        apart = check(bench, server, lambda picture: json.loads(peer.post("/detect", picture.read_bytes(), "image/jpeg")),
                      TUNED_BOUND if flags else BOUND)
        drivers = bench.all_cores if len(cores) > 1 else bench.driver_cores
        sides = ((f"{server.url}/models/fruit/predict", body, content_type), (f"{peer.url}/detect", picture_of(), "image/jpeg"))
        load = lambda side, clients, length: bench.wrk(side[0], clients, length, *side[1:], cores=drivers)
        for side in sides:
            load(side, 1, 1)  # warm
        for clients in (1, 8):
            turns = [tuple(rested(lambda: load(side, clients, bench.options.seconds)["per_second"], clients) for side in sides)
                     for _ in bench.rounds()]
            name = f"{'tuned, ' if flags else ''}behind FastAPI, {clients} client{'s' if clients > 1 else ''}, {where(cores)}"
            add(part, name, turns, "pictures/s", goal if clients > 1 else None, apart=apart)


def why_not_tuned() -> str:
    """Why there is no tuned row here; empty where there is one."""
    known = subprocess.run([BINARY, "inspect", FRUIT], capture_output=True, text=True, timeout=60, check=False).stdout
    if "\nprecision " not in known:
        return "this build has no engine that computes with bf16"
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    return "" if "bf16" in cpu else "the processor has no bf16"


def run(bench: Bench, part: Part) -> None:
    if not ultralytics_python():
        raise Skip("ultralytics is not here; BASCULE_ULTRALYTICS_PYTHON names a Python that has it, and "
                   "bench/peers/setup.sh --ultralytics makes one")
    why_not = why_not_tuned()
    sides = [((), GOAL)] + ([] if why_not else [(TUNED, TUNED_GOAL)])
    both = [bench.all_cores, bench.server_cores] if len(bench.all_cores) > 1 else [bench.all_cores]
    for flags, goal in sides[: 1 if bench.options.smoke else 2]:
        for cores in both[: 1 if bench.options.smoke else 2]:
            beside_loop(bench, part, cores, flags, goal if cores == bench.all_cores else None)
            beside_fastapi(bench, part, cores, flags, goal if cores == bench.all_cores else None)
    if why_not:
        part.add(Row("tuned", f"not measured: {why_not}"))
