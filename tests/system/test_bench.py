"""The bench measures and writes its files: whether it works, not how fast the server is."""

import html
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import pytest
from bascule import ROOT

VENV = ROOT / ".venv/bin/python"
PARTS = ["footprint", "latency", "peers", "peers_grpc", "peers_fastapi", "reference", "batching", "throughput", "pipeline", "batch",
         "pictures", "lone", "mixed", "many", "tracing", "alerts", "overload", "reloads"]


def python_with(module: str) -> str:
    """A Python that has the bench's packages, else this one."""
    for python in (str(VENV), sys.executable):
        if shutil.which(python) and subprocess.run([python, "-c", f"import {module}"], check=False,
                                                   capture_output=True).returncode == 0:
            return python
    return sys.executable


@pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk, which scripts/setup.sh --bench installs")
def test_each_part_measures_and_the_page_holds_it(tmp_path):
    if not (ROOT / "build/release/bench/bare_engine").exists():
        pytest.skip("the bare loops are not built")
    words = ["--smoke", "--rounds", "1", "--seconds", "0.5", "--overload-seconds", "0.6", "--reloads", "4"]
    done = subprocess.run(
        [python_with("onnx, matplotlib"), ROOT / "bench/run.py", *words, "--out", tmp_path],
        capture_output=True, text=True, timeout=300, check=False,
    )
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr  # a goal missed in a second proves nothing
    report = json.loads((tmp_path / "bench.json").read_text())
    page = (tmp_path / "bench.html").read_text()
    assert list(report["parts"]) == PARTS
    for part in report["parts"].values():
        assert part["rows"] or part["skipped"], part["name"]
        assert part["title"] in page
        for row in part["rows"]:
            assert row["shown"] in html.unescape(page), row
    for name in ("footprint", "latency", "throughput", "pipeline", "batch", "mixed", "many"):
        assert report["parts"][name]["rows"], f"{name} needs nothing that is missing here"
    for row in report["parts"]["reloads"]["rows"][:1]:  # a busy machine may take longer than the queue's budget
        assert set(row["figures"]["statuses"]) <= {"200", "429"}, row
        assert row["figures"]["statuses"]["200"] > 0
        assert row["figures"]["stale"] == 0
    assert 0.1 < report["parts"]["pipeline"]["rows"][0]["figures"]["ratio"] < 2
    for row in report["parts"]["overload"]["rows"]:
        assert row["figures"]["by_status"]["200"] > 0
        assert row["figures"]["by_status"]["429"] > 0, "four times the capacity, and nothing was refused"
        assert not row["figures"]["failed"]


def test_an_earlier_run_is_written_again(tmp_path):
    row = {"name": "a", "shown": "1 < 2 *of* it", "goal": ">= 1", "met": True, "steady": True, "figures": {}}
    part = {"name": "latency", "title": "Title", "how": "`code`, **strong**", "rows": [row], "plots": {}, "skipped": ""}
    machine = {"cpu": "C", "cores": 2, "kernel": "6", "date": "2026-01-01", "load_before": 0.1}
    report = tmp_path / "earlier.json"
    report.write_text(json.dumps({"machine": machine, "command": "--rounds 9", "parts": {"latency": part}}))
    done = subprocess.run([sys.executable, ROOT / "bench/run.py", "--report", report, "--out", tmp_path],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "bench.html").read_text()
    assert "bench/run.sh --rounds 9" in page
    assert "1 &lt; 2 *of* it" in page
    assert "<code>code</code>, <strong>strong</strong>" in page


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers one request after the other, each after 20 ms; every third with 429."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    count = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with Slow.lock:
            Slow.count += 1
            refused = Slow.count % 3 == 0
            time.sleep(0.02)
        body = b'{"model_version":"7"}'
        self.send_response(429 if refused else 200)
        if refused:
            self.send_header("retry-after-ms", "30")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def slow_server():
    Slow.count = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()


def open_loop(url: str, tmp_path: pathlib.Path, *words: object) -> tuple[dict, list[dict]]:
    body = tmp_path / "body"
    body.write_text("{}")
    done = subprocess.run(
        [sys.executable, ROOT / "bench/open_loop.py", url, "--body", body, "--answers", tmp_path / "answers", *map(str, words)],
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout), [json.loads(line) for line in (tmp_path / "answers").read_text().splitlines()]


def test_the_open_loop_does_not_slow_down_with_the_server(slow_server, tmp_path):
    """100 a second at a server of 50: all leave on time, and the wait in the queue is in their latency."""
    result, answers = open_loop(slow_server, tmp_path, "--rate", 100, "--seconds", 1)
    assert [round(answer["planned"], 6) for answer in answers] == [i / 100 for i in range(100)]
    assert result["by_status"] == {"200": 67, "429": 33}
    assert result["failures"] == 0
    assert result["latency_ms"]["max"] > 900
    assert all(answer["version"] == "7" for answer in answers)
    assert max(answer["sent"] for answer in answers) < 1.5, "requests waited for answers"


def test_refused_requests_are_asked_again_where_that_is_wanted(slow_server, tmp_path):
    result, answers = open_loop(slow_server, tmp_path, "--rate", 20, "--seconds", 1, "--retries", 9)
    assert result["by_status"] == {"200": 20}
    assert sum(answer["retries"] for answer in answers) >= 5
    assert all(answer["done"] - answer["planned"] > 0.03 for answer in answers if answer["retries"])


def test_what_is_outstanding_is_bounded(slow_server, tmp_path):
    result, _ = open_loop(slow_server, tmp_path, "--rate", 400, "--seconds", 0.5, "--max-outstanding", 5)
    assert result["failed"]["unsent"] > 100
    assert not result["valid"]
    assert result["connections_opened"] <= 5


def test_few_connections_make_requests_wait_their_turn(slow_server, tmp_path):
    result, answers = open_loop(slow_server, tmp_path, "--rate", 50, "--seconds", 0.5, "--connections", 1)
    assert result["connections_opened"] == 1
    assert sum(result["by_status"].values()) == 25
    spans = sorted((answer["sent"], answer["done"]) for answer in answers)
    assert all(before[1] <= after[0] + 1e-3 for before, after in zip(spans, spans[1:]))


def test_nobody_there_is_a_failure_and_not_a_fast_answer(tmp_path):
    result, _ = open_loop("http://127.0.0.1:9/", tmp_path, "--rate", 20, "--seconds", 0.2)
    assert result["failures"] == 4
    assert result["by_status"] == {}
