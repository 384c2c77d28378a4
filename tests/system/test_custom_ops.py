"""Operators of one's own: a library built here against the engine's header, named in the configuration."""

import json
import shutil
import subprocess
import urllib.request

import onnx
import pytest
from bascule import BINARY, DATA, ROOT, Server
from onnx import TensorProto as T
from onnx import helper

HEADERS = ROOT / ".deps/onnxruntime/include"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    compiler = shutil.which("c++")
    if not compiler or not (HEADERS / "onnxruntime_cxx_api.h").exists():
        pytest.skip("a C++ compiler and ONNX Runtime's headers in .deps are needed")
    folder = tmp_path_factory.mktemp("custom")
    subprocess.run(
        [compiler, "-std=c++17", "-shared", "-fPIC", "-I", HEADERS, DATA / "custom_op/triple.cpp", "-o", folder / "libtriple.so"],
        check=True, timeout=300,
    )
    graph = helper.make_graph(
        [helper.make_node("Triple", ["x"], ["y"], domain="shop")], "triple",
        [helper.make_tensor_value_info("x", T.FLOAT, ["n", 2])], [helper.make_tensor_value_info("y", T.FLOAT, ["n", 2])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("shop", 1)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), folder / "triple.onnx")
    (folder / "bascule.yaml").write_text(f"custom_op_libraries: [{folder}/libtriple.so]\nmodels: [triple.onnx]\n")
    return folder


def test_a_library_of_the_configuration_is_used(folder):
    with Server("--config", folder / "bascule.yaml") as server:
        body = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, -2]}]}
        request = urllib.request.Request(f"{server.url}/v2/models/triple/infer", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert json.load(reply)["outputs"][0]["data"] == [4.5, -6]


def test_the_command_line_takes_it_too(folder):
    def run(*words):
        return subprocess.run([BINARY, *map(str, words)], input='{"rows":[[1,2]]}', capture_output=True, text=True, timeout=60)

    done = run("predict", folder / "triple.onnx", "-", "--custom-op-libraries", folder / "libtriple.so")
    assert done.returncode == 0 and done.stdout.splitlines() == ["y.0,y.1", "3,6"], done.stderr
    done = run("inspect", folder / "triple.onnx")
    assert done.returncode == 1 and "operator 'shop.Triple" in done.stderr.replace("shop:", "shop."), done.stderr


def test_what_is_no_library_is_told(folder):
    (folder / "text.so").write_text("no library")
    for name in ("text.so", "missing.so"):
        done = subprocess.run([BINARY, "inspect", folder / "triple.onnx", "--custom-op-libraries", folder / name],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and f"The custom-op library '{name}' cannot be used" in done.stderr, done.stderr
        assert str(folder) not in done.stderr.replace(str(folder / "triple.onnx"), "")
