"""config.pbtxt: what it asks for happens, what it describes is told, and a load request may replace it."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import shutil
import tempfile

import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from bascule import DATA, Server, run_cli
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general" / "add_one.onnx"
EVIL = pathlib.Path(tempfile.gettempdir()) / "evil.onnx"
DETECTOR = DATA / "yolo" / "yolo26n.onnx"
CONFIG = """
name: "add"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 16 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 16 ] } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100
                   default_queue_policy { max_queue_size: 7 default_timeout_microseconds: 2000000 } }
instance_group [ { count: 2 kind: KIND_CPU } ]
parameters { key: "colour" value: { string_value: "blue" } }
"""


def model(folder: pathlib.Path, name: str, config: str | None, file: pathlib.Path = ADD_ONE) -> pathlib.Path:
    (folder / name / "1").mkdir(parents=True)
    shutil.copy(file, folder / name / "1" / "model.onnx")
    if config is not None:
        (folder / name / "config.pbtxt").write_text(config)
    return folder


@pytest.fixture
def server(tmp_path):
    model(tmp_path, "add", CONFIG)
    model(tmp_path, "gears", None, DETECTOR)
    with Server(tmp_path, "--grpc-port", 0) as running:
        running.folder = tmp_path
        yield running


@pytest.fixture(params=[over_http, over_grpc], ids=["http", "grpc"])
def client(request, server):
    where = f"127.0.0.1:{server.port}" if request.param is over_http else server.grpc_address()
    with request.param.InferenceServerClient(where) as connected:
        connected.kind = request.param
        yield connected


def config_of(client, name: str) -> dict:
    if client.kind is over_http:
        return client.get_model_config(name)
    return client.get_model_config(name, as_json=True)["config"]


def rows(client, count: int):
    tensor = client.kind.InferInput("x", [count, 16], "FP32")
    tensor.set_data_from_numpy(np.zeros((count, 16), np.float32))
    return [tensor]


def test_what_was_said_is_told(client):
    config = config_of(client, "add")
    assert config["max_batch_size"] == 8 and config["platform"] == "onnxruntime_onnx"
    assert [int(d) for d in config["input"][0]["dims"]] == [16] and config["input"][0]["data_type"] == "TYPE_FP32"
    assert [int(n) for n in config["dynamic_batching"]["preferred_batch_size"]] == [4, 8]
    assert config["parameters"]["colour"]["string_value"] == "blue"
    assert config["instance_group"][0]["count"] == 2


def test_a_model_without_one_is_described(client):
    config = config_of(client, "gears")
    assert config["backend"] == "onnxruntime" and config["input"][0]["name"] == "images"
    metadata = ast.literal_eval(config["parameters"]["metadata"]["string_value"])
    assert metadata["task"] == "detect" and "names" in metadata and "stride" in metadata


def test_what_it_asks_for_happens(client):
    assert client.infer("add", rows(client, 8)).as_numpy("y").shape == (8, 16)
    with pytest.raises(InferenceServerException, match="9 rows; max_batch_size of model 'add' is 8"):
        client.infer("add", rows(client, 9))


def test_inspect_names_it_as_the_origin(server):
    said = run_cli("inspect", server.folder / "add").stdout
    assert re.search(r"max_queue_size\s+7\b.*config\.pbtxt", said), said


def test_a_load_request_replaces_it_until_the_next_load(client):
    client.load_model("add", config='{"max_batch_size":"16"}')  # protobuf's JSON takes a number in quotes
    assert config_of(client, "add")["max_batch_size"] == 16
    assert client.infer("add", rows(client, 16)).as_numpy("y").shape == (16, 16)
    client.load_model("add")
    assert config_of(client, "add")["max_batch_size"] == 8


@pytest.mark.parametrize("config", ["{", "[]", '{"max_batch_size":"many"}', '{"no_such_field":1}', '{"max_batch_size":-1}',
                                    '{"input":[{"name":"other","data_type":"TYPE_FP32","dims":[16]}]}', "{" * 300])
def test_a_configuration_that_cannot_be_leaves_the_old_one(client, config):
    with pytest.raises(InferenceServerException, match="failed to load 'add'"):
        client.load_model("add", config=config)
    assert config_of(client, "add")["max_batch_size"] == 8
    assert client.infer("add", rows(client, 1)).as_numpy("y")[0, 0] == 1


def test_files_of_a_load_request(client, server):
    before = {p for p in pathlib.Path(tempfile.gettempdir()).glob("bascule-*") if p.is_dir()}
    client.load_model("fresh", config='{"max_batch_size":4}', files={"file:1/model.onnx": ADD_ONE.read_bytes()})
    assert client.infer("fresh", rows(client, 2)).as_numpy("y").shape == (2, 16)
    assert not (server.folder / "fresh").exists()
    client.unload_model("fresh")
    server.stop()
    assert {p for p in pathlib.Path(tempfile.gettempdir()).glob("bascule-*") if p.is_dir()} <= before


@pytest.mark.parametrize("name", ["../evil.onnx", str(EVIL), "1/../../evil.onnx", "1/\0x", "", ".", "1//x", "a" * 300])
def test_a_file_that_would_leave_its_folder(client, name, tmp_path):
    with pytest.raises(InferenceServerException, match="failed to load 'fresh'") as refused:
        client.load_model("fresh", config="{}", files={f"file:{name}": b"evil"})
    assert f"{tempfile.gettempdir()}/bascule-" not in refused.value.message()
    assert not list(tmp_path.rglob("evil*")) and not EVIL.exists()


@pytest.mark.parametrize(("config", "why"), [
    ('name: "other"', "other"),
    ('input [ { name: "z" data_type: TYPE_FP32 dims: [ 16 ] } ]', "'z'"),
    ('input [ { name: "x" data_type: TYPE_INT32 dims: [ 16 ] } ]', "INT32"),
    ('max_batch_size: 8 input [ { name: "x" data_type: TYPE_FP32 dims: [ 15 ] } ]', "15"),
    ('platform: "tensorflow_graphdef"', "tensorflow_graphdef"),
    ("max_batch_size: -1", "-1"),
    ("max_batch_size: 99999999999999", "config.pbtxt:1"),
    ("no_such_field: 1", "config.pbtxt:1"),
    ("dynamic_batching {", "config.pbtxt"),
    ('output [ { name: "y" label_filename: "../../etc/passwd" } ]', "label"),
    ('default_model_filename: "../model.onnx"', "default_model_filename"),
])
def test_what_cannot_be_served_says_why(tmp_path, config, why):
    model(tmp_path, "add", config)
    model(tmp_path, "fine", None)
    with Server(tmp_path) as server:
        (entry,) = [m for m in json.loads(server.call("POST", "/v2/repository/index").body) if m["name"] == "add"]
        assert entry["state"] == "UNAVAILABLE" and why in entry["reason"], entry
        assert server.get("/v2/models/fine/ready").status == 200


NOT_DONE = "optimization { graph { level: 1 } } response_cache { enable: true }"


def test_what_is_not_done_is_one_warning(tmp_path):
    model(tmp_path, "add", NOT_DONE)
    with Server(tmp_path) as server:
        warnings = [line for line in server.log().splitlines() if " warning " in line]
        assert len(warnings) == 1 and "optimization" in warnings[0] and "response_cache" in warnings[0], warnings
        assert server.get("/v2/models/add/ready").status == 200


def test_strict_config_makes_it_an_error(tmp_path):
    model(tmp_path, "add", NOT_DONE)
    model(tmp_path, "fine", None)
    with Server(tmp_path, "--strict-config") as server:
        assert server.get("/v2/models/add/ready").status != 200
        assert "response_cache" in server.call("POST", "/v2/repository/index").body.decode()


def test_the_guide_of_ultralytics(tmp_path):
    """It writes an empty file, or one with `optimization` and the metadata as a Python literal."""
    said = "{'task': 'detect', 'names': {0: 'gear'}, 'stride': 32, 'end2end': False}"
    model(tmp_path, "yolo", 'optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }\n'
                            f'parameters {{ key: "metadata" value: {{ string_value: "{said}" }} }}', DETECTOR)
    with Server(tmp_path) as server:
        config = json.loads(server.get("/v2/models/yolo/config").body)
        assert config["parameters"]["metadata"]["string_value"] == said
        assert "optimization" in server.log()
