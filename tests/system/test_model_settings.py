"""Settings of one model: where they stand, who wins, and that they act in the running server."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import time

import pytest
from bascule import DATA, ROOT, Server, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
TRAY = (ROOT / "examples/checkout/pictures/fruit_101_0008.jpg").read_bytes()
YOLO = DATA / "yolo/yolo26n.onnx"
ADD_ONE = DATA / "general/add_one.onnx"
TALL_AND_SQUARE = [(DATA / "pictures" / name).read_bytes() for name in ("fruit_101_0000.jpg", "steel_104_0000.jpg")]
ONE_ROW = {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [0.5] * 16}]}


def settings(*arguments: object, **variables: str) -> dict[str, tuple[str, str]]:
    """name -> (value, origin) as `bascule inspect --json` prints them, facts of the file too."""
    for name, value in variables.items():
        os.environ[name] = value
    try:
        done = run_cli("inspect", *arguments, "--json")
    finally:
        for name in variables:
            del os.environ[name]
    assert done.returncode == 0, done.stderr
    return {row["name"]: (row["value"], row["origin"]) for row in json.loads(done.stdout)}


def repository(folder: pathlib.Path, name: str = "m", model: pathlib.Path = ADD_ONE) -> pathlib.Path:
    (folder / name / "1").mkdir(parents=True)
    shutil.copy(model, folder / name / "1/model.onnx")
    return folder / name


def statistics(server: Server, model: str) -> dict:
    return server.get(f"/v2/models/{model}/stats").json()["model_stats"][0]


def together(calls) -> list:
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_inspect_prints_every_setting_and_where_it_comes_from(tmp_path):
    home = repository(tmp_path)
    (home / "model.yaml").write_text("max_queue_size: 2\npreferred_batch_size: [4, 2]\npriority_levels: 3\n")
    file = tmp_path / "bascule.yaml"
    file.write_text(
        "http_port: 0\nmax_queue_size: 1\nqueue_budget_ms: 50\ninstances: 2\n"
        "models:\n  - path: m\n    name: renamed\n    priority_levels: 4\n    threads: 3\n"
    )
    found = settings(home, "--config", file, "--letterbox", "square", BASCULE_MAX_QUEUE_DELAY_MICROSECONDS="7")
    own = f"{home}/model.yaml"
    assert found["name"][0] == "renamed"
    assert found["max_batch_size"] == ("0", "default")
    assert found["queue_budget_ms"] == ("50", f"{file}:3")
    assert found["max_queue_size"] == ("2", f"{own}:1")
    assert found["preferred_batch_size"] == ("4, 2", f"{own}:2")
    assert found["priority_levels"] == ("4", f"{file}:8")
    assert found["threads"] == ("3", f"{file}:9")
    assert found["max_queue_delay_microseconds"] == ("7", "BASCULE_MAX_QUEUE_DELAY_MICROSECONDS")
    assert found["letterbox"] == ("square", "--letterbox")
    # The flag and the variable speak of all models, and win over the model's own file and entry.
    last = settings(home, "--config", file, "--max-queue-size", "9", BASCULE_THREADS="1")
    assert last["max_queue_size"] == ("9", "--max-queue-size")
    assert last["threads"] == ("1", "BASCULE_THREADS")
    # Without the model, the file's list.
    assert settings("--config", file)["priority_levels"] == ("4", f"{file}:8")
    table = run_cli("inspect", home)
    assert re.search(rf"^max_queue_size +2  \({re.escape(own)}:1\)$", table.stdout, re.M)


def test_every_key_of_the_reference_is_printed_by_inspect():
    page = (ROOT / "docs/configuration.md").read_text()
    keys = re.findall(r"^\| .*?\| `([a-z_]+)` \|", page[page.index("### Each model"):], re.M)
    found = settings(ADD_ONE)
    assert len(keys) == 42 and set(keys) <= set(found)
    schema = json.loads(run_cli("config", "--model-schema").stdout)
    assert set(schema["properties"]) == set(keys)
    entry = json.loads(run_cli("config", "--schema").stdout)["properties"]["models"]["items"]["anyOf"][1]
    assert set(entry["properties"]) == {*keys, "path", "name"}


def test_the_example_of_the_page_is_read(tmp_path):
    page = (ROOT / "docs/configuration.md").read_text()
    home = repository(tmp_path)
    (home / "model.yaml").write_text(re.search(r"^```yaml\n(# NAME/model.yaml\n.*?)^```$", page, re.M | re.S).group(1))
    (home / "samples").mkdir()
    (home / "samples/usual.json").write_text(json.dumps(ONE_ROW))
    found = settings(home)
    assert found["threads"][0] == "2" and "run on samples" in found


def test_models_with_different_bounds(tmp_path):
    """Only the model that asked for a short queue or a short wait refuses; what the top level says holds for all."""
    file = tmp_path / "bascule.yaml"
    file.write_text(
        "queue_budget_ms: 0\nmodels:\n"
        f"  - {{path: {FRUIT}, name: tight, max_queue_size: 1}}\n"
        f"  - {{path: {FRUIT}, name: hasty, instances: 1, default_timeout_microseconds: 20000}}\n"
        f"  - {{path: {FRUIT}, name: roomy}}\n"
    )
    with Server("--config", file) as server:
        for model, refusal in (("tight", 429), ("hasty", 503), ("roomy", None)):
            replies = together([lambda: server.predict(model, TRAY, imgsz=1280)] * 16)
            counts = {status: sum(r.status == status for r in replies) for status in {r.status for r in replies}}
            assert set(counts) == ({200, refusal} if refusal else {200}), (model, counts)


def test_a_folder_in_the_list_speaks_of_every_model_in_it(tmp_path):
    for name in ("a", "b"):
        repository(tmp_path / "models", name)
    file = tmp_path / "bascule.yaml"
    file.write_text("models: [{path: models, max_queue_size: 3}]\n")
    for name in ("a", "b"):
        assert settings(tmp_path / "models" / name, "--config", file)["max_queue_size"] == ("3", f"{file}:1")


def test_square_pictures_of_every_shape_share_a_run(tmp_path):
    """Both models wait for company; only in the square one do two pictures of different shapes keep it."""
    file = tmp_path / "bascule.yaml"
    common = "max_batch_size: 2, max_queue_delay_microseconds: 3000000"
    file.write_text(
        f"models:\n  - {{path: {YOLO}, name: square, letterbox: square, {common}}}\n"
        f"  - {{path: {YOLO}, name: rect, {common.replace('3000000', '100000')}}}\n"
    )
    with Server("--config", file) as server:
        answers = {}
        for model in ("square", "rect"):
            replies = together([lambda picture=picture: server.predict(model, picture) for picture in TALL_AND_SQUARE])
            assert [reply.status for reply in replies] == [200, 200], replies
            answers[model] = [reply.json() for reply in replies]
            counts = statistics(server, model)
            assert counts["inference_count"] == 2
            assert counts["execution_count"] == (1 if model == "square" else 2)
        shapes = [[image["shape"] for image in answer["images"]] for answer in answers["square"]]
        assert shapes[0] != shapes[1]
        # A lone picture of the square model is answered as one that shared its run.
        alone = server.predict("square", TALL_AND_SQUARE[0]).json()
        assert alone["images"][0]["results"] == answers["square"][0]["images"][0]["results"]


def engine_threads(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


def test_threads_of_one_model(tmp_path):
    file = tmp_path / "bascule.yaml"
    counts = {}
    for threads in (1, 3):
        file.write_text(f"models:\n  - {{path: {FRUIT}, name: a, threads: {threads}}}\n  - {{path: {YOLO}, name: b}}\n")
        with Server("--config", file) as server:
            counts[threads] = engine_threads(server)
    assert counts[3] - counts[1] == 2


def test_threads_of_a_reloaded_model_have_their_share_of_the_cores(tmp_path):
    """Models are loaded by a thread that yields to others; those that compute must not inherit that."""
    file = tmp_path / "bascule.yaml"
    file.write_text(f"models:\n  - {{path: {FRUIT}, name: a, threads: 3}}\n")

    def shares(server: Server, name: str) -> list[tuple[int, int]]:
        found = []
        for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # the model from before is still going
                if re.match(name, (task / "comm").read_text()):
                    number = int(task.name)
                    found.append((os.sched_getscheduler(number), os.getpriority(os.PRIO_PROCESS, number)))
        return found

    with Server("--config", file) as server:
        assert server.post_json("/v2/repository/models/a/load", {}).status == 200
        (usual,) = set(shares(server, r"worker-\d"))
        (answers,) = set(shares(server, "io|worker-brief"))
        assert answers[1] < usual[1] or answers[1] >= 15, "threads that answer come before those that compute"
        loaders = shares(server, "loader")
        assert any(policy == os.SCHED_IDLE or nice >= min(usual[1] + 10, 19) for policy, nice in loaders)
        threads = shares(server, r"engine-\d")
        assert len(threads) >= 2 and set(threads) == {usual}
        assert server.predict("a", TRAY).status == 200


def test_a_plain_file_has_its_own_beside_it_and_a_reload_reads_it(tmp_path):
    """A wrong file fails the load with one sentence while what was loaded goes on serving."""
    shutil.copy(YOLO, tmp_path / "parts.onnx")
    own = tmp_path / "parts.yaml"
    own.write_text("max_batch_size: 1\n")
    with Server(tmp_path / "parts.onnx") as server:
        load = "/v2/repository/models/parts/load"
        own.write_text("max_queue_size: 5\nmax_bacth_size: 4\n")
        refused = server.post_json(load, {})
        assert refused.status == 400
        assert "parts.yaml:2: unknown key 'max_bacth_size'; did you mean 'max_batch_size'?" in refused.json()["error"]
        assert server.predict("parts", TRAY).status == 200
        (entry,) = server.post_json("/v2/repository/index", {}).json()
        assert entry["state"] == "READY" and "parts.yaml:2" in entry["reason"]
        own.write_text("max_batch_size: 4\nmax_queue_delay_microseconds: 3000000\n")
        assert server.post_json(load, {}).status == 200
        # Now four pictures share one run; the delay would be waited for otherwise.
        before = statistics(server, "parts")["execution_count"]
        replies = together([lambda: server.predict("parts", TRAY)] * 4)
        assert [reply.status for reply in replies] == [200] * 4
        assert statistics(server, "parts")["execution_count"] == before + 1


def test_a_wrong_own_file_takes_down_no_other_model(tmp_path):
    for name in ("good", "bad"):
        repository(tmp_path, name)
    (tmp_path / "bad/model.yaml").write_text("nc: 80\nnames: [person]\n")
    with Server(tmp_path) as server:
        assert server.infer("good", ONE_ROW).status == 200
        states = {entry["name"]: entry for entry in server.post_json("/v2/repository/index", {}).json()}
        assert states["bad"]["state"] == "UNAVAILABLE"
        assert "model.yaml:1: unknown key 'nc'" in states["bad"]["reason"]
        assert "give it another name where it is something else" in states["bad"]["reason"]


@pytest.mark.parametrize(("yaml", "words"), [
    ("max_batch_size: 4\npreferred_batch_size: [2, 8]\n", ["preferred_batch_size is 8", "max_batch_size is 4", ":2", ":1"]),
    ("default_priority_level: 2\n", ["default_priority_level is 2", "priority_levels is 0 (default)"]),
    ("letterbox: round\n", ["m.yaml:1", "'round' is not one of rect, square"]),
    ("shapes: [1x16, 1x]\n", ["m.yaml:1: shapes: '1x' is no shape", "such as 1x3x640x640"]),
    (f"shapes: [{', '.join(['1x16'] * 9)}]\n", ["m.yaml:1: shapes: 9 values are given; at most 8 are taken"]),
    ("engine: openvino\nshapes: [1x17]\n", ["'m.onnx' cannot be compiled for shape [1,17]", "'x' has [-1,16]"]),
    ("instances: none\n", ["'none' is not a whole number from 1 to 256, or auto"]),
    ("threads: 0\n", ["'0' is not a number from 1 to 256, or auto"]),
    ("max_queue_size: 1\nmax_queue_size: 2\n", ["m.yaml:2", "given twice"]),
    ("warm_up: [../x.json]\n", ["m.yaml:1", "'../x.json'", "leaves its folder"]),
    ("warm_up: [/etc/passwd]\n", ["it is absolute"]),
    ("warm_up: [link/x.json]\n", ["a link leaves its folder"]),
    ("warm_up: [absent.json]\n", ["absent.json", "warm_up failed"]),
    ("warm_up: [wrong.json]\n", ["wrong.json", "warm_up failed", "'y'"]),
    ("warm_up: [torn.json]\n", ["torn.json", "warm_up failed"]),
    ("warm_up: [picture.jpg]\n", ["picture.jpg", "takes tensors"]),
    ("x" * (1 << 20) + ": 1\n", ["m.yaml", "larger than the limit of 1.0 MB"]),
])
def test_wrong_own_files(tmp_path, yaml, words):
    shutil.copy(ADD_ONE, tmp_path / "m.onnx")
    (tmp_path / "m.yaml").write_text(yaml)
    (tmp_path / "wrong.json").write_text(json.dumps(ONE_ROW).replace('"x"', '"y"'))
    (tmp_path / "torn.json").write_text('{"inputs": [')
    (tmp_path / "picture.jpg").write_bytes(TRAY)
    (tmp_path / "link").symlink_to(DATA)
    done = run_cli("inspect", tmp_path / "m.onnx")
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr, done.stderr


def test_samples_run_before_the_model_serves(tmp_path):
    """Tensors for one model, a picture for the other; both tell in inspect, and a broken one keeps its model from serving."""
    adder, detector = repository(tmp_path, "adder"), repository(tmp_path, "detector", YOLO)
    (adder / "model.yaml").write_text("warm_up: [usual.json]\n")
    (adder / "usual.json").write_text(json.dumps(ONE_ROW))
    (detector / "model.yaml").write_text("warm_up: [deep/tray.jpg, deep/tray.jpg]\n")
    (detector / "deep").mkdir()
    (detector / "deep/tray.jpg").write_bytes(TRAY)
    assert "usual.json" in settings(adder)["run on samples"][1]
    assert "tray.jpg" in settings(detector)["run on samples"][1]
    assert "run on zeros" not in settings(adder)
    (detector / "deep/tray.jpg").write_bytes(TRAY[:1000])
    with Server(tmp_path) as server:
        assert server.infer("adder", ONE_ROW).status == 200
        refused = server.predict("detector", TRAY)
        assert refused.status >= 400 and "tray.jpg" in refused.body.decode()


def test_watch_reloads_when_the_own_file_changes(tmp_path):
    home = repository(tmp_path)
    with Server(tmp_path, "--watch") as server:
        loads = 'bascule_model_loads_total{model="m"}'
        before = server.metrics()[loads]
        (home / "model.yaml").write_text("max_batch_size: 1\n")
        deadline = time.monotonic() + 20
        while server.metrics()[loads] == before:
            assert time.monotonic() < deadline, "the change of model.yaml was not seen"
            time.sleep(0.1)
        assert server.infer("m", ONE_ROW).status == 200
