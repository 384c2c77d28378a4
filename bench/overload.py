"""More load than the server can take: what it still answers in time, and what refusing the rest costs."""

from __future__ import annotations

import json
import urllib.request

import models
from common import FRUIT, TRAY, Bench, Part, Row, binary_body, multipart

NAME = "overload"
TITLE = "Overload"
HOW = """Server on one core, the open-loop generator (`bench/open_loop.py`) on another. The capacity is measured with
a closed loop of 4 clients before and after each load; requests leave at 0.5 to 4 times that rate at fixed times, and
latency counts from the planned time. *Goodput* is answers within the queue budget plus twice a run (by the server's
statistics when busy), per second, as a share of the capacity. The refusals' cost is the processor time of all threads but the workers, less what
the accepted work takes of them at half the capacity, as a share of a core. A row whose generator was late, or around
which the capacity changed by more than a tenth, is not steady. The tensors' model is a chain of matrix products of
about 10 ms a run that the bench makes; the JPEGs go to the fruit detector at 320."""

LOADS = (0.5, 0.8, 1, 1.5, 2, 4)
BUDGETS_MS = (1000, 200)
GOAL_GOODPUT = 0.95
GOAL_REFUSALS = 0.05
CLIENTS = 4  # of the closed loop: few enough that none is refused
STEADY = 0.1  # capacities before and after a load that differ by more show the machine's other work


class Work:
    """A model with one request for it."""

    def __init__(self, name: str, path, route: str, body, args: list) -> None:
        self.name, self.path, self.route, self.body, self.args, self.run_ms = name, path, route, body, args, 0.0


def tensors(bench: Bench) -> Work:
    path = models.matmul_of(bench, 10) if not bench.options.smoke else models.matmul_chain(bench, "matmul", 4)
    body, head = binary_body(bench.folder, "matmul", "x", [1, 128, 128])
    args = ["--content-type", "application/octet-stream", "--header", f"Inference-Header-Content-Length: {head}"]
    return Work("tensors", path, "/v2/models/matmul/infer", body, args)


def pictures(bench: Bench) -> Work:
    body, content_type = multipart(bench.folder, TRAY, imgsz=320)
    return Work("JPEGs", FRUIT, "/models/fruit/predict", body, ["--content-type", content_type])


def one_load(bench: Bench, server, work: Work, rate: float, good_ms: float, warmup: float) -> dict:
    """Offered load at a rate; with the server's processor time, for each second of it."""
    before = server.cpu_seconds()
    seconds = bench.options.overload_seconds
    result = bench.load(server.url + work.route, work.body, *work.args, "--rate", rate, "--seconds", seconds,
                        "--warmup", warmup, "--good-ms", good_ms, "--grace", 20)
    after = server.cpu_seconds()
    total = seconds + warmup
    result["other_cores"] = (after["other"] - before["other"]) / total
    return result


def capacity(bench: Bench, server, work: Work) -> float:
    """Answers a second to a few clients of which each asks as soon as it is answered."""
    return bench.load(server.url + work.route, work.body, *work.args, "--closed", CLIENTS, "--warmup", 0.3, "--seconds",
                      min(1.5, bench.options.overload_seconds))["answered_per_second"]


def all_loads(bench: Bench, server, work: Work, loads, bound_ms: float, warmup: float) -> list[dict]:
    """Each load between two measurements of the capacity, so that a drift of the machine is seen."""
    points = []
    before = capacity(bench, server, work)
    for load in loads:
        point = one_load(bench, server, work, load * before, bound_ms, warmup)
        after = capacity(bench, server, work)
        full = (before + after) / 2
        points.append({"load": load, "capacity": full, "goodput": point["good_per_second"] / full, **point,
                       "valid": point["valid"] and abs(after - before) <= STEADY * full})
        before = after
    return points


def run_ms(bench: Bench, server, work: Work) -> float:
    """How long a run takes in the server when it is busy and nothing is refused, by its own statistics."""
    capacity(bench, server, work)
    with urllib.request.urlopen(f"{server.url}/v2/models/{work.path.stem}/stats", timeout=30) as reply:
        stats = json.load(reply)["model_stats"][0]["inference_stats"]
    return sum(stats[stage]["ns"] for stage in ("compute_input", "compute_infer", "compute_output")) / (
        1e6 * stats["compute_infer"]["count"])


def with_admission(bench: Bench, part: Part, work: Work, budget_ms: int) -> list[dict]:
    loads = LOADS if not bench.options.smoke else (4,)
    with bench.server(work.path, "--queue-budget-ms", budget_ms) as server:
        work.run_ms = run_ms(bench, server, work)
        bound_ms = budget_ms + 2 * work.run_ms
        points = all_loads(bench, server, work, loads, bound_ms, budget_ms / 1000 + 0.5)
    accepted_cores = points[0]["other_cores"] / max(points[0]["offered_per_second"], 1e-9)
    for point in points:
        answered = point["by_status"].get("200", 0) / point["seconds"]
        point["refused_per_second"] = point["by_status"].get("429", 0) / point["seconds"]
        point["refusal_cores"] = max(0.0, point["other_cores"] - answered * accepted_cores)
        add_row(part, work, budget_ms, bound_ms, point)
    return points


def add_row(part: Part, work: Work, budget_ms: int, bound_ms: float, point: dict) -> None:
    p99 = point["latency_ms"].get("p99", float("inf"))
    shown = (f"goodput {point['goodput']:.3f} of the capacity   p50 {point['latency_ms'].get('p50', 0):.0f} ms   "
             f"p99 {p99:.0f} ms")
    goal, met = "", None
    if point["load"] == 4:
        shown += (f"   {point['refused_per_second']:.0f} refusals/s take {100 * point['refusal_cores']:.1f} % of a core")
        goal = f"goodput >= {GOAL_GOODPUT}, p99 <= {bound_ms:.0f} ms, refusals < {100 * GOAL_REFUSALS:.0f} % of a core"
        met = point["goodput"] >= GOAL_GOODPUT and p99 <= bound_ms and point["refusal_cores"] < GOAL_REFUSALS
    if point["failures"]:
        shown += f"   {point['failures']} FAILED {point['failed']}"
        met = False
    part.add(Row(f"{work.name}, budget {budget_ms} ms, {point['load']} x capacity", shown, goal, met, point["valid"],
                 {"run_ms": work.run_ms, "bound_ms": bound_ms, **point}))


def without_admission(bench: Bench, work: Work) -> list[dict]:
    """For the plot: every request is let in, and waits."""
    loads = LOADS[:-1] if not bench.options.smoke else (2,)
    with bench.server(work.path, "--queue-budget-ms", 0, "--max-queue-size", 0) as server:
        return all_loads(bench, server, work, loads, BUDGETS_MS[0] + 2 * work.run_ms, 1.5)


def run(bench: Bench, part: Part) -> None:
    works = [tensors(bench), pictures(bench)] if not bench.options.smoke else [tensors(bench)]
    for work in works:
        for budget_ms in BUDGETS_MS if not bench.options.smoke else BUDGETS_MS[1:]:
            points = with_admission(bench, part, work, budget_ms)
            part.plots[f"{work.name}, budget {budget_ms} ms"] = points
        if work.name == "tensors":
            part.plots[f"{work.name}, no admission"] = without_admission(bench, work)
