"""The peers that are Python programs behind FastAPI and uvicorn, and which Python they run with."""

from __future__ import annotations

import functools
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

from common import ROOT, Bench, fail
from peers import free_port

PEERS = ROOT / "bench/peers"


@functools.cache
def python_that_has(modules: str, *candidates: str | pathlib.Path | None) -> str:
    """The first of these Pythons that imports all modules; empty where none does."""
    for python in candidates:
        if python and pathlib.Path(python).exists() and subprocess.run(
                [python, "-c", f"import {modules}"], capture_output=True, check=False).returncode == 0:
            return os.path.abspath(python)  # it is started in other folders
    return ""


def ultralytics_python() -> str:
    return python_that_has("ultralytics, onnxruntime, fastapi, uvicorn", os.environ.get("BASCULE_ULTRALYTICS_PYTHON"),
                           ROOT / "build/peers/ultralytics/bin/python")


def fastapi_python() -> str:
    return python_that_has("onnxruntime, cv2, fastapi, uvicorn", ROOT / "build/peers/fastapi/bin/python",
                           os.environ.get("BASCULE_ULTRALYTICS_PYTHON"), ROOT / "build/peers/ultralytics/bin/python")


def rested(turn, clients: int):
    """`turn()` once what the other side was asked and its clients no longer wait for is out of the cores: it goes on with that."""
    if clients > 1:
        time.sleep(1.0)
    return turn()


class PythonServer:
    """bench/peers/APP.py under uvicorn on the given cores, with as many engine threads, until the block ends."""

    def __init__(self, bench: Bench, cores: list[int], app: str, model: pathlib.Path, python: str, **more: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = bench.folder / f"{app}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                bench.pinned(cores, python, "-m", "uvicorn", f"{app}:app", "--host", "127.0.0.1", "--port", port,
                             "--log-level", "warning", "--no-access-log"),
                cwd=PEERS, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "BENCH_MODEL": str(model), "BENCH_THREADS": str(len(cores)), "PYTHONDONTWRITEBYTECODE": "1", **more})
        self.pid = self.process.pid
        limit = time.monotonic() + 60
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.__exit__()
                fail(f"{app} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def post(self, path: str, body: bytes, content_type: str) -> bytes:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.read()

    def __enter__(self) -> "PythonServer":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
