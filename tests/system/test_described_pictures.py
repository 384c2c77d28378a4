"""Classifiers and detectors that are no YOLO, described by a settings file: models of a few ONNX operators
whose answers follow from the picture's colours."""

import json
import shutil
import subprocess
import time
import urllib.request

import cv2
import numpy as np
import onnx
import pytest
from bascule import BINARY, Server
from onnx import TensorProto as T
from onnx import helper, numpy_helper


def save(path, nodes, inputs, outputs, constants=None):
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initializers)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    onnx.save(model, path)


def info(name, shape, dtype=T.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def colour_classifier(path):
    """Scores are ten times the mean of each channel: which colour is there most?"""
    save(
        path,
        [
            helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "ten"], ["scores"]),
        ],
        [info("x", ["n", 3, 32, 32])],
        [info("scores", ["n", 3])],
        {"axes": np.array([2, 3], np.int64), "ten": np.float32(10)},
    )


def quadrant_detector(path, form):
    """Each quarter of the picture is a box; its scores are the means of its channels."""
    corners = np.array([[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]], np.float32)
    nodes = [
        helper.make_node("AveragePool", ["pixels"], ["quarters"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Reshape", ["quarters", "flat"], ["by_channel"]),
        helper.make_node("Transpose", ["by_channel"], ["by_box"], perm=[0, 2, 1]),
    ]
    constants = {"flat": np.array([1, 3, 4], np.int64)}
    if form == "ssd":  # bytes, channels last; boxes y first; a score and a class for each
        constants |= {"boxes_": corners[None, :, [1, 0, 3, 2]], "one": np.float32(1), "most": np.float32(255)}
        nodes = [
            helper.make_node("Cast", ["x"], ["float"], to=T.FLOAT),
            helper.make_node("Div", ["float", "most"], ["unit"]),
            helper.make_node("Transpose", ["unit"], ["pixels"], perm=[0, 3, 1, 2]),
            *nodes,
            helper.make_node("ReduceMax", ["by_box", "last"], ["detection_scores"], keepdims=0),
            helper.make_node("ArgMax", ["by_box"], ["number"], axis=2, keepdims=0),
            helper.make_node("Cast", ["number"], ["zero_based"], to=T.FLOAT),
            helper.make_node("Add", ["zero_based", "one"], ["detection_classes"]),
            helper.make_node("Identity", ["boxes_"], ["detection_boxes"]),
        ]
        constants["last"] = np.array([2], np.int64)
        outputs = [info("detection_boxes", [1, 4, 4]), info("detection_classes", [1, 4]), info("detection_scores", [1, 4])]
        save(path, nodes, [info("x", [1, 64, 64, 3], T.UINT8)], outputs, constants)
        return
    # RT-DETR: logits for each class, centre and size; told the size of the picture
    centre = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    constants |= {"boxes_": centre[None], "half": np.float32(0.5), "steep": np.float32(20)}
    nodes = [
        helper.make_node("Identity", ["images"], ["pixels"]),
        *nodes,
        helper.make_node("Sub", ["by_box", "half"], ["around_zero"]),
        helper.make_node("Mul", ["around_zero", "steep"], ["logits"]),
        helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=T.FLOAT),
        helper.make_node("Concat", ["size", "size"], ["size4"], axis=1),
        helper.make_node("Mul", ["boxes_", "size4"], ["pred_boxes"]),
    ]
    save(
        path,
        nodes,
        [info("images", [1, 3, 64, 64]), info("orig_target_sizes", [1, 2], T.INT64)],
        [info("logits", [1, 4, 3]), info("pred_boxes", [1, 4, 4])],
        constants,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    colour_classifier(folder / "colours.onnx")
    (folder / "colours.yaml").write_text("task: classify\nlabels_file: names.txt\nfit: stretch\n")
    (folder / "names.txt").write_text("red\ngreen\nblue\n")
    quadrant_detector(folder / "ssd.onnx", "ssd")
    (folder / "ssd.yaml").write_text("task: detect\nlabels: [red, green, blue]\nbox_format: yxyx\nbackground: true\n")
    quadrant_detector(folder / "rtdetr.onnx", "rtdetr")
    (folder / "rtdetr.yaml").write_text("task: detect\nlabels: [red, green, blue]\nbox_format: cxcywh\nbox_unit: pixel\n")
    picture = np.zeros((100, 300, 3), np.uint8)  # OpenCV's order: blue first
    picture[:50, :150] = (0, 0, 255)
    picture[50:, 150:] = (0, 255, 0)
    picture[50:, :150] = (40, 0, 0)
    cv2.imwrite(str(folder / "picture.png"), picture)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder / "colours.onnx", folder / "ssd.onnx", folder / "rtdetr.onnx") as running:
        yield running


def ask(server, model, picture):
    request = urllib.request.Request(
        f"{server.url}/models/{model}/predict", picture.read_bytes(), {"Content-Type": "image/png"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["images"][0]


def test_labels_that_change_are_seen(folder, tmp_path):
    for name in ("colours.onnx", "colours.yaml", "names.txt"):
        shutil.copy(folder / name, tmp_path / name)
    with Server(tmp_path / "colours.onnx", "--watch") as server:
        best = lambda: ask(server, "colours", folder / "picture.png")["results"][0]["name"]
        assert best() in ("red", "green", "blue")
        (tmp_path / "names.txt").write_text("rot\ngruen\nblau\n")
        end = time.monotonic() + 30
        while best() not in ("rot", "gruen", "blau"):
            assert time.monotonic() < end, server.log()
            time.sleep(0.1)


def predicted(model, picture):
    done = subprocess.run([BINARY, "predict", model, picture, "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["images"][0]["results"]


def test_a_classifier_ranks_its_labels(server, folder):
    results = ask(server, "colours", folder / "picture.png")["results"]
    means = np.array([0.25, 0.25, 40 / 255 / 4]) * 10
    expected = np.exp(means) / np.exp(means).sum()  # the scores are no probabilities yet
    assert {row["name"] for row in results[:2]} == {"red", "green"} and results[2]["name"] == "blue"
    assert [row["confidence"] for row in results] == pytest.approx(sorted(expected, reverse=True), abs=1e-4)
    assert predicted(folder / "colours.onnx", folder / "picture.png") == results


@pytest.mark.parametrize("model", ["ssd", "rtdetr"])
def test_a_detector_finds_the_coloured_quarters(server, folder, model):
    results = ask(server, model, folder / "picture.png")["results"]
    assert {row["name"]: row["box"] for row in results} == {
        "red": {"x1": 0.0, "y1": 0.0, "x2": 150.0, "y2": 50.0},
        "green": {"x1": 150.0, "y1": 50.0, "x2": 300.0, "y2": 100.0},
    }
    assert all(row["confidence"] > 0.95 for row in results)
    assert predicted(folder / f"{model}.onnx", folder / "picture.png") == results


def test_inspect_proposes_the_file(folder, tmp_path):
    for name, says in {"colours": "task: classify\nlabels_file: labels.txt", "rtdetr": "boxes_output: pred_boxes"}.items():
        bare = tmp_path / f"{name}.onnx"
        bare.write_bytes((folder / f"{name}.onnx").read_bytes())
        done = subprocess.run([BINARY, "inspect", bare], capture_output=True, text=True, timeout=60)
        assert f"by a file {name}.yaml beside it" in done.stdout and says in done.stdout
        # What is proposed is read without a complaint, once it is filled in.
        proposal = done.stdout[done.stdout.index("\n\ntask:") + 2 :].replace("first, second", "red, green, blue")
        (tmp_path / f"{name}.yaml").write_text(proposal)
        (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
        done = subprocess.run([BINARY, "inspect", bare], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "pictures" in done.stdout, done.stderr


def test_labels_that_are_too_few_are_told(folder, tmp_path):
    (tmp_path / "colours.onnx").write_bytes((folder / "colours.onnx").read_bytes())
    (tmp_path / "colours.yaml").write_text("task: classify\nlabels: [red]\n")
    done = subprocess.run([BINARY, "inspect", tmp_path / "colours.onnx"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "there are 1 labels, and the model tells 3 classes" in done.stderr
