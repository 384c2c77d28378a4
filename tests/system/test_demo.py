"""scripts/demo.sh --once, as a newcomer runs it (the build is there already, so this takes seconds)."""

import os
import re
import subprocess

import pytest
from bascule import ROOT


@pytest.mark.skipif("BASCULE_BINARY" in os.environ, reason="the demo serves its own release build")
def test_demo_once(figure):
    done = subprocess.run(
        [ROOT / "scripts/demo.sh", "--once"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    for word in ("apple", "banana", "orange", "patches", "scratches", "curl"):
        assert word in text, f"{word} is not in\n{text}"
    assert "3 apple" in text and "2 banana" in text and "2 orange" in text
    assert re.search(r"9 boxes", text), text
    for saved in re.findall(r"\S+\.jpg", text):
        if saved.startswith("build/"):
            assert (ROOT / saved).stat().st_size > 1000
    times = re.search(r"Where the time went: (.*)", text)
    assert times, text
    figure(f"demo: {times.group(1)}")
