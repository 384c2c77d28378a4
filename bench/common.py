"""What the parts of the bench share: where things are, the server under test, load drivers, rows and goals."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "release"
BINARY = pathlib.Path(os.environ.get("BASCULE_BINARY", BUILD / "bascule"))  # another build, to compare with
FRUIT = ROOT / "examples/checkout/fruit.onnx"
TRAY = ROOT / "examples/checkout/pictures/fruit_101_0008.jpg"
BUS = ROOT.parent / "shared/data/photos/bus.jpg"  # the sample picture everybody quotes; not ours to ship
ADD_ONE = ROOT / "tests/data/general/add_one.onnx"


class Skip(Exception):
    """A part that cannot be measured here; the text says what is missing."""


def fail(why: str) -> None:
    sys.exit(f"bench: {why}")


def tool(path: pathlib.Path) -> str:
    if not path.exists():
        fail(f"{path} is not there. bench/run.sh builds it.")
    return str(path)


@dataclasses.dataclass
class Row:
    """One measured thing. `met` is None where there is no goal; a row that is not steady decides nothing."""

    name: str
    shown: str
    goal: str = ""
    met: bool | None = None
    steady: bool = True
    figures: dict = dataclasses.field(default_factory=dict)

    def verdict(self) -> str:
        if not self.steady:
            return "NOT STEADY"
        return "" if self.met is None else ("met" if self.met else "MISSED")


@dataclasses.dataclass
class Part:
    """One subject: its rows, and what its plots are drawn from."""

    name: str
    title: str
    how: str
    rows: list[Row] = dataclasses.field(default_factory=list)
    plots: dict = dataclasses.field(default_factory=dict)
    skipped: str = ""

    def add(self, row: Row) -> None:
        self.rows.append(row)
        goal = f"   goal {row.goal}: {row.verdict()}" if row.goal else f"   {row.verdict()}".rstrip()
        print(f"  {row.name:<46} {row.shown}{goal}", flush=True)


class Bench:
    """The options of this run, its temporary folder, and which cores are whose."""

    def __init__(self, options, folder: pathlib.Path) -> None:
        self.options, self.folder = options, folder
        self.all_cores = sorted(os.sched_getaffinity(0))
        self.server_cores = self.all_cores[:1]
        self.driver_cores = self.all_cores[1:2] or self.all_cores[:1]

    def pinned(self, cores: list[int], *command: object) -> list[str]:
        return ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]

    def server(self, *args: object, cores: list[int] | None = None, grpc: bool = False) -> "Server":
        return Server(self, cores or self.server_cores, *args, grpc=grpc)

    def rounds(self) -> range:
        return range(self.options.rounds)

    def load(self, url: str, body: pathlib.Path, *args: object, cores: list[int] | None = None) -> dict:
        """One run of open_loop.py, on the driver's core."""
        done = subprocess.run(self.load_command(url, body, *args, cores=cores), capture_output=True, text=True,
                              timeout=600, check=False)
        if done.returncode not in (0, 3):
            fail(f"open_loop.py failed: {done.stderr}")
        return json.loads(done.stdout)

    def load_command(self, url, body, *args, cores=None) -> list[str]:
        return self.pinned(cores or self.driver_cores, sys.executable, ROOT / "bench/open_loop.py", url,
                           "--body", body, *args)

    def wrk(self, url: str, connections: int, seconds: float, *args: object, cores: list[int] | None = None) -> dict:
        if not shutil.which("wrk"):
            raise Skip("wrk is missing; scripts/setup.sh --bench installs it")
        done = subprocess.run(
            self.pinned(cores or self.driver_cores, "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
                        "--timeout", "30s", "-s", ROOT / "bench/post.lua", url, "--", *args),
            capture_output=True, text=True, timeout=seconds + 60, check=False,
        )
        for line in done.stdout.splitlines():
            if line.startswith("result "):
                result = json.loads(line[len("result "):])
                if result["failed"]:
                    fail(f"{result['failed']} of {result['requests']} requests to {url} failed")
                return {**result, "per_second": result["requests"] / result["seconds"]}
        fail(f"wrk gave no result: {done.stdout}{done.stderr}")
        return {}

    def bare(self, cores: list[int], program: str, *args: object) -> dict:
        """One loop a core, each on its own; their rates added up, the median of their medians."""
        loops = [
            subprocess.Popen(self.pinned([core], tool(BUILD / "bench" / program), *args), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
            for core in cores
        ]
        results = []
        for loop in loops:
            out, errors = loop.communicate(timeout=300)
            if loop.returncode != 0:
                fail(f"{program} failed: {errors}")
            results.append(json.loads(out.strip().splitlines()[-1]))
        return {**results[0], "per_second": sum(r["per_second"] for r in results),
                "p50_us": statistics.median(r["p50_us"] for r in results)}


class Server:
    """`bascule serve ARGS` on the given cores, until the block ends; with `grpc`, `grpc_address` is where."""

    def __init__(self, bench: Bench, cores: list[int], *args: object, grpc: bool = False) -> None:
        self.started = time.monotonic()
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            bench.pinned(cores, tool(BINARY), "serve", *args, "--http-port", 0, "--grpc-port", 0 if grpc else "off",
                         "--metrics-port", "off", "--log-level", "error"),
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        limit = time.monotonic() + 60
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, limit - time.monotonic()))
            line = self.process.stdout.readline() if ready else ""
            if match := re.match(r"Serving on (http://\S+)", line):
                self.url = match.group(1)
                self.pid = self.process.pid  # taskset has become it
                if grpc:
                    self.grpc_address = self.process.stdout.readline().removeprefix("gRPC on ").strip()
                return
            if not line:
                self.process.kill()
                self.log.seek(0)
                fail(f"the server did not start: {self.log.read()}")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            fail("the server did not stop within 60 s")

    def threads(self) -> dict[int, str]:
        return threads_of(self.pid)

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far, of the threads that compute ("worker") and of all others ("other")."""
        out = {"worker": 0.0, "other": 0.0}
        for thread, name in self.threads().items():
            out["worker" if name.startswith("worker") else "other"] += thread_seconds(self.pid, thread)
        return out

    def resident_mb(self) -> float:
        return resident_mb(self.pid)

    def pin_threads(self, prefix: str, core: int) -> None:
        for thread, name in self.threads().items():
            if name.startswith(prefix):
                os.sched_setaffinity(thread, {core})

    def get(self, path: str):
        """Status and body of one call by hand."""
        with urllib.request.urlopen(self.url + path, timeout=60) as reply:
            return reply.status, reply.read()

    def post(self, path: str, body: bytes = b"", content_type: str = "application/json", **headers: str):
        """Status, body and headers of one call by hand."""
        request = urllib.request.Request(self.url + path, body, {"Content-Type": content_type, **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def threads_of(pid: int) -> dict[int, str]:
    out = {}
    for folder in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            out[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            pass  # it has ended
    return out


def thread_seconds(pid: int, thread: int) -> float:
    try:
        return int(pathlib.Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0


def resident_mb(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) / 1024


def multipart(folder: pathlib.Path, picture: pathlib.Path, **fields: object) -> tuple[pathlib.Path, str]:
    out = b"".join(
        f'--bench\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
    )
    out += f'--bench\r\nContent-Disposition: form-data; name="file"; filename="{picture.name}"\r\n'.encode()
    out += b"Content-Type: image/jpeg\r\n\r\n" + picture.read_bytes() + b"\r\n--bench--\r\n"
    body = folder / f"{picture.stem}-{'-'.join(map(str, fields.values()))}.multipart"
    body.write_bytes(out)
    return body, "multipart/form-data; boundary=bench"


def binary_body(folder: pathlib.Path, name: str, tensor: str, shape: list[int], answer: bool = True):
    """A v2 request whose one float tensor follows the JSON as bytes; the file and the length of the JSON."""
    count = 1
    for side in shape:
        count *= side
    head = json.dumps({
        "inputs": [{"name": tensor, "shape": shape, "datatype": "FP32", "parameters": {"binary_data_size": 4 * count}}],
        "parameters": {"binary_data_output": answer},
    }).encode()
    body = folder / f"{name}.binary"
    body.write_bytes(head + b"\0\0\0\x3f" * count)  # 0.5
    return body, len(head)


def median(values: list[float]) -> float:
    return statistics.median(values)


def spread(values: list[float]) -> list[float]:
    return [round(min(values), 4), round(max(values), 4)]
