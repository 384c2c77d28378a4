"""OpenVINO beside ONNX Runtime: the same answers, its own formats, and nothing of it where no model asks for it."""

from __future__ import annotations

import json
import pathlib
import re
import threading

import numpy as np
import pytest
from bascule import DATA, Server, run_cli
from test_reference_answers import DETECTORS, check_http
from test_reference_tasks import HERE, check

FRAMEWORKS = DATA / "frameworks"
PICTURE = DATA / "pictures/fruit_101_0003.jpg"


def mapped(server: Server, library: str) -> bool:
    return library in pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()


@pytest.mark.parametrize("model", DETECTORS)
def test_http_equals_the_reference(figure, model):
    with Server(DATA / f"yolo/{model}.onnx", "--engine", "openvino") as server:
        worst = check_http(server, model, DATA / "expected/yolo" / f"{model}.json", DATA / "pictures")
    assert worst.rows > 0
    figure(f"reference, openvino, {model}: {worst}")


@pytest.mark.parametrize("model", ["yolo26n-cls", "yolo26n-sem"])
def test_other_tasks_equal_the_reference(model):
    models, expected, pictures = HERE
    golden = json.loads((expected / f"{model}.json").read_text())
    with Server(models / f"{model}.onnx", "--engine", "openvino") as server:
        for name, image in golden["images"].items():
            reply = server.predict(model, (pictures / name).read_bytes(), conf=image["conf"], decimals=5, bits=16,
                                   **golden["args"])
            assert reply.status == 200, reply
            check(reply.json()["images"][0], image, expected, model, name)


def test_what_is_not_asked_for_is_not_loaded():
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [1.0] * 16}]}
    for engine, there in (("auto", False), ("openvino", True)):
        with Server(DATA / "general/add_one.onnx", "--engine", engine) as server:
            assert server.infer("add_one", body).json()["outputs"][0]["data"] == [2.0] * 16
            assert mapped(server, "libopenvino") == mapped(server, "libtbb") == there


def test_its_own_format_needs_no_configuration():
    """As convert_model leaves it, and as the ultralytics package exports: a folder with metadata.yaml."""
    with Server(DATA / "openvino_ir/yolo26n.xml") as server:
        worst = check_http(server, "yolo26n", DATA / "expected/yolo/yolo26n.json", DATA / "pictures")
        assert worst.rows > 0
        about = server.get("/v2/models/yolo26n").json()
        assert about["platform"] == "openvino_ir"
    with Server(DATA / "openvino_ir/yolo26n-cls_openvino_model") as server:
        reply = server.predict("yolo26n-cls", PICTURE.read_bytes(), imgsz=320)
        names = [row["name"] for row in reply.json()["images"][0]["results"]]
        assert len(names) == 5 and set(names) <= {"cat", "dog", "horse", "sheep", "cow", "bird", "fish", "frog", "lion", "bear"}


@pytest.mark.parametrize("path,name", [("add_one_tensorflow", "add_one_tensorflow"),
                                       ("add_one_tensorflow/saved_model.pb", "add_one_tensorflow"),
                                       ("add_one_lite.tflite", "add_one_lite"),
                                       ("add_one_paddle.pdmodel", "add_one_paddle")])
def test_models_of_other_frameworks(path, name):
    with Server(FRAMEWORKS / path) as server:
        about = server.get(f"/v2/models/{name}").json()
        (given,) = about["inputs"]
        body = {"inputs": [{"name": given["name"], "datatype": "FP32", "shape": [1, 16], "data": [2.0] * 16}]}
        assert server.infer(name, body).json()["outputs"][0]["data"] == [3.0] * 16


