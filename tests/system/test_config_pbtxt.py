"""config.pbtxt: read, answered and overridden, with Triton's own clients as people have them."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
import shutil
import tempfile

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from bascule import DATA, ROOT, SHARED, Server, run_cli
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general/add_one.onnx"
EXAMPLES = SHARED / "triton_repository"
if not EXAMPLES.exists():
    EXAMPLES = SHARED / "models/triton_repository"
needs_examples = pytest.mark.skipif(not EXAMPLES.exists(), reason="the example repository is not here")


def repository(root: pathlib.Path, config: str, name: str = "add") -> pathlib.Path:
    """A repository of one model, which adds one to x [-1, 16]."""
    (root / name / "1").mkdir(parents=True, exist_ok=True)
    shutil.copy(ADD_ONE, root / name / "1/model.onnx")
    (root / name / "config.pbtxt").write_text(config)
    return root


def inspect(path: pathlib.Path) -> dict[str, tuple[str, str]]:
    done = run_cli("inspect", "--json", path)
    assert done.returncode == 0, done.stderr
    return {fact["name"]: (fact["value"], fact["origin"]) for fact in json.loads(done.stdout)}


def refusal(path: pathlib.Path) -> str:
    done = run_cli("inspect", path)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_settings_come_from_the_configuration_and_model_yaml_is_stronger(tmp_path):
    repository(tmp_path, """max_batch_size: 8
dynamic_batching { max_queue_delay_microseconds: 100 default_queue_policy { max_queue_size: 5 } }
instance_group { count: 1 }
""")
    facts = inspect(tmp_path)
    assert facts["max_batch_size"] == ("8", "config.pbtxt:1")
    assert facts["max_queue_delay_microseconds"] == ("100", "config.pbtxt:2")
    assert facts["max_queue_size"] == ("5", "config.pbtxt:2")
    assert facts["instances"] == ("1", "config.pbtxt:3")
    (tmp_path / "add/model.yaml").write_text("max_queue_size: 6\n")
    assert inspect(tmp_path)["max_queue_size"][0] == "6"


def test_it_is_held_against_the_model_file(tmp_path):
    for config, text in [
        ('name: "other"', "the name is 'other', but the folder's is 'add'"),
        ('platform: "tensorrt_plan"', "the platform is 'tensorrt_plan', which is not served here"),
        ('backend: "python"', "the backend is 'python', which is not served here"),
        ('input { name: "nothing" }', "it declares input 'nothing', but the inputs of the model file are 'x'"),
        ('max_batch_size: 4 input { name: "x" data_type: TYPE_INT8 dims: 16 }', "declared as INT8, but the model file has FP32"),
        ('max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: 8 }', "but the model file has shape [-1,16]"),
        ('max_batch: 4', "config.pbtxt:1"),
        ('default_model_filename: "../../x.onnx"', "default_model_filename"),
        ('output { name: "y" label_filename: "../../secret" }', "the labels of output 'y'"),
        ('model_warmup { name: "w" batch_size: 1 inputs { key: "x" value { data_type: TYPE_FP32 dims: 3 zero_data: true } } }',
         "The warm-up request 'w' failed"),
        ('model_warmup { name: "w" inputs { key: "x" value { data_type: TYPE_FP32 dims: 1 input_data_file: "../../x" } } }',
         "leaves its folder"),
    ]:
        message = refusal(repository(tmp_path, config))
        assert text in message, (config, message)


def test_warm_up_requests_run(tmp_path):
    repository(tmp_path, """max_batch_size: 4
