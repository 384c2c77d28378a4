"""Starts and asks the real binary: the helper of every system test.

Each server listens on 127.0.0.1 with a port of the kernel's choice, every wait has a limit, and a test ends
only the process that it started.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
BINARY = pathlib.Path(os.environ.get("BASCULE_BINARY", ROOT / "build" / "release" / "bascule"))
# More models and pictures than a clone carries; tests that need them are skipped where it is absent.
SHARED = pathlib.Path(os.environ.get("BASCULE_SHARED", ROOT.parent / "shared"))

SERVING = re.compile(r"^Serving on (https?://[^\s/]+:(\d+))/?\s*$")
START_LIMIT_S = 60
STOP_LIMIT_S = 30
CALL_LIMIT_S = 60


def has_sanitizer(binary: pathlib.Path = BINARY) -> bool:
    """Whether the binary carries AddressSanitizer, whose quarantine makes memory figures meaningless."""
    with open(binary, "rb") as file:
        return b"__asan_init" in file.read()


class Server:
    """`bascule serve ARGS`, or another command that serves, until `stop`. `port` and `url` are what it printed.

    There is no second port for metrics unless `args` asks for one, or `default_metrics_port` is set.
    """

    def __init__(
        self, *args: object, port: int = 0, env: dict[str, str] | None = None, default_metrics_port: bool = False,
        command: tuple[str, ...] = ("serve",),
    ) -> None:
        self.lines: list[str] = []
        self._log = tempfile.NamedTemporaryFile(prefix="bascule-", suffix=".log", delete=False)
        self._ready = threading.Event()
        self.port = 0
        self.url = ""
        words = [str(BINARY), *command, *map(str, args), "--http-port", str(port)]
        if "--metrics-port" not in words and not default_metrics_port:
            words += ["--metrics-port", "off"]
        if "--grpc-port" not in words:
            words += ["--grpc-port", "off"]
        started = time.monotonic()
        self.ready_s = 0.0
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **(env or {})},
        )

        def read() -> None:
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))
                match = SERVING.match(line)
                if match:
                    self.url, self.port = match.group(1), int(match.group(2))
                    self.ready_s = time.monotonic() - started
                    self._ready.set()
            self._ready.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_LIMIT_S) or not self.port:
            code = self.process.poll()
            self.kill()
            raise AssertionError(
                f"`{' '.join(map(str, self.process.args))}` did not say where it serves within "
                f"{START_LIMIT_S} s (exit code {code}); its log:\n{self.log()}"
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def log(self) -> str:
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def metrics_url(self) -> str | None:
        """What it printed of its second port; it does so together with the first."""
        self.get("/v2/health/live")  # an answer later, all lines have been read
        return next((line.split()[-1] for line in self.lines if line.startswith("Metrics on ")), None)

    def grpc_address(self) -> str:
        """Where it answers gRPC, as it printed: HOST:PORT."""
        self.get("/v2/health/live")  # an answer later, all lines have been read
        return next(line.split()[-1] for line in self.lines if line.startswith("gRPC on "))

    def alive(self) -> bool:
        return self.process.poll() is None

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code, within STOP_LIMIT_S."""
        try:
            code = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {STOP_LIMIT_S} s after SIGTERM; log:\n{self.log()}") from None
        self._reader.join(5)
        return code

    def stop(self) -> int:
        self.terminate()
        code = self.wait()
        assert code == 0, f"exit code {code} after SIGTERM; log:\n{self.log()}"
        os.unlink(self._log.name)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_LIMIT_S)

    def memory_kb(self, field: str = "VmRSS") -> int:
        """A line of /proc/PID/status in kB: VmRSS now, VmHWM the peak."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {field}")

    def reset_peak(self) -> None:
        """Makes VmHWM start again from what is used now."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    # Asking.

    def call(self, method: str, path: str, body: bytes | str | None = None, headers: dict | None = None) -> "Reply":
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL_LIMIT_S)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> "Reply":
        return self.call("GET", path)

    def post_json(self, path: str, value: object) -> "Reply":
        return self.call("POST", path, json.dumps(value), {"Content-Type": "application/json"})

    def infer(self, model: str, value: object) -> "Reply":
        return self.post_json(f"/v2/models/{model}/infer", value)

    def predict(self, model: str, picture: bytes, **fields: object) -> "Reply":
        """The multipart predict call of one picture."""
        body, content_type = multipart(fields, picture)
        return self.call("POST", f"/models/{model}/predict", body, {"Content-Type": content_type})

    def raw(self, data: bytes, half_close: bool = False) -> bytes:
        """Everything that comes back for these bytes until the server closes, or falls silent for long."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=CALL_LIMIT_S) as sock:
            try:
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent: the answer is there already
            answer = b""
            try:
                while True:
                    piece = sock.recv(65536)
                    if not piece:
                        return answer
                    answer += piece
                    if complete(answer):
                        return answer
            except ConnectionResetError:
                return answer

    def metrics(self) -> dict[str, float]:
        """Series as printed -> value."""
        reply = self.get("/metrics")
        assert reply.status == 200
        series = {}
        for line in reply.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                series[name] = float(value)
        return series

    def error_count(self) -> float:
        return sum(v for k, v in self.metrics().items() if k.startswith("bascule_request_errors_total"))


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> dict:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:500]!r}"


def complete(answer: bytes) -> bool:
    """Whether these bytes hold one whole response with a Content-Length."""
    head, end, rest = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(end and length and len(rest) >= int(length.group(1)))


def split_response(answer: bytes) -> Reply:
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    return Reply(int(lines[0].split()[1]), headers, rest)


def multipart(fields: dict[str, object], picture: bytes, file_name: str = "picture.jpg") -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    out = b""
    for name, value in fields.items():
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    out += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    out += picture + f"\r\n--{boundary}--\r\n".encode()
    return out, f"multipart/form-data; boundary={boundary}"


def run_cli(*args: object, stdin: bytes | None = None, cwd: pathlib.Path | None = None, timeout: float = 120,
            env: dict[str, str] | None = None):
    """`bascule ARGS` to its end; stdout and stderr as text."""
    done = subprocess.run(
        [str(BINARY), *map(str, args)], input=stdin if stdin is not None else b"", capture_output=True,
        cwd=cwd, timeout=timeout, check=False, env={**os.environ, **(env or {})},
    )
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done
