"""What a picture costs before and after the engine: beside libjpeg-turbo alone, and beside the reference package."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

from common import BUILD, BUS, FRUIT, ROOT, TRAY, Bench, Part, Row, fail, median, spread, tool

NAME = "pictures"
TITLE = "A picture before and after the engine"
HOW = """On one core and one thread, from the bytes of a JPEG to the tensor of the fruit detector at 640, and from its output to
boxes (`bench/picture_steps.cc`). *Decoding* is compared with libjpeg-turbo alone. *Letterbox* is resizing, padding, colour,
normalising and layout; the reference package's own step (`BasePredictor.preprocess`) does the same with OpenCV and PyTorch
(`bench/picture_steps_reference.py`, where `BASCULE_ULTRALYTICS_PYTHON` names its Python). *Fast* is the setting `decode: fast`: JPEGs
of at least twice the input's size are decoded at a reduced scale."""

LETTERBOX_GOAL = 4.0
DECODE_GOAL = 1.05


def pictures(bench: Bench) -> list[tuple[str, pathlib.Path]]:
    from PIL import Image

    big = BUS if BUS.exists() else TRAY
    out = [(big.stem, big)]
    for name, size in (("1080p", (1920, 1080)), ("12 megapixels", (4000, 3000))):
        file = bench.folder / f"{size[0]}.jpg"
        with Image.open(big) as image:
            image.convert("RGB").resize(size).save(file, quality=90)
        out.append((name, file))
    return out


def steps(words: list) -> dict:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "YOLO_AUTOINSTALL": "false", "OMP_NUM_THREADS": "1"})
    if done.returncode != 0:
        fail(f"a loop over pictures failed: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def reference(bench: Bench, cores: list[int], picture: pathlib.Path, rounds: int) -> dict | None:
    python = os.environ.get("BASCULE_ULTRALYTICS_PYTHON")
    if not python:
        return None
    return steps(bench.pinned(cores, python, ROOT / "bench/picture_steps_reference.py", FRUIT, picture, 640, rounds))


def run(bench: Bench, part: Part) -> None:
    cores = bench.server_cores
    turns = 5 if bench.options.smoke else 20
    for name, picture in pictures(bench):
        decode, letterbox, whole, ours, fast, theirs = [], [], [], [], [], []
        for _ in bench.rounds():
            own = steps(bench.pinned(cores, tool(BUILD / "bench" / "picture_steps"), "--model", FRUIT, "--picture", picture,
                                     "--rounds", turns))
            decode.append(own["decode_us"] / own["libjpeg_us"])
            ours.append(own["whole_us"] / 1000)
            fast.append(own["whole_fast_us"] / 1000)
            other = reference(bench, cores, picture, turns)
            if other:
                letterbox.append(other["letterbox_us"] / own["letterbox_us"])
                theirs.append(other["whole_us"] / 1000)
                whole.append(other["whole_us"] / own["whole_us"])
        ratio, (low, high) = median(decode), spread(decode)
        part.add(Row(f"{name}: decoding", f"{ratio:.3f} of libjpeg-turbo's time ({low:.3f} to {high:.3f})", f"<= {DECODE_GOAL}",
                     ratio <= DECODE_GOAL, high - low <= 0.1, {"ratio": ratio, "range": [low, high]}))
        if letterbox:
            ratio, (low, high) = median(letterbox), spread(letterbox)
            part.add(Row(f"{name}: letterbox", f"{ratio:.1f} times as fast as the reference ({low:.1f} to {high:.1f})",
                         f">= {LETTERBOX_GOAL:g}", ratio >= LETTERBOX_GOAL, low * 1.5 >= high,
                         {"ratio": ratio, "range": [low, high]}))
        beside = f", the reference's {median(theirs):.2f} ms ({median(whole):.1f} times)" if theirs else ""
        part.add(Row(f"{name}: all of it", f"{median(ours):.2f} ms exact, {median(fast):.2f} ms fast{beside}", "", None, True,
                     {"exact_ms": median(ours), "fast_ms": median(fast), "reference_ms": median(theirs) if theirs else None}))
        if bench.options.smoke:
            return
