"""Models that are made of others: config.pbtxt and YAML, over HTTP and gRPC; a detector's boxes for a classifier."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from bascule import DATA, ROOT, Server, run_cli
from PIL import Image
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general/add_one.onnx"
TRAY = ROOT / "examples/checkout/pictures/fruit_101_0008.jpg"
STEPS = """
    step [ { model_name: "add_one" model_version: -1
             input_map { key: "x" value: "X" } output_map { key: "y" value: "once" } },
           { model_name: "again" model_version: 1
             input_map { key: "x" value: "once" } output_map { key: "y" value: "Y" } } ]"""
TENSORS = """
  input [ { name: "X" data_type: TYPE_FP32 dims: [ 16 ] } ]
  output [ { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] } ]"""


def write(home, name, text):
    (home / name / "1").mkdir(parents=True)
    (home / name / "config.pbtxt").write_text(text)


def ensemble(name, steps=STEPS, more=""):
    return f'name: "{name}" platform: "ensemble" max_batch_size: 8 {TENSORS} ensemble_scheduling {{ {steps} }} {more}'


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    home = tmp_path_factory.mktemp("ensembles")
    for name in ("add_one", "again"):
        (home / name / "1").mkdir(parents=True)
        shutil.copy(ADD_ONE, home / name / "1/model.onnx")
    write(home, "plus_two", ensemble("plus_two", STEPS + " max_inflight_requests: 2"))
    nested = """step [ { model_name: "plus_two" input_map { key: "X" value: "X" } output_map { key: "Y" value: "two" } },
                       { model_name: "plus_two" input_map { key: "X" value: "two" } output_map { key: "Y" value: "Y" } } ]"""
    write(home, "plus_four", ensemble("plus_four", nested))
    itself = 'step [ { model_name: "endless" input_map { key: "X" value: "X" } output_map { key: "Y" value: "Y" } } ]'
    write(home, "endless", ensemble("endless", itself))
    missing = 'step [ { model_name: "nobody" input_map { key: "x" value: "X" } output_map { key: "y" value: "Y" } } ]'
    write(home, "lonely", ensemble("lonely", missing))
    (home / "from_yaml.yaml").write_text(
        """
ensemble:
  inputs: [{name: X, datatype: FP32, shape: [-1, 16]}]
  outputs: [{name: Y, datatype: FP32, shape: [-1, 16]}, {name: once, datatype: FP32, shape: [-1, 16]}]
  steps:
    - {model: add_one, inputs: {x: X}, outputs: {y: once}}
    - {model: again, inputs: {x: once}, outputs: {y: Y}}
