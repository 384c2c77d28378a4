"""Many models on one server: what those that nobody asks cost the one that is asked."""

from __future__ import annotations

import models
from common import Bench, Part, Row, binary_body, fail, median, spread, thread_seconds

NAME = "many"
TITLE = "Forty models on one server"
HOW = """A server with 40 small models of equal size (512 floats in, 64 out, 2.4 MB of weights, made by the bench), of which one
is asked, beside a server with that one alone, by turns: 8 connections, binary v2, the servers on one core and `wrk` on another.
*Threads computing* are those that run models (workers, and those of the engine) with more than a twentieth of a core while it is asked."""

MODELS = 40
CONNECTIONS = 8
GOAL = 0.97
STEADY_SPREAD = 0.1
COMPUTING = 0.05  # of a core
NOT_MODELS = ("io", "timer", "loader", "watch", "fetch", "refresh", "bascule")  # read, write, wait


def busy_threads(server, load) -> tuple[dict, list[str]]:
    """What the load came to, and the threads that computed for it."""
    before = {thread: thread_seconds(server.pid, thread) for thread in server.threads()}
    result = load(server)
    names = [name for thread, name in server.threads().items() if not name.startswith(NOT_MODELS) and
             thread_seconds(server.pid, thread) - before.get(thread, 0.0) > COMPUTING * result["seconds"]]
    return result, sorted(names)


def run(bench: Bench, part: Part) -> None:
    paths = [models.two_layers(bench, f"small_{i}", 1024) for i in range(4 if bench.options.smoke else MODELS)]
    body, head = binary_body(bench.folder, "small", "x", [1, 512])
    load = lambda server: bench.wrk(f"{server.url}/v2/models/small_0/infer", CONNECTIONS, bench.options.seconds, body,
                                    "application/octet-stream", head)
    ratios, rates, computing = [], ([], []), ([], [])
    with bench.server(*paths) as many, bench.server(paths[0]) as alone:
        for path in paths[1:]:  # all of them work
            status, answer = many.post(f"/v2/models/{path.stem}/infer", body.read_bytes(), "application/octet-stream",
                                       **{"Inference-Header-Content-Length": str(head)})
            if status != 200:
                fail(f"{path.stem} answers {status}: {answer[:200]!r}")
        for server in (many, alone):
            load(server)  # warm
        for _ in bench.rounds():
            for i, server in enumerate((many, alone)):
                result, names = busy_threads(server, load)
                rates[i].append(result["per_second"])
                computing[i].append(names)
            ratios.append(rates[0][-1] / rates[1][-1])
        threads, memory = ([f(server) for server in (many, alone)]
                           for f in (lambda server: len(server.threads()), lambda server: server.resident_mb()))
    ratio, low_high = median(ratios), spread(ratios)
    part.add(Row(f"one asked of {len(paths)}",
                 f"{ratio:.3f} of the requests of that one alone ({low_high[0]:.3f} to {low_high[1]:.3f})   "
                 f"{median(rates[0]):,.0f} requests/s, alone {median(rates[1]):,.0f}", f">= {GOAL}", ratio >= GOAL,
                 low_high[1] - low_high[0] <= STEADY_SPREAD, {"ratio": ratio, "range": low_high,
                                                             "per_second": median(rates[0]), "alone_per_second": median(rates[1])}))
    most = max(len(names) for names in computing[0])
    cores = len(bench.server_cores)
    part.add(Row("threads computing", f"{most} ({', '.join(max(computing[0], key=len))}) of {threads[0]} threads, alone "
                 f"{max(len(names) for names in computing[1])} of {threads[1]}", f"<= {cores}, the cores", most <= cores, True,
                 {"computing": most, "threads": threads[0], "alone_threads": threads[1]}))
    part.add(Row("resident memory", f"{memory[0]:.0f} MB, alone {memory[1]:.0f} MB: "
                 f"{(memory[0] - memory[1]) / max(len(paths) - 1, 1):.1f} MB a model", "", None, True,
                 {"mb": memory[0], "alone_mb": memory[1]}))
