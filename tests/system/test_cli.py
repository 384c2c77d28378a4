"""`bascule predict`, `inspect` and `--help`, as a person or a script meets them."""

import json
import os
import pathlib
import re
import shutil

import pytest
from bascule import DATA, ROOT, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
TRAYS = ROOT / "examples/checkout/pictures"
TRAY = TRAYS / "fruit_101_0008.jpg"
STEEL = ROOT / "examples/factory/steel.onnx"
PLATE = ROOT / "examples/factory/pictures/steel_104_0006.jpg"
GOLDEN = ROOT / "tests/golden"


def names(done):
    """Class names of the rows of all pictures of a --json answer."""
    return sorted(row["name"] for image in json.loads(done.stdout)["images"] for row in image["results"])


def test_a_table_that_counts():
    done = run_cli("predict", FRUIT, TRAY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().splitlines()[-1].startswith("Detected 7 objects")
    assert done.stdout.count("apple") >= 3 and "fruit_101_0008.jpg" in done.stdout


def test_json():
    done = run_cli("predict", FRUIT, TRAY, "--json")
    assert done.returncode == 0, done.stderr
    assert names(done) == ["apple"] * 3 + ["banana"] * 2 + ["orange"] * 2
    done = run_cli("predict", STEEL, PLATE, "--json")
    assert names(done) == ["patches", "scratches"]


def test_options():
    assert len(names(run_cli("predict", FRUIT, TRAY, "--json", "--conf", "0.9"))) < 7
    assert run_cli("predict", FRUIT, TRAY, "--json", "--imgsz", "640").returncode == 0
    for wrong in (["--conf", "2"], ["--iou", "-1"], ["--imgsz", "1"], ["--imgsz", "x"], ["--nothing"]):
        done = run_cli("predict", FRUIT, TRAY, *wrong)
        assert done.returncode == 2, (wrong, done)
        assert done.stderr.strip()


def test_annotated_pictures(tmp_path):
    done = run_cli("predict", FRUIT, TRAY, TRAYS / "fruit_101_0011.jpg", "--save", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    saved = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert saved == ["fruit_101_0008.jpg", "fruit_101_0011.jpg"]
    annotated = (tmp_path / "out" / "fruit_101_0008.jpg").read_bytes()
    assert annotated.startswith(b"\xff\xd8") and annotated != TRAY.read_bytes()
    # It is a picture of the same size in which the fruit is still found.
    again = run_cli("predict", FRUIT, tmp_path / "out" / "fruit_101_0008.jpg", "--json")
    (image,) = json.loads(again.stdout)["images"]
    assert image["shape"] == [960, 1280] and len(image["results"]) >= 5


def test_a_folder():
    done = run_cli("predict", FRUIT, TRAYS, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["images"]) == len(list(TRAYS.glob("*.jpg")))


def test_a_glob():
    done = run_cli("predict", FRUIT, str(TRAYS / "fruit_101_00*.jpg"), "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["images"]) == len(list(TRAYS.glob("fruit_101_00*.jpg")))


def test_standard_input():
    done = run_cli("predict", FRUIT, "-", "--json", stdin=TRAY.read_bytes())
    assert done.returncode == 0, done.stderr
    assert len(names(done)) == 7


def test_a_picture_that_fails_does_not_stop_the_rest(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"this is text")
    shutil.copy(TRAY, tmp_path / "b.jpg")
    done = run_cli("predict", FRUIT, tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert done.returncode == 1
    assert "a.jpg" in done.stderr
    assert "Detected 7 objects" in done.stdout


@pytest.mark.parametrize(
    "args,code",
    [
        ([], 2),
        (["predict"], 2),
        (["predict", FRUIT], 2),
        (["nonsense"], 2),
        (["serve"], 2),
        (["serve", FRUIT, "--http-port", "70000"], 2),
        (["serve", FRUIT, "--log-level", "loud"], 2),
        (["predict", FRUIT, "/no/such.jpg"], 1),
        (["predict", "/no/such.onnx", TRAY], 1),
        (["predict", DATA / "general/add_one.onnx", TRAY], 1),
        (["inspect", "/no/such.onnx"], 1),
        (["--version"], 0),
        (["--help"], 0),
    ],
    ids=lambda v: " ".join(pathlib.Path(str(a)).name for a in v) if isinstance(v, list) else str(v),
)
def test_exit_codes(args, code):
    done = run_cli(*args)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert (done.stderr if code else done.stdout).strip()


def test_inspect_says_what_and_why():
    done = run_cli("inspect", FRUIT)
    assert done.returncode == 0, done.stderr
    for word in ("detect", "apple", "banana", "orange", "320", "stride", "images", "output0", "FP32", "metadata"):
        assert word in done.stdout, word
    done = run_cli("inspect", DATA / "general/add_one.onnx")
    assert done.returncode == 0 and "FP32" in done.stdout and "16" in done.stdout


@pytest.mark.parametrize("verb", ["", "serve", "predict", "batch", "eval", "inspect", "import", "key", "app"])
def test_help_is_as_recorded(verb):
    """`UPDATE_GOLDEN=1` records what is printed now."""
    done = run_cli(*([verb] if verb else []), "--help")
    assert done.returncode == 0
    printed = re.sub(r"\S*/(build/\w+/)?bascule\b", "bascule", done.stdout)
    file = GOLDEN / f"help{'-' + verb if verb else ''}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(printed)
    assert file.exists(), f"{file} is missing: run with UPDATE_GOLDEN=1 and read what it records"
    assert printed == file.read_text()
