"""What the server holds in memory when nothing happens, and how soon it answers after its start."""

from __future__ import annotations

import time

from common import FRUIT, TRAY, Bench, Part, Row, fail, median, multipart

NAME = "footprint"
TITLE = "Memory and start"
HOW = """The 9.9 MB fruit detector and all defaults on all cores. Start: from the start of the process to the first answer
to a JPEG at 640, median of the rounds. Memory: resident size of the process when the model is loaded and nothing was asked yet,
and 2 s after 50 JPEGs. A tuned model: by OpenVINO, in bf16 where the processor has it, with its compiled form kept under `--state-dir` by
an earlier start."""

GOAL_MB = 150
GOAL_S = 1.0


def tuned(bench: Bench, part: Part, picture: bytes, content_type: str) -> None:
    flags = ["--engine", "openvino", "--state-dir", str(bench.folder / "state")]
    if "avx512_bf16" in open("/proc/cpuinfo").read():
        flags += ["--precision", "bf16"]
    first_s = []
    for turn in range(1 + bench.options.rounds):
        with bench.server(FRUIT, *flags, cores=bench.all_cores) as server:
            server.post("/models/fruit/predict", picture, content_type)
            if turn > 0:  # the first compiles
                first_s.append(time.monotonic() - server.started)
    part.add(Row("start to first answer, tuned", f"{median(first_s):.2f} s", f"< {GOAL_S:g} s", median(first_s) < GOAL_S, True,
                 {"s": median(first_s)}))


def run(bench: Bench, part: Part) -> None:
    body, content_type = multipart(bench.folder, TRAY, imgsz=640)
    picture = body.read_bytes()
    first_s, loaded_mb, after_mb = [], [], []
    for turn in bench.rounds():
        with bench.server(FRUIT, cores=bench.all_cores) as server:
            loaded_mb.append(server.resident_mb())
            status, answer = server.post("/models/fruit/predict", picture, content_type)
            if status != 200:
                fail(f"the server answers {status}: {answer[:200]!r}")
            first_s.append(time.monotonic() - server.started)
            if turn == 0:
                for _ in range(5 if bench.options.smoke else 50):
                    server.post("/models/fruit/predict", picture, content_type)
                time.sleep(0 if bench.options.smoke else 2)
                after_mb.append(server.resident_mb())
    part.add(Row("resident, model loaded", f"{median(loaded_mb):.0f} MB", f"< {GOAL_MB} MB",
                 median(loaded_mb) < GOAL_MB, True, {"mb": median(loaded_mb)}))
    part.add(Row("resident, idle after 50 JPEGs", f"{after_mb[0]:.0f} MB", f"< {GOAL_MB} MB", after_mb[0] < GOAL_MB, True,
                 {"mb": after_mb[0]}))
    part.add(Row("start to first answer", f"{median(first_s):.2f} s", f"< {GOAL_S:g} s", median(first_s) < GOAL_S, True,
                 {"s": median(first_s)}))
    tuned(bench, part, picture, content_type)
