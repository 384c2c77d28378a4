"""Every example of examples/clients runs, each in its language, and says what it should; so do examples/text and examples/video.

The examples of packages that install more than 300 MB run in scripts/compatibility.py.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from bascule import BINARY, DATA, ROOT, Server

CLIENTS = ROOT / "examples" / "clients"
PICTURE = ROOT / "examples" / "checkout" / "pictures" / "fruit_101_0008.jpg"
# File: the program that runs it (None: itself), the address it takes, whether it takes a picture.
EXAMPLES = {
    "triton_http.py": (sys.executable, "http", False),
    "triton_grpc.py": (sys.executable, "grpc", False),
    "rest.py": (sys.executable, "http", False),
    "rest.sh": (None, "http", False),
    "rest.mjs": ("node", "http", False),
    "rest.go": ("go run", "http", False),
    "predict.sh": (None, "http", True),
    "ultralytics_platform_sdk.py": (sys.executable, "http", True),
    "ultralytics_hub.py": (sys.executable, "http", True),
}
ELSEWHERE = {"kserve_rest.py", "kserve_grpc.py", "ultralytics_package.py"}


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general/add_one.onnx", ROOT / "examples/checkout/fruit.onnx", "--grpc-port", 0) as running:
        yield running


def test_each_example_is_run_somewhere():
    assert {p.name for p in CLIENTS.iterdir() if p.suffix in (".py", ".sh", ".mjs", ".go")} == set(EXAMPLES) | ELSEWHERE
    runner = (ROOT / "scripts" / "compatibility.py").read_text()
    assert all(name in runner for name in ELSEWHERE)


def test_the_state_example():
    with Server(ROOT / "examples/state/total.onnx") as running:
        done = subprocess.run(
            [sys.executable, ROOT / "examples/state/tills.py", running.url], capture_output=True, text=True, timeout=60,
            check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-2:] == ["till 1: 4.00", "till 2: 60.00"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(server, name, tmp_path):
    program, scheme, picture = EXAMPLES[name]
    words = program.split() if program else []
    if words and not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed here")
    server.metrics_url()
    port = server.port
    if scheme == "grpc":
        port = next(int(m.group(1)) for line in server.lines if (m := re.match(r"gRPC on \S+:(\d+)", line)))
    done = subprocess.run(
        [*words, CLIENTS / name, f"{scheme}://127.0.0.1:{port}", *([PICTURE] if picture else [])],
        env={**os.environ, "GOCACHE": str(tmp_path), "GOTOOLCHAIN": "local"}, capture_output=True, text=True,
        timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if picture:
        assert "apple" in done.stdout or "banana" in done.stdout, done.stdout
    else:
        numbers = [float(n) for n in re.findall(r"(?<![\w.\"-])\d+\.?\d*", done.stdout.split("data")[-1])]
        assert numbers[-16:] == [float(n) for n in range(1, 17)], done.stdout


def test_text(tmp_path):
    subprocess.run([sys.executable, ROOT / "examples/text/make.py", tmp_path], check=True, timeout=120)

    def ask(server, *words):
        url = f"{server.url}/models/tickets/predict"
        done = subprocess.run(["curl", "-s", url, *words], capture_output=True, text=True, timeout=60, check=True)
        return [(row["label"], len(row["embedding"])) for row in json.loads(done.stdout)["rows"]]

    with Server(tmp_path / "tickets.onnx") as server:
        kind = ("-H", "Content-Type: application/json", "-d")
        assert ask(server, *kind, '{"text": "Where is my parcel?"}') == [("delivery", 16)]
        both = ask(server, *kind, '{"text": ["I paid twice", "The app shows an error"]}')
        assert both == [("payment", 16), ("technical", 16)]
        assert ask(server, "-H", "Content-Type: text/plain", "-d", "I cannot log in") == [("technical", 16)]
    done = subprocess.run([BINARY, "predict", tmp_path / "tickets.onnx", "--text", "I cannot log in"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[1].startswith("technical,")


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_video(server, tmp_path):
    clip = tmp_path / "trays.mp4"
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-framerate", "2", "-pattern_type", "glob", "-i",
                    f"{PICTURE.parent}/*.jpg", "-vf", "scale=640:-2", clip], check=True, timeout=60)
    done = subprocess.run([sys.executable, ROOT / "examples/video/count.py", clip, server.url], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == ["frame 1", "frame 2", "frame 3"]
    assert all(re.search(r"\d (apple|banana|orange)", line) for line in lines[:-1]), done.stdout
    assert lines[-1].startswith("3 frames in ")
    clip.write_bytes(b"no video")
    done = subprocess.run([sys.executable, ROOT / "examples/video/count.py", clip, server.url], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode != 0 and "400" in done.stderr
