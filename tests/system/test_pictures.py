"""Every format of picture that goes in: over HTTP and on the command line, the same answer."""

import json
import subprocess

import pytest
from bascule import BINARY, DATA, Server

MODEL = DATA / "yolo" / "yolo26n.onnx"
REAL = DATA / "pictures_real"
LOSSLESS = ("steel.png", "steel.bmp", "steel.tif")
FIELDS = {"conf": 0.01, "imgsz": 320}


@pytest.fixture(scope="module")
def server():
    with Server(MODEL) as running:
        yield running


def found(reply):
    assert reply.status == 200, reply
    return reply.json()["images"][0]


def test_lossless_pictures_have_one_answer(server):
    answers = [found(server.predict("yolo26n", (REAL / name).read_bytes(), **FIELDS)) for name in LOSSLESS]
    assert answers[0]["shape"] == [96, 128]
    assert answers[0]["results"], "nothing was found, so that nothing is compared"
    for answer in answers[1:]:
        assert answer["results"] == answers[0]["results"]


@pytest.mark.parametrize("name", sorted(path.name for path in REAL.iterdir()))
def test_every_format_is_taken(server, name):
    picture = (REAL / name).read_bytes()
    assert found(server.predict("yolo26n", picture, **FIELDS))["shape"] == [96, 128]
    # What curl --data-binary sends, whatever the type says.
    raw = server.call("POST", "/models/yolo26n/predict", picture, {"Content-Type": "application/x-www-form-urlencoded"})
    assert found(raw)["shape"] == [96, 128]


def test_jpeg_2000_is_refused_by_name(server):
    reply = server.predict("yolo26n", b"\xff\x4f\xff\x51" + b"\0" * 200)
    assert reply.status == 400
    assert "JPEG 2000" in reply.json()["error"] and "PNG" in reply.json()["error"]


def test_damaged_pictures_write_nothing_into_the_log(server):
    before = len(server.log())
    for path in sorted((DATA / "pictures_broken").iterdir()):
        assert server.predict("yolo26n", path.read_bytes()).status in (400, 413), path.name
    assert "OBU" not in server.log()[before:]
    assert "TIFF" not in server.log()[before:]


def test_a_folder_is_taken_whole(tmp_path):
    run = subprocess.run([BINARY, "predict", MODEL, REAL, "--conf", "0.01", "--json"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert len(json.loads(run.stdout)["images"]) == len(list(REAL.iterdir()))
    (tmp_path / "notes.txt").write_text("no picture")
    none = subprocess.run([BINARY, "predict", MODEL, tmp_path], capture_output=True, text=True, timeout=60)
    assert none.returncode != 0
    assert ".heic" in none.stderr and ".tif" in none.stderr