"""
    )
    with Server(home, "--grpc-port", 0) as server:
        yield server


@pytest.fixture(params=["http", "grpc"])
def client(request, repository):
    if request.param == "http":
        made = http_client.InferenceServerClient(f"127.0.0.1:{repository.port}", network_timeout=60.0, concurrency=8)
        made.module = http_client
    else:
        made = grpc_client.InferenceServerClient(repository.grpc_address())
        made.module = grpc_client
    with made:
        yield made


def x_of(client, value, rows=1):
    tensor = client.module.InferInput("X", [rows, 16], "FP32")
    tensor.set_data_from_numpy(np.full((rows, 16), value, np.float32))
    return tensor


@pytest.mark.parametrize("model,more", [("plus_two", 2), ("plus_four", 4), ("from_yaml", 2)])
def test_steps_go_on_what_the_others_gave(client, model, more):
    for rows in (1, 3):
        answer = client.infer(model, [x_of(client, 5, rows)], request_id="me")
        assert answer.as_numpy("Y").tolist() == [[5.0 + more] * 16] * rows
        assert (answer.get_response()["id"] if client.module is http_client else answer.get_response().id) == "me"


def test_only_what_is_wanted_is_given(client):
    answer = client.infer("from_yaml", [x_of(client, 1)], outputs=[client.module.InferRequestedOutput("once")])
    assert answer.as_numpy("once")[0, 0] == 2
    assert answer.as_numpy("Y") is None


def test_it_looks_like_one_model(repository):
    metadata = repository.get("/v2/models/plus_two").json()
    assert metadata["platform"] == "ensemble"
    assert [t["name"] for t in metadata["inputs"] + metadata["outputs"]] == ["X", "Y"]
    assert metadata["inputs"][0]["shape"] == [-1, 16]
    for name in ("plus_two", "from_yaml"):
        config = repository.get(f"/v2/models/{name}/config").json()
        assert config["platform"] == "ensemble"
        steps = config["ensemble_scheduling"]["step"]
        assert [s["model_name"] for s in steps] == ["add_one", "again"]
        assert steps[0]["input_map"] == {"x": "X"}
        assert not config.get("instance_group")
    assert repository.get("/v2/models/plus_two/ready").status == 200
    assert repository.get("/v2/models/lonely/ready").status != 200


def test_the_models_it_is_made_of_count_their_steps(repository):
    def counts():
        stats = repository.get("/v2/models/stats").json()["model_stats"]
        return {s["name"]: s["inference_stats"]["success"]["count"] for s in stats}

    before = counts()
    with http_client.InferenceServerClient(f"127.0.0.1:{repository.port}", network_timeout=60.0) as client:
        client.module = http_client
        client.infer("plus_four", [x_of(client, 1)])
    after = counts()
    assert {n: after[n] - before[n] for n in after if after[n] != before[n]} == {
        "plus_four": 1,
        "plus_two": 2,
        "add_one": 2,
        "again": 2,
    }


def test_many_at_once_share_the_steps(repository):
    with http_client.InferenceServerClient(
        f"127.0.0.1:{repository.port}", network_timeout=60.0, connection_timeout=60.0, concurrency=16
    ) as client:
        client.module = http_client
        waiting = [client.async_infer("plus_two", [x_of(client, i)]) for i in range(200)]
        for i, one in enumerate(waiting):
            assert one.get_result().as_numpy("Y")[0].tolist() == [i + 2.0] * 16


@pytest.mark.parametrize(
    "model,says",
    [
        ("lonely", r"Step 1 of ensemble 'lonely' \(model 'nobody'\)"),
        ("endless", "Does one hold itself"),
    ],
)
def test_what_cannot_be_run_says_where(client, model, says):
    with pytest.raises(InferenceServerException, match=says):
        client.infer(model, [x_of(client, 1)])


def test_a_wrong_request_is_refused_before_any_step(client):
    tensor = client.module.InferInput("X", [1, 15], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 15), np.float32))
    with pytest.raises(InferenceServerException, match="15"):
        client.infer("plus_two", [tensor])


@pytest.mark.parametrize(
    "text,says",
    [
        ('platform: "ensemble"', "ensemble_scheduling is missing"),
        (ensemble("e", ""), "step is given 0 times"),
        (ensemble("e", STEPS.replace('"X"', '"W"')), "takes 'W', which no step makes"),
        (ensemble("e", STEPS.replace('"Y"', '"Z"')), "no step makes the output 'Y'"),
        (ensemble("e", STEPS.replace('"once" } output_map { key: "y" value: "Y"', '"X" } output_map { key: "y" value: "once"')), "which step 1 makes, too"),
        (ensemble("e", STEPS, "instance_group [ { count: 2 } ]"), "has no instances"),
        (ensemble("e").replace("ensemble", "onnxruntime_onnx", 1), "that of an ensemble is 'ensemble'"),
        (ensemble("e").replace('model_name: "again"', 'model_name: ""'), "model_name is missing"),
    ],
)  # fmt: skip
def test_configurations_that_make_no_sense(tmp_path, text, says):
    write(tmp_path / "r", "e", text)
    done = run_cli("inspect", tmp_path / "r")
    assert done.returncode == 1
    assert says in done.stderr, done.stderr


def test_inspect_tells_what_it_is_made_of(tmp_path):
    done = run_cli("inspect", ROOT / "examples/graph/fruit_colours.yaml")
    assert done.returncode == 0, done.stderr
    assert "boxes of 'fruit', each cut out for 'colour'" in done.stdout


@pytest.fixture(scope="module")
def colours():
    with Server(ROOT / "examples/checkout/fruit.onnx", ROOT / "examples/graph") as server:
        yield server


def test_boxes_come_back_with_the_classifiers_names(colours):
    picture = Image.open(TRAY).convert("RGB")
    boxes = colours.predict("fruit", TRAY.read_bytes(), decimals=5).json()["images"][0]["results"]
    got = colours.predict("fruit_colours", TRAY.read_bytes(), decimals=5)
    assert got.status == 200, got
    (image,) = got.json()["images"]
    assert image["shape"] == [960, 1280]
    assert [row["box"] for row in image["results"]] == [row["box"] for row in boxes]
    assert len(boxes) == 7
    for row, box in zip(image["results"], (b["box"] for b in boxes)):
        # What a client would do that cuts by itself.
        piece = io.BytesIO()
        edges = [int(np.rint(box[k])) for k in ("x1", "y1", "x2", "y2")]
        picture.crop(edges).save(piece, "PNG")
        alone = colours.predict("colour", piece.getvalue(), decimals=5).json()["images"][0]["results"][0]
        assert (row["name"], row["class"]) == (alone["name"], alone["class"])
        assert abs(row["confidence"] - alone["confidence"]) < 1e-3
    assert {row["name"] for row in image["results"]} >= {"yellow", "orange"}


def test_pictures_without_boxes_and_bad_ones(colours):
    none = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(none, "PNG")
    got = colours.predict("fruit_colours", none.getvalue())
    assert got.status == 200 and got.json()["images"][0]["results"] == []
    assert colours.predict("fruit_colours", b"not a picture").status == 400
    assert len(colours.predict("fruit_colours", TRAY.read_bytes(), max_det=2).json()["images"][0]["results"]) == 2


def test_tensors_are_not_for_it(colours):
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]})
    got = colours.call("POST", "/v2/models/fruit_colours/infer", body)
    assert got.status == 400 and "takes pictures, not tensors" in got.body.decode()


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_frames_of_a_video_are_cut_as_pictures_are(colours, tmp_path):
    clip, frame = tmp_path / "tray.avi", tmp_path / "tray.png"
    make = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i"]
    subprocess.run([*make, TRAY, "-c:v", "ffv1", "-pix_fmt", "bgr0", clip], check=True, timeout=60)
    subprocess.run([*make, clip, frame], check=True, timeout=60)
    moving = colours.predict("fruit_colours", clip.read_bytes()).json()["images"]
    still = colours.predict("fruit_colours", frame.read_bytes()).json()["images"]
    assert len(moving) == 1 and moving[0]["results"] == still[0]["results"] != []
