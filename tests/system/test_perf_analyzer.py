"""Triton's own load generator, unmodified, over both transports."""

import re
import subprocess

import pytest
from bascule import DATA, ROOT, Server

PROGRAM = ROOT / ".deps" / "perf_analyzer" / "perf_analyzer"


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general/add_one.onnx", "--grpc-port", 0) as running:
        yield running


@pytest.mark.skipif(not PROGRAM.exists(), reason="perf_analyzer is made for x86_64 alone")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_perf_analyzer(server, protocol, tmp_path):
    server.metrics_url()
    port = server.port
    if protocol == "grpc":
        port = next(int(m.group(1)) for line in server.lines if (m := re.match(r"gRPC on \S+:(\d+)", line)))
    report = tmp_path / "report.csv"
    done = subprocess.run(
        [PROGRAM, "-m", "add_one", "-i", protocol, "-u", f"127.0.0.1:{port}", "--concurrency-range", "1:16:15",
         "-p", "300", "-s", "999", "-r", "3", "--percentile", "95", "-f", report],
        env={"LD_LIBRARY_PATH": str(PROGRAM.parent)}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(",") for line in report.read_text().splitlines() if line]
    assert rows[0][0] == "Concurrency"
    assert sorted(row[0] for row in rows[1:]) == ["1", "16"]  # in which order depends on how they did
    assert all(float(row[1]) > 50 for row in rows[1:]), rows
