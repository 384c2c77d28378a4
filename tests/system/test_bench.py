"""The bench measures and writes its file. One short turn: whether it works, not how fast the server is."""

import json
import shutil
import subprocess
import sys

import pytest
from bascule import ROOT


@pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk, which scripts/setup.sh --bench installs")
def test_bench_measures(tmp_path):
    if not (ROOT / "build/release/bench/bare_engine").exists():
        pytest.skip("the bare loops are not built")
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, ROOT / "bench/run.py", "--rounds", "1", "--seconds", "1", "--out", out],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr  # a goal missed in one second on a busy machine proves nothing
    report = json.loads(out.read_text())
    assert report["pipeline"] and report["latency"]
    assert all(row["requests_per_second"] > 0 and row["objects"] > 0 for row in report["pipeline"])
