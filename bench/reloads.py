"""A model that is loaded anew again and again while requests for it keep coming."""

from __future__ import annotations

import collections
import json
import pathlib
import shutil
import signal
import subprocess
import time

import models
from common import FRUIT, Bench, Part, Row, binary_body, fail, median

NAME = "reloads"
TITLE = "Reloads under load"
HOW = """The fruit detector (9.9 MB) in a model repository, served by all cores, which the generator shares (it needs a
few hundredths of one). 16 clients with a connection each send 1 x 3 x 320 x 320 floats at fixed times, together at
80 % of the capacity that 16 clients in a closed loop reach; latency counts from the planned time. Before each reload
the next version's folder appears and the last one's goes, then `POST /v2/repository/models/fruit/load` is asked, one
reload after the other without a pause, so that what the requests leave of the processors is all taken. Each answer
names its version, which must have been current at some time between the request's sending and its answer. What is
compared with is the same load without reloads, before and after. Memory is the resident size when the clients have gone,
the median of five looks with one more reload before each: what one leaves to the next differs by some megabytes. A load of 3 s is the same detector with
constants to be folded that take that long on a free core."""

CLIENTS = 16
LOAD = 0.8
GOAL_P99 = 2.0
GOAL_MEMORY = 0.05
STEADY = 0.1
REST_S = 0.5
SAMPLES = 5


class Repository:
    """fruit/N/model.onnx, of which the highest N is to be served; and when each was asked for and answered."""

    def __init__(self, folder: pathlib.Path, server=None) -> None:
        self.folder, self.server, self.version = folder / "repository", server, 1
        self.loads: list[tuple[int, float, float]] = []  # version, asked, answered
        self.put(FRUIT.read_bytes())

    def put(self, content: bytes) -> pathlib.Path:
        """The next version, which stands there whole or not at all."""
        made = self.folder.parent / "next"
        made.mkdir()
        (made / "model.onnx").write_bytes(content)
        target = self.folder / "fruit" / str(self.version)
        target.parent.mkdir(parents=True, exist_ok=True)
        return made.rename(target)

    def reload(self, content: bytes, works: bool = True) -> float:
        """Seconds that it took. A version that does not load leaves again."""
        self.version += 1
        folder = self.put(content)
        if works:
            old = self.folder / "fruit" / str(self.version - 1)
            shutil.rmtree(old)
        asked = time.monotonic()
        status, answer = self.server.post("/v2/repository/models/fruit/load")
        answered = time.monotonic()
        if (status == 200) != works:
            fail(f"a load that should have {'worked' if works else 'failed'} was answered {status}: {answer[:300]!r}")
        if works:
            self.loads.append((self.version, asked, answered))
        else:
            shutil.rmtree(folder)
            self.version -= 1
        return answered - asked

    def never_current(self, answers: list[dict], started: float) -> int:
        """How many answers came from a version that was not current between their sending and their answer."""
        first = {"1": 0.0} | {str(version): asked for version, asked, _ in self.loads}
        last = {str(before): answered for before, (_, _, answered) in zip([1, *(v for v, _, _ in self.loads)], self.loads)}
        return sum(
            answer["version"] not in first
            or started + answer["done"] < first[answer["version"]]
            or started + answer["sent"] > last.get(answer["version"], float("inf"))
            for answer in answers if answer["status"] == 200
        )


class Load:
    """The generator, until it is stopped."""

    def __init__(self, bench: Bench, server, body, args: list, rate: float) -> None:
        self.answers_file = bench.folder / "answers"
        command = bench.load_command(f"{server.url}/v2/models/fruit/infer", body, *args, "--rate", rate, "--connections",
                                     CLIENTS, "--seconds", 1800, "--answers", self.answers_file, cores=bench.all_cores)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)

    def stop(self) -> tuple[list[dict], dict]:
        self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=60)
        if self.process.returncode not in (0, 3):
            fail(f"open_loop.py failed: {errors}")
        return [json.loads(line) for line in self.answers_file.read_text().splitlines()], json.loads(out)


def at_quantile(answers: list[dict], quantile: float) -> float:
    """Latency in milliseconds; what failed was the slowest."""
    times = sorted((a["done"] - a["planned"]) * 1000 if a["status"] == 200 else float("inf") for a in answers)
    return times[min(int(quantile * len(times)), len(times) - 1)] if times else float("inf")


def timeline(answers: list[dict], offset: float = 0.0) -> list[dict]:
    bins: dict[int, list[dict]] = {}
    for answer in answers:
        bins.setdefault(int(answer["planned"]), []).append(answer)
    return [{"at": at + offset, "p50": round(at_quantile(some, 0.5), 2), "p99": round(at_quantile(some, 0.99), 2)}
            for at, some in sorted(bins.items()) if at_quantile(some, 1.0) != float("inf")]


