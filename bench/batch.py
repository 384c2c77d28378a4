"""`bascule batch` over a folder of pictures: beside the bare pipeline, and beside the reference package's folder prediction."""

from __future__ import annotations

import json
import math
import pathlib
import shutil
import subprocess
import tempfile
import time

from common import BINARY, BUS, FRUIT, TRAY, Bench, Part, Row, fail, median, spread, tool
from python_peers import ultralytics_python
from reference import Loop

NAME = "batch"
TITLE = "A folder of pictures"
HOW = """`bascule batch` with the demo's fruit detector (YOLO26n) over a folder of copies of one picture, to JSON lines with checkpoints, on
the same cores as the bare pipeline (`bench/bare_pipeline.cc`, one loop a core, without files), by turns. The time of a run over two
pictures is taken off, so that loading the model does not count. The reference is `YOLO(MODEL).predict(FOLDER, stream=True)` of the package
`ultralytics` in a warm process; it is asked where BASCULE_ULTRALYTICS_PYTHON names a Python that has it."""

GOAL = 0.95
STEADY_SPREAD = 0.1
STEADY_RATIO = 1.3  # the highest of the ratios to the reference, by the lowest
FEWEST = 20  # pictures: with less the checkpoints and the start decide


def folder_of(bench: Bench, picture: pathlib.Path, count: int) -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder, prefix="pictures-"))
    for i in range(count):
        shutil.copy(picture, folder / f"{i:06}.jpg")
    return folder


def seconds_of(bench: Bench, cores: list[int], folder: pathlib.Path, size: int, count: int) -> float:
    out = bench.folder / "batch.jsonl"
    started = time.monotonic()
    done = subprocess.run(bench.pinned(cores, tool(BINARY), "batch", FRUIT, folder, "--imgsz", size, "--out", out, "--overwrite"),
                          capture_output=True, text=True, timeout=600, check=False)
    took = time.monotonic() - started
    if done.returncode:
        fail(f"bascule batch failed: {done.stderr}")
    if sum(1 for line in out.open() if json.loads(line)["results"] is not None) != count:
        fail("the result has not a line for each picture")
    return took


def one(bench: Bench, part: Part, picture: pathlib.Path, size: int, cores: list[int]) -> None:
    bare = lambda: bench.bare(cores, "bare_pipeline", "--model", FRUIT, "--picture", picture, "--imgsz", size,
                              "--seconds", bench.options.seconds)["per_second"]
    count = max(FEWEST, math.ceil(bare() * bench.options.seconds))
    many, few = folder_of(bench, picture, count + 2), folder_of(bench, picture, 2)
    rate = lambda: count / max(seconds_of(bench, cores, many, size, count + 2) - seconds_of(bench, cores, few, size, 2), 1e-3)
    rates, ratios = [], []
    for _ in bench.rounds():
        rates.append(rate())
        ratios.append(rates[-1] / bare())
    where = "one core" if len(cores) == 1 else f"{len(cores)} cores"
    low_high = spread(ratios)
    part.add(Row(f"{picture.stem} at {size}, {where}",
                 f"{median(ratios):.3f} of the bare pipeline ({low_high[0]:.3f} to {low_high[1]:.3f})   {median(rates):.1f} pictures/s",
                 f">= {GOAL}", median(ratios) >= GOAL, max(ratios) - min(ratios) <= STEADY_SPREAD,
                 {"pictures_per_second": median(rates), "ratio": median(ratios), "range": low_high, "pictures": count}))
    if size == 640 and ultralytics_python():
        beside_reference(bench, part, f"{picture.stem} at {size}, {where}, reference", cores, (many, count + 2, rate), few)


def beside_reference(bench: Bench, part: Part, name: str, cores: list[int], folder: tuple, few: pathlib.Path) -> None:
    """`folder`: the pictures, how many they are, and what asks for our rate of them."""
    many, count, rate = folder
    ours, theirs = [], []
    with Loop(bench, cores) as loop:
        loop.ask(f"folder {few}")  # warm
        for _ in bench.rounds():
            ours.append(rate())
            seconds, answered = loop.ask(f"folder {many}")
            if answered != count:
                fail(f"the reference answers {answered} of {count} pictures")
            theirs.append(count / seconds)
    ratios = [a / b for a, b in zip(ours, theirs)]
    low_high = spread(ratios)
    part.add(Row(name, f"{median(ratios):.2f} times the reference's pictures/s ({low_high[0]:.2f} to {low_high[1]:.2f})"
                       f"   {median(ours):.1f}, reference {median(theirs):.1f}",
                 steady=low_high[1] <= STEADY_RATIO * low_high[0],
                 figures={"bascule": median(ours), "reference": median(theirs), "ratio": median(ratios), "range": low_high,
                          "pictures": count}))


def run(bench: Bench, part: Part) -> None:
    big = BUS if BUS.exists() else TRAY
    both = [bench.server_cores, bench.all_cores] if len(bench.all_cores) > 1 else [bench.all_cores]
    for cores in both:
        for picture, size in ((big, 640), (TRAY, 320)):
            one(bench, part, picture, size, cores)
            if bench.options.smoke:
                return
