"""`bascule import`: what it checks and says before it does anything, and what a failed export leaves behind.

The export itself needs gigabytes: it runs where BASCULE_ULTRALYTICS_PYTHON names a Python with the ultralytics
package, and BASCULE_ULTRALYTICS_MODEL a model of it (scripts/release-check.sh).
"""

from __future__ import annotations

import os
import pathlib

import pytest
from bascule import ROOT, run_cli

TRAY = ROOT / "examples" / "checkout" / "pictures" / "fruit_101_0008.jpg"


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "some.pt"
    file.write_bytes(b"no model")
    return file


def left(folder: pathlib.Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(("words", "why"), [
    ([], "required"),
    (["no-such.pt"], "not there"),
    (["{folder}"], "not there, or no file"),
    (["{folder}/other.onnx"], "no .pt file"),
    (["{folder}/some.pt", "{folder}/some.pt"], "One model is imported at a time"),
    (["{folder}/some.pt", "--precision", "int8"], "--data"),
    (["{folder}/some.pt", "--precision", "int3"], "int3"),
    (["{folder}/some.pt", "--imgsz", "7"], "32"),
])
def test_wrong_usage(model, words, why):
    (model.parent / "other.onnx").write_bytes(b"")
    done = run_cli("import", *[w.format(folder=model.parent) for w in words])
    assert done.returncode == 2 and why in done.stderr, done
    assert left(model.parent) == ["other.onnx", "some.pt"]


def test_a_file_that_is_there_stays(model):
    (model.parent / "some.onnx").write_bytes(b"mine")
    done = run_cli("import", model, "--dry-run")
    assert done.returncode == 2 and "--force" in done.stderr
    assert (model.parent / "some.onnx").read_bytes() == b"mine"


def test_a_dry_run_tells_everything_and_does_nothing(model, tmp_path):
    done = run_cli("import", model, "--dry-run", "--end2end", "--precision", "fp16", env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    for word in ("-m venv", "ultralytics==", str(tmp_path / "cache"), "nms=False", "quantize=16", "dynamic=True", "some.onnx"):
        assert word in done.stdout, done.stdout
    assert left(tmp_path) == ["some.pt"]


def test_gigabytes_need_a_yes(model, tmp_path):
    done = run_cli("import", model, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert done.returncode == 2 and "--yes" in done.stderr and "6 GB" in done.stdout
    assert left(tmp_path) == ["some.pt"]


@pytest.mark.parametrize(("python", "why"), [("no-such-python", "cannot be run"), ("false", "ended with code 1"),
                                             ("true", "some.onnx")])
def test_an_export_that_fails_leaves_nothing(model, python, why):
    """`true` ends well and writes no file: that is found out, too."""
    done = run_cli("import", model, "--python", python)
    assert done.returncode == 1 and why in done.stderr, done
    assert left(model.parent) == ["some.pt"]


@pytest.mark.skipif("BASCULE_ULTRALYTICS_PYTHON" not in os.environ, reason="needs the ultralytics package: gigabytes")
@pytest.mark.parametrize("options", [[], ["--end2end"], ["--precision", "fp16"], ["--static"]])
def test_the_real_export(tmp_path, options):
    target = tmp_path / "model.onnx"
    done = run_cli("import", os.environ["BASCULE_ULTRALYTICS_MODEL"], "--python", os.environ["BASCULE_ULTRALYTICS_PYTHON"],
                   "--imgsz", "320", "--output", target, *options, timeout=300)
    assert done.returncode == 0, done.stderr
    assert left(tmp_path) == ["model.onnx"]
    assert "Detected" in run_cli("predict", target, TRAY).stdout