class Measurement:
    """One server, its load, and what it did without reloads."""

    def __init__(self, bench: Bench, part: Part, repository: Repository, server) -> None:
        self.bench, self.part, self.repository, self.server = bench, part, repository, server
        self.body, head = binary_body(bench.folder, "fruit320", "images", [1, 3, 320, 320])
        self.args = ["--content-type", "application/octet-stream", "--header", f"Inference-Header-Content-Length: {head}"]
        self.steady_seconds = 0.3 if bench.options.smoke else 6

    def capacity(self) -> float:
        return self.bench.load(f"{self.server.url}/v2/models/fruit/infer", self.body, *self.args, "--closed", CLIENTS,
                               "--warmup", 0.3, "--seconds", 0.5 if self.bench.options.smoke else 3,
                               cores=self.bench.all_cores)["answered_per_second"]

    def while_doing(self, rate: float, what) -> tuple[list[dict], dict]:
        load = Load(self.bench, self.server, self.body, self.args, rate)
        try:
            what()
        finally:
            answers, result = load.stop()
        return answers, result

    def steady(self, rate: float) -> list[dict]:
        return self.while_doing(rate, lambda: time.sleep(self.steady_seconds))[0]

    def settled_mb(self) -> float:
        """Resident megabytes when the clients have gone, over some more reloads: the server gives free pages back when it
        frees a model, and what 16 connections held is a fifth of all."""
        if self.bench.options.smoke:
            return self.server.resident_mb()
        time.sleep(REST_S)
        samples = []
        for _ in range(SAMPLES):
            self.repository.reload(FRUIT.read_bytes())
            time.sleep(REST_S)
            samples.append(self.server.resident_mb())
        return median(samples)

    def one(self, name: str, *steps) -> list[float]:
        """The load without, with and again without what is done to the server; one row of it. Resident megabytes after
        each step, settled."""
        full = self.capacity()
        before = self.steady(LOAD * full)
        answers, pieces, stale, valid, memory = [], [], 0, True, []
        for step in steps:
            some, result = self.while_doing(LOAD * full, step)
            offset = answers[-1]["planned"] + 1 if answers else 0.0
            pieces += timeline(some, offset)
            answers += some
            stale += self.repository.never_current(some, result["started"])
            valid = valid and result["valid"]
            memory.append(self.settled_mb())
        after = self.steady(LOAD * full)
        again = self.capacity()
        steady_p99, p99 = at_quantile(before + after, 0.99), at_quantile(answers, 0.99)
        failed = sum(answer["status"] != 200 for answer in before + answers + after)
        shown = (f"{failed} of {len(answers):,} failed, {stale} from another version   p99 {p99:.0f} ms, without "
                 f"{steady_p99:.0f} ms: x{p99 / steady_p99:.2f}")
        self.part.add(Row(name, shown, f"none, none, p99 <= x{GOAL_P99:g}",
                          failed == 0 and stale == 0 and p99 <= GOAL_P99 * steady_p99,
                          bool(failed or stale) or (valid and abs(full - again) <= STEADY * full),
                          {"requests": len(answers), "failed": failed, "stale": stale,
                           "statuses": dict(collections.Counter(str(a["status"] or a["why"]) for a in before + answers + after)), "p99_ms": p99,
                           "steady_p99_ms": steady_p99, "capacity": full,
                           "versions_seen": len({answer["version"] for answer in answers if answer["version"]}),
                           "p50_ms": at_quantile(answers, 0.5), "steady_p50_ms": at_quantile(before + after, 0.5)}))
        if not self.part.plots:
            self.part.plots["timeline"] = {"reloads": pieces, "steady": timeline(before)}
        return memory


def many(measurement: Measurement, count: int) -> None:
    content = FRUIT.read_bytes()
    first = min(10, count // 2)
    took: list[float] = []

    def reloads(times: int):
        return lambda: took.extend(measurement.repository.reload(content) for _ in range(times))

    early, late = measurement.one(f"{count} reloads", reloads(first), reloads(count - first))
    measurement.part.rows[-1].figures["reload_s"] = median(took)
    growth = late / early - 1
    measurement.part.add(Row(
        f"memory after {count} reloads", f"{late:.0f} MB, after {first} of them {early:.0f} MB: {100 * growth:+.1f} %",
        f"<= +{100 * GOAL_MEMORY:.0f} %", growth <= GOAL_MEMORY if count >= 20 else None, True,
        {"mb": late, "early_mb": early, "growth": growth}))


def three_seconds(bench: Bench) -> bytes:
    """The detector with as many constants to fold as take about 3 s on a free core."""
    took = {}
    for products in (10, 40):
        path = bench.folder / f"slow{products}.onnx"
        path.write_bytes(models.slow_to_load(bench, products))
        took[products] = bench.bare(bench.server_cores, "bare_engine", "--model", path, "--shape", "1,3,320,320",
                                    "--seconds", 0.01, "--warmup", 0)["load_ms"]
    each = max((took[40] - took[10]) / 30, 0.1)
    return models.slow_to_load(bench, min(2000, max(1, round((3000 - took[10]) / each) + 10)))


def run(bench: Bench, part: Part) -> None:
    repository = Repository(bench.folder)
    with bench.server(repository.folder, cores=bench.all_cores) as server:
        repository.server = server
        measurement = Measurement(bench, part, repository, server)
        many(measurement, bench.options.reloads)
        if bench.options.smoke:
            return
        broken = FRUIT.read_bytes()[:100_000]
        measurement.one("a file that does not load, 5 times",
                        lambda: [repository.reload(broken, works=False) for _ in range(5)])
        slow = three_seconds(bench)
        took: list[float] = []

        def load_slowly() -> None:
            took.append(repository.reload(slow))
            time.sleep(1)  # so that it answers some

        measurement.one("a load of 3 s", load_slowly)
        part.rows[-1].figures["reload_s"] = took[0]