model_warmup [ { name: "a" batch_size: 2 count: 2 inputs { key: "x" value { data_type: TYPE_FP32 dims: 16 random_data: true } } },
  { name: "b" batch_size: 1 inputs { key: "x" value { data_type: TYPE_FP32 dims: 16 input_data_file: "x.raw" } } } ]""")
    (tmp_path / "add/warmup").mkdir()
    (tmp_path / "add/warmup/x.raw").write_bytes(np.arange(16, dtype=np.float32).tobytes())
    assert inspect(tmp_path)["run on requests"][1] == "measured at load with those of config.pbtxt"


def test_one_warning_names_what_is_not_done_and_strict_config_refuses_it(tmp_path):
    repository(tmp_path, "response_cache { enable: true }\noptimization { cuda { graphs: true } }")
    with Server(tmp_path) as server:
        lines = [line for line in server.log().splitlines() if "is not done" in line]
        assert len(lines) == 1
        assert "optimization.cuda (config.pbtxt:2)" in lines[0] and "response_cache (config.pbtxt:1)" in lines[0]
    repository(tmp_path, "", "good")
    with Server(tmp_path, "--strict-config") as server:
        entries = {entry["name"]: entry for entry in server.call("POST", "/v2/repository/index").json()}
        assert entries["good"]["state"] == "READY"
        assert entries["add"]["state"] == "UNAVAILABLE" and "response_cache" in entries["add"]["reason"]


def test_a_model_that_declared_nothing_is_described(tmp_path):
    with Server(repository(tmp_path, "")) as server:
        config = server.get("/v2/models/add/config").json()
        assert config == server.get("/v2/models/add/versions/1/config").json()
        assert config["name"] == "add" and config["platform"] == "onnxruntime_onnx"
        assert config["max_batch_size"] >= 1
        assert [(i["name"], i["data_type"], i["dims"]) for i in config["input"]] == [("x", "TYPE_FP32", [16])]
        assert server.get("/v2/models/nothing/config").status == 404


def test_the_client_of_ultralytics_finds_its_metadata():
    with Server(ROOT / "examples/checkout/fruit.onnx") as server:
        config = server.get("/v2/models/fruit/config").json()
        metadata = ast.literal_eval(config["parameters"]["metadata"]["string_value"])
        assert metadata["task"] == "detect" and isinstance(metadata["names"], dict)
        assert int(metadata["stride"]) > 0


@needs_examples
def test_the_example_repository_as_a_whole():
    with Server(EXAMPLES, "--model-control-mode", "explicit", "--load-model=*", "--grpc-port", 0) as server:
        entries = {entry["name"]: entry for entry in server.call("POST", "/v2/repository/index").json()}
        assert len(entries) == 8
        for name in ("densenet_onnx", "inception_onnx"):
            assert entries[name]["state"] == "UNAVAILABLE" and "no model file" in entries[name]["reason"]
        served = {name for name, entry in entries.items() if entry["state"] == "READY"}
        assert served == {"simple", "simple_dyna_sequence", "simple_identity", "simple_int8", "simple_sequence", "simple_string"}
        golden = json.loads((ROOT / "tests/golden/model_config.json").read_text())
        answers = {name: server.get(f"/v2/models/{name}/config").json() for name in served}
        for answer in answers.values():  # as many as this machine has cores, where nothing is declared
            for group in answer["instance_group"]:
                group["count"] = min(group["count"], 2)
        if os.environ.get("BASCULE_WRITE_GOLDEN"):
            (ROOT / "tests/golden/model_config.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
        assert {n: {**a, "instance_group": len(a["instance_group"])} for n, a in answers.items()} == {
            n: {**a, "instance_group": len(a["instance_group"])} for n, a in golden.items()}
        for name in served:
            assert server.get(f"/v2/models/{name}").json()["name"] == name
        assert [i["name"] for i in server.get("/v2/models/simple_sequence").json()["inputs"]] == ["INPUT"]
        with grpc_client.InferenceServerClient(server.grpc_address()) as client:
            assert client.get_model_config("simple").config.max_batch_size == 8
            as_json = client.get_model_config("simple", as_json=True)["config"]
            assert as_json["input"][0]["data_type"] == "TYPE_INT32"


@needs_examples
def test_identity_gives_strings_back():
    with Server(EXAMPLES, "--load-model=simple_identity") as server:
        assert "served as identity" in server.log()
        with http_client.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            data = np.array([[b"a", b"", b"\x00\xff"]], dtype=np.object_)
            tensor = http_client.InferInput("INPUT0", [1, 3], "BYTES")
            tensor.set_data_from_numpy(data)
            assert (client.infer("simple_identity", [tensor]).as_numpy("OUTPUT0") == data).all()


def test_reshape_and_metadata_agree(tmp_path):
    repository(tmp_path, 'max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [ 4, 4 ] reshape { shape: 16 } }')
    with Server(tmp_path) as server:
        assert server.get("/v2/models/add").json()["inputs"][0]["shape"] == [-1, 4, 4]
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4, 4], "data": list(range(16))}
        reply = server.infer("add", {"inputs": [tensor]})
        assert reply.status == 200, reply
        assert reply.json()["outputs"][0]["data"] == list(range(1, 17))


def override_folders() -> set[str]:
    return {entry for entry in os.listdir(tempfile.gettempdir()) if re.fullmatch(r"bascule-\w{6}", entry)}


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_load_may_bring_a_configuration(tmp_path, transport):
    with Server(repository(tmp_path, "max_batch_size: 8"), "--grpc-port", 0) as server:
        package = http_client if transport == "http" else grpc_client
        client = package.InferenceServerClient(
            f"127.0.0.1:{server.port}" if transport == "http" else server.grpc_address())

        def batch() -> int:
            return server.get("/v2/models/add/config").json()["max_batch_size"]

        assert batch() == 8
        client.load_model("add", config='{"max_batch_size":"16"}')
        assert batch() == 16
        for bad in ('{"max_batch_size":"x"}', "no", '{"name":"other"}', '{"backend":"tensorrt"}'):
            with pytest.raises(InferenceServerException, match="failed to load"):
                client.load_model("add", config=bad)
            assert batch() == 16  # what serves stays
        client.load_model("add")
        assert batch() == 8
        client.close()


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_load_may_bring_files(tmp_path, transport):
    before = override_folders()
    with Server(repository(tmp_path, ""), "--grpc-port", 0) as server:
        package = http_client if transport == "http" else grpc_client
        client = package.InferenceServerClient(
            f"127.0.0.1:{server.port}" if transport == "http" else server.grpc_address())
        client.load_model("add", config="{}", files={"file:7/model.onnx": ADD_ONE.read_bytes()})
        assert server.get("/v2/models/add").json()["versions"] == ["7"]
        assert len(override_folders() - before) == 1
        # One that no path holds.
        client.load_model("new", config="{}", files={"file:1/model.onnx": ADD_ONE.read_bytes()})
        assert client.is_model_ready("new")
        for bad in ("file:../model.onnx", "file:/etc/model.onnx", "file:1//model.onnx", "file:" + "A" * 256, "file:"):
            with pytest.raises(InferenceServerException, match="failed to load"):
                client.load_model("add", config="{}", files={bad: b"x"})
        with pytest.raises(InferenceServerException, match="failed to load"):
            client.load_model("add", config="{}", files={"file:1/model.onnx": b"no model"})
        assert server.get("/v2/models/add/versions/7/ready").status == 200
        client.unload_model("new")
        client.load_model("add")
        assert server.get("/v2/models/add").json()["versions"] == ["1"]
        assert override_folders() == before
        client.close()
