"""`bascule serve PATH…` needs no configuration: files, folders, repositories; what is no model is refused."""

import random
import shutil
import socket

import pytest
from bascule import DATA, Server, run_cli

DETECTOR = DATA / "yolo" / "yolo26n.onnx"
ADD_ONE = DATA / "general" / "add_one.onnx"
ONES = {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [1] * 16}]}


def models(server):
    reply = server.get("/v2/models")
    assert reply.status == 200
    return reply.json()["models"]


def adds_one(server, name):
    reply = server.infer(name, ONES)
    assert reply.status == 200, reply
    assert reply.json()["outputs"][0]["data"] == [2] * 16


def test_one_file():
    with Server(ADD_ONE) as server:
        assert models(server) == ["add_one"]
        adds_one(server, "add_one")


def test_a_name_of_the_users_choice():
    with Server(ADD_ONE, "--name", "plus") as server:
        assert models(server) == ["plus"]
        adds_one(server, "plus")


def test_several_files_and_a_default():
    pictures = DATA / "pictures"
    with Server(DETECTOR, DATA / "yolo/yolov8n.onnx", ADD_ONE, "--default-model", "yolov8n") as server:
        assert sorted(models(server)) == ["add_one", "yolo26n", "yolov8n"]
        reply = server.call(
            "POST", "/predict", (pictures / "steel_104_0000.jpg").read_bytes(), {"Content-Type": "image/jpeg"}
        )
        assert reply.status == 200, reply
        assert "yolov8n" in reply.json()["metadata"]["model"]


def test_a_slip_in_the_default_models_name_is_told_at_the_start():
    result = run_cli("serve", ADD_ONE, "--default-model", "add_on", "--http-port", 0)
    assert result.returncode == 2, result
    assert "did you mean 'add_one'?" in result.stderr


def test_a_file_whose_name_cannot_be_a_models_is_served_under_another(tmp_path):
    file = tmp_path / "my model.onnx"
    shutil.copy(ADD_ONE, file)
    assert "--name" in run_cli("serve", file, "--http-port", 0).stderr
    with Server(file, "--name", "plus") as server:
        adds_one(server, "plus")


def test_an_ipv6_address_in_brackets_is_one():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Server(ADD_ONE, "--host", "[::1]") as server:
        assert server.url == f"http://[::1]:{server.port}"


def test_a_bad_name_in_a_folder_does_not_stop_the_others(tmp_path):
    for name in ("good", "my model"):
        shutil.copy(ADD_ONE, tmp_path / f"{name}.onnx")
    with Server(tmp_path) as server:
        adds_one(server, "good")
        assert "my model.onnx' is passed over" in server.log()


def test_the_only_model_that_fits_needs_no_name():
    with Server(DETECTOR, ADD_ONE) as server:
        picture = (DATA / "pictures/steel_104_0000.jpg").read_bytes()
        reply = server.call("POST", "/predict", picture, {"Content-Type": "image/jpeg"})
        assert reply.status == 200, reply


def test_a_folder():
    with Server(DATA / "yolo") as server:
        assert sorted(models(server)) == sorted(f.stem for f in (DATA / "yolo").glob("*.onnx"))


def test_a_triton_repository(tmp_path):
    for name, version, source in [("plus", "1", ADD_ONE), ("plus", "3", ADD_ONE), ("gears", "1", DETECTOR)]:
        folder = tmp_path / name / version
        folder.mkdir(parents=True)
        shutil.copy(source, folder / "model.onnx")
        (tmp_path / name / "config.pbtxt").write_text("")
    with Server(tmp_path) as server:
        assert sorted(models(server)) == ["gears", "plus"]
        adds_one(server, "plus")
        assert server.get("/v2/models/plus/versions/3/ready").status == 200
        assert "config.pbtxt" not in server.log()  # an empty one asks for nothing


def broken_files(folder):
    """name -> a file that is no model."""
    whole = DETECTOR.read_bytes()
    made = {
        "empty": b"",
        "text": b"This is not a model, it is a letter.\n" * 20,
        "random": random.Random(7).randbytes(4096),
        "truncated": whole[: len(whole) // 2],
    }
    for name, content in made.items():
        (folder / f"{name}.onnx").write_bytes(content)
    return list(made)


def check_refused(server, names):
    assert "add_one" in models(server)
    adds_one(server, "add_one")
    log = server.log()
    for name in names:
        lines = [line for line in log.splitlines() if f"{name}.onnx" in line]
        assert lines, f"the log does not say what is wrong with {name}.onnx:\n{log}"
        reply = server.get(f"/v2/models/{name}/ready")
        assert reply.status in (400, 404, 503), reply
        reply = server.infer(name, ONES)
        assert reply.status in (400, 404, 503), reply
        assert name in reply.json()["error"]
    assert server.get("/v2/health/live").status == 200


def test_broken_files_are_refused_and_the_rest_serves(tmp_path):
    names = broken_files(tmp_path)
    shutil.copy(ADD_ONE, tmp_path)
    with Server(tmp_path) as server:
        check_refused(server, names)
        assert server.metrics()['bascule_models{state="failed"}'] == len(names)


def test_more_broken_files(shared, tmp_path):
    names = []
    for file in sorted((shared / "models/broken").glob("*.onnx")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
        names.append(file.stem)
    assert names
    # Written for a later ONNX than one engine knows; the other takes it.
    names.remove("future_ir")
    shutil.copy(ADD_ONE, tmp_path)
    with Server(tmp_path) as server:
        check_refused(server, names)
        assert server.get("/v2/models/future_ir").json()["platform"] == "openvino_onnx"
        assert "onnxruntime cannot load it: Model file 'future_ir.onnx' is written in ONNX IR version 99" in server.log()


def test_broken_files_have_one_sentence_in_inspect(tmp_path):
    for name in broken_files(tmp_path):
        done = run_cli("inspect", tmp_path / f"{name}.onnx")
        assert done.returncode == 1, done
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and f"{name}.onnx" in lines[0], done.stderr


@pytest.mark.parametrize(
    "name,command", [("model.pt", "yolo export"), ("model.engine", "onnx"), ("model.mar", "onnx")]
)
def test_other_formats_are_refused_with_the_command(tmp_path, name, command):
    (tmp_path / name).write_bytes(b"\x80\x02" * 100)
    for verb in ("serve", "inspect"):
        done = run_cli(verb, tmp_path / name)
        assert done.returncode in (1, 2), done
        assert name in done.stderr and command in done.stderr.lower(), done.stderr


def test_a_path_that_is_not_there():
    done = run_cli("serve", "/no/such/model.onnx")
    assert done.returncode in (1, 2)
    assert "/no/such/model.onnx" in done.stderr


def test_a_config_file(tmp_path):
    config = tmp_path / "bascule.yaml"
    config.write_text("default_model: yolo26n\n")
    with Server(DETECTOR, DATA / "yolo/yolov8n.onnx", "--config", config) as server:
        picture = (DATA / "pictures/steel_104_0000.jpg").read_bytes()
        reply = server.call("POST", "/predict", picture, {"Content-Type": "image/jpeg"})
        assert reply.status == 200 and "yolo26n" in reply.json()["metadata"]["model"]


def test_a_typing_slip_in_a_config_file_is_told_with_the_nearest_key(tmp_path):
    config = tmp_path / "bascule.yaml"
    config.write_text("defualt_model: yolo26n\n")
    done = run_cli("serve", DETECTOR, "--config", config)
    assert done.returncode in (1, 2)
    assert "defualt_model" in done.stderr and "default_model" in done.stderr and "bascule.yaml" in done.stderr
