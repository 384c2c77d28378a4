#!/usr/bin/env python3
"""Measures the server; every figure is a ratio, or stands beside one, measured in the same run.

A machine's speed wanders by more than what is to be shown, so the server and what it is compared with take turns
and each round gives one ratio; the median of the rounds is the figure. Writes JSON and one page.

Exit codes: 0 the goals are met, 1 one is missed, 3 the machine was too busy to tell.
"""

from __future__ import annotations

import argparse
import atexit
import dataclasses
import importlib
import json
import os
import pathlib
import platform
import re
import sys
import tempfile
import time

import page
from common import ROOT, Bench, Part, Row, Skip

PARTS = ("footprint", "latency", "peers", "peers_grpc", "peers_fastapi", "reference", "batching", "throughput", "pipeline", "batch",
         "pictures", "lone", "mixed", "many", "tracing", "alerts", "overload", "reloads")

PRIORITY = -15  # of --priority


def machine() -> dict:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d"), "load_before": round(os.getloadavg()[0], 2)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be given again")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side takes (3)")
    parser.add_argument("--seconds", type=float, default=2, help="length of one turn (2)")
    parser.add_argument("--overload-seconds", type=float, default=4, help="length of one offered load (4)")
    parser.add_argument("--reloads", type=int, default=200, help="reloads in a row (200)")
    parser.add_argument("--priority", action="store_true", help="run what is measured before all else; wants root")
    parser.add_argument("--smoke", action="store_true", help="the first row of each part, to see whether it works")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench",
                        help="where bench.json and bench.html are written (build/bench)")
    parser.add_argument("--write-docs", action="store_true",
                        help="also rewrite the figures in docs/benchmarks.md and the plots in docs/pictures/bench")
    parser.add_argument("--report", type=pathlib.Path, help="measure nothing: write again what this bench.json holds")
    options = parser.parse_args()
    if options.write_docs and (options.only or options.smoke):
        parser.error("--write-docs wants the whole run")
    return options


def as_asked() -> str:
    """This run's options, without where it wrote to."""
    return re.sub(r"--out[ =]\S+", "", " ".join(sys.argv[1:])).strip()


def take_priority() -> None:
    """Before all other work of the machine: this process with its children, and their scheduling group."""
    group = pathlib.Path("/proc/self/autogroup")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        if group.exists():  # there, nice counts within a terminal's processes only, and this between them
            before = group.read_text().split()[-1]
            group.write_text(str(PRIORITY))
            atexit.register(group.write_text, before)
    except OSError as why:
        sys.exit(f"bench: --priority: {why}. It wants root.")


def measure(bench: Bench, name: str) -> Part:
    module = importlib.import_module(name)
    part = Part(name, module.TITLE, module.HOW)
    started = time.monotonic()
    print(f"{module.TITLE}:", flush=True)
    try:
        module.run(bench, part)
    except Skip as why:
        part.skipped = str(why)
        print(f"  skipped: {why}", flush=True)
    except OSError as why:  # a server that does not answer; what the other parts found is not lost with it
        part.skipped = f"it broke off: {why}"
        part.add(Row("the rest of it", f"not measured: {why}", "measured", False))
    print(f"  ({time.monotonic() - started:.0f} s)", flush=True)
    return part


def main() -> int:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.report:
        write(json.loads(options.report.read_text()), options)
        return 0
    if options.priority:
        take_priority()
    report: dict = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds,
                    "overload_seconds": options.overload_seconds, "command": as_asked()}
    with tempfile.TemporaryDirectory(prefix="bascule-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        if len(bench.all_cores) == 1:
            report["note"] = "one core only: the load driver shares it with the server"
            print("bench:", report["note"])
        parts = [measure(bench, name) for name in PARTS if not options.only or name in options.only]
    report["parts"] = {part.name: dataclasses.asdict(part) for part in parts}

    (options.out / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
    write(report, options)
    return judge([row for part in parts for row in part.rows])


def write(report: dict, options: argparse.Namespace) -> None:
    pictures = page.write(report, options.out / "bench.html")
    if options.write_docs:
        page.write_docs(report, pictures)
    print(f"Written to {options.out}: bench.json and bench.html{', docs/benchmarks.md' if options.write_docs else ''}")


def judge(rows: list[Row]) -> int:
    missed = [row for row in rows if row.steady and row.met is False]
    unsteady = [row for row in rows if not row.steady and row.met is not None]
    for row in missed:
        print(f"Missed: {row.name}: {row.shown} (goal {row.goal or 'no failure'})")
    for row in unsteady:
        print(f"Not steady, so it shows neither that the goal is met nor that it is missed: {row.name}")
    return 1 if missed else (3 if unsteady else 0)


if __name__ == "__main__":
    sys.exit(main())