def test_what_one_cannot_load_the_other_is_tried_for(tmp_path):
    """`inspect` says which one serves it and why."""
    told = run_cli("inspect", DATA / "general/wine_classifier.onnx", "--engine", "openvino")
    assert told.returncode == 1
    assert "TreeEnsembleClassifier" in told.stderr
    # A tflite model is none of ONNX Runtime's; a damaged ONNX file is nobody's, and the first engine's words count.
    told = run_cli("inspect", FRAMEWORKS / "add_one_lite.tflite")
    assert re.search(r"^engine +openvino 20\d\d\.", told.stdout, re.M), told.stdout
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07 no model")
    told = run_cli("inspect", broken)
    assert told.returncode == 1 and "'broken.onnx'" in told.stderr
    # Type constraints that only one of the two checks: an operator of a float type that it has no kernel for.
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("Round", ["x"], ["y"])
    graph = helper.make_graph([node], "rounds", [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [None, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [None, 4])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.save(model, tmp_path / "rounds.onnx")
    told = run_cli("inspect", tmp_path / "rounds.onnx")
    assert told.returncode == 0, told.stderr
    assert re.search(r"^engine +openvino", told.stdout, re.M), told.stdout
    assert "onnxruntime cannot load it: " in told.stdout


def test_less_precise_numbers_where_they_are_asked_for():
    model = DATA / "yolo/yolo26n.onnx"
    told = run_cli("inspect", model, "--precision", "bf16")
    if told.returncode != 0:
        assert "This processor does not compute in bf16" in told.stderr
        pytest.skip("this processor has no bf16")
    assert "it computes in bf16" in told.stdout
    told = run_cli("inspect", model, "--precision", "bf16", "--engine", "onnxruntime")
    assert told.returncode == 1 and "make one fit the other" in told.stderr


def test_the_same_answers_where_it_is_compiled_for_a_shape():
    """Pictures become that shape, or another; the engine that makes nothing of it serves as ever."""
    model = DATA / "yolo/yolo26n.onnx"
    answers = []
    for options in ([], ["--shapes", "1x3x256x320,1x3x64x64"]):
        with Server(model, "--engine", "openvino", *options) as server:
            answers.append([server.predict("yolo26n", PICTURE.read_bytes(), imgsz=size, conf=0.01, decimals=3).json()["images"][0]["results"]
                            for size in (320, 320, 640, 64)])
    assert answers[0][0] and answers[0] == answers[1]
    told = run_cli("inspect", model, "--engine", "openvino", "--shapes", "1x3x256x320,1x3x64x64")
    assert "it is compiled for inputs of [1,3,256,320], too" in told.stdout
    assert re.search(r"^shapes +1x3x256x320, 1x3x64x64  \(--shapes\)$", told.stdout, re.M), told.stdout
    told = run_cli("inspect", model, "--shapes", "1x4x256x320")
    assert told.returncode == 0 and "compiled for" not in told.stdout
    told = run_cli("inspect", model, "--engine", "openvino", env={"BASCULE_SHAPES": "1x3x0x320"})
    assert told.returncode == 1 and "BASCULE_SHAPES: shapes: '1x3x0x320' is no shape" in told.stderr


def test_many_at_once_on_one_engine():
    """Shared runs, several instances, and threads that overlap: each has its own answer."""
    with Server(DATA / "general/add_one.onnx", "--engine", "openvino", "--instances", 2) as server:
        wrong: list[object] = []

        def ask(offset: int) -> None:
            for i in range(60):
                value = float(offset * 1000 + i)
                body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [value] * 16}]}
                got = server.infer("add_one", body).json()["outputs"][0]["data"]
                if not np.array_equal(got, [value + 1] * 16):
                    wrong.append((value, got))

        threads = [threading.Thread(target=ask, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_compiled_models_are_kept_under_the_state_folder(tmp_path):
    for _ in range(2):
        with Server(DATA / "yolo/yolo26n.onnx", "--engine", "openvino", "--state-dir", tmp_path) as server:
            assert server.predict("yolo26n", PICTURE.read_bytes(), imgsz=320).status == 200
        kept = list((tmp_path / "compiled").iterdir())
        assert len(kept) == 1
    assert (tmp_path / "compiled").stat().st_mode & 0o077 == 0


def test_without_the_library_onnx_files_are_served_all_the_same(tmp_path):
    with Server(DATA / "general/add_one.onnx", "--openvino", tmp_path) as server:
        assert server.get("/v2/models/add_one").json()["platform"] == "onnxruntime_onnx"
    told = run_cli("inspect", FRAMEWORKS / "add_one_lite.tflite", "--openvino", tmp_path)
    assert told.returncode == 1
    assert "--openvino" in told.stderr and "libopenvino_c.so" in told.stderr
