"""The model repository extension with an unmodified tritonclient, and what reloading promises."""

import shutil
import threading
import time

import numpy as np
import pytest
import tritonclient.http as triton
from bascule import DATA, Server, run_cli
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general/add_one.onnx"
ADD_TWO = DATA / "engine/add_two.onnx"


@pytest.fixture
def repository(tmp_path):
    """add/1 and echo.onnx; a new version can be put beside the first."""
    (tmp_path / "add/1").mkdir(parents=True)
    shutil.copy(ADD_ONE, tmp_path / "add/1/model.onnx")
    shutil.copy(ADD_ONE, tmp_path / "echo.onnx")
    return tmp_path


@pytest.fixture
def server(repository):
    with Server(repository) as running:
        yield running


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60.0) as client:
        yield client


def index(client) -> dict[tuple[str, str], dict]:
    return {(entry["name"], entry["version"]): entry for entry in client.get_model_repository_index()}


def test_index_load_and_unload(client, server):
    assert index(client) == {
        ("add", "1"): {"name": "add", "version": "1", "state": "READY", "reason": ""},
        ("echo", "1"): {"name": "echo", "version": "1", "state": "READY", "reason": ""},
    }
    client.unload_model("add")
    assert not client.is_model_ready("add")
    assert client.is_model_ready("echo")
    entry = index(client)["add", "1"]
    assert entry["state"] == "UNAVAILABLE" and "unloaded" in entry["reason"]
    assert server.post_json("/v2/repository/index", {"ready": True}).json() == [
        {"name": "echo", "version": "1", "state": "READY", "reason": ""}]
    assert server.call("POST", "/v2/repository/index").status == 200
    client.unload_model("add", unload_dependents=True)
    client.load_model("add")
    assert client.is_model_ready("add")
    assert server.metrics()['bascule_model_loads_total{model="add"}'] == 2


def test_what_is_refused(client):
    with pytest.raises(InferenceServerException, match="failed to load 'nothing', failed to poll from model repository"):
        client.load_model("nothing")
    with pytest.raises(InferenceServerException, match="failed to unload 'nothing'"):
        client.unload_model("nothing")
    with pytest.raises(InferenceServerException, match="failed to load 'add'.*what"):
        client.load_model("add", config='{"what": 2}')
    with pytest.raises(InferenceServerException, match="failed to load 'add'.*without the parameter 'config'"):
        client.load_model("add", config=None, files={"file:1/model.onnx": ADD_ONE.read_bytes()})
    assert client.is_model_ready("add")


def test_a_web_page_elsewhere_may_not_unload(server):
    path = "/v2/repository/models/add/unload"
    for origin in ("http://example.org", "null", "http://127.0.0.1.example.org", "http://localhost.example.org:8000"):
        reply = server.call("POST", path, headers={"Origin": origin})
        assert reply.status == 403, (origin, reply)
    assert server.get("/v2/models/add/ready").status == 200
    assert server.call("POST", path, headers={"Origin": f"http://127.0.0.1:{server.port}"}).status == 200


def test_a_reload_that_fails_leaves_the_old_serving(client, server, repository):
    (repository / "add/1/model.onnx").write_bytes(b"no model")
    with pytest.raises(InferenceServerException, match="failed to load 'add'"):
        client.load_model("add")
    assert client.is_model_ready("add")
    entry = index(client)["add", "1"]
    assert entry["state"] == "READY" and "last reload failed" in entry["reason"]
    assert "still serves" in server.log()
    assert server.metrics()['bascule_model_load_failures_total{model="add"}'] == 1


def test_a_new_version_takes_over(client, repository):
    (repository / "add/2").mkdir()
    shutil.copy(ADD_TWO, repository / "add/2/model.onnx")
    client.load_model("add")
    states = {version: entry["state"] for (name, version), entry in index(client).items() if name == "add"}
    assert states == {"1": "UNAVAILABLE", "2": "READY"}
    assert client.get_model_metadata("add")["versions"] == ["2"]


def test_version_policy_all(repository):
    shutil.copytree(repository / "add/1", repository / "add/7")
    with Server(repository, "--version-policy", "all") as server:
        assert server.get("/v2/models/add").json()["versions"] == ["1", "7"]
    with Server(repository, "--version-policy", "specific:1") as server:
        assert server.get("/v2/models/add").json()["versions"] == ["1"]
    done = run_cli("serve", repository, "--http-port", 0, "--version-policy", "newest")
    assert done.returncode == 2 and "must be latest:N" in done.stderr, done


def test_only_what_was_named_is_loaded_at_the_start(repository):
    with Server(repository, "--load-model", "echo") as server:
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            assert client.is_model_ready("echo") and not client.is_model_ready("add")
            client.load_model("add")
            assert client.is_model_ready("add")
    with Server(repository, "--load-model", "none") as server:
        assert server.get("/v2/health/ready").status == 503
        assert server.call("POST", "/v2/repository/models/echo/load").status == 200
        assert server.get("/v2/health/ready").status == 200
    done = run_cli("serve", repository, "--http-port", 0, "--load-model", "other")
    assert done.returncode == 2 and "'other'" in done.stderr, done


def test_mode_none_refuses(repository):
    with Server(repository, "--model-control-mode", "none") as server:
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            with pytest.raises(InferenceServerException, match="explicit model load / unload is not allowed"):
                client.load_model("add")
            assert len(client.get_model_repository_index()) == 2


def test_beyond_loopback_it_is_refused(repository):
    with Server(repository, "--host", "0.0.0.0") as server:
        for call in ("load", "unload"):
            reply = server.call("POST", f"/v2/repository/models/add/{call}")
            assert reply.status == 401 and "loopback" in reply.json()["error"], reply
        assert server.get("/v2/models/add/ready").status == 200


def test_no_request_fails_while_a_model_is_reloaded(server, repository):
    stop, failures, asked = threading.Event(), [], [0] * 4
    values = np.zeros((1, 16), np.float32)

    def ask(number: int) -> None:
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            wanted = triton.InferInput("x", list(values.shape), "FP32")
            wanted.set_data_from_numpy(values)
            while not stop.is_set():
                try:
                    result = client.infer("add", [wanted])
                    if result.as_numpy("y")[0, 0] != 1:
                        failures.append(result.as_numpy("y"))
                except InferenceServerException as error:
                    failures.append(error)
                asked[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        assert server.call("POST", "/v2/repository/models/add/load").status == 200
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert min(asked) > 0


@pytest.mark.parametrize("flags", [["--watch"], ["--model-control-mode", "poll", "--repository-poll-secs", "1"]])
def test_what_changes_is_loaded_by_itself(repository, flags):
    def until(server, path: str, status: int) -> None:
        end = time.monotonic() + 20
        while server.get(path).status != status:
            assert time.monotonic() < end, (path, server.log())
            time.sleep(0.05)

    with Server(repository, *flags) as server:
        (repository / "add/2").mkdir()
        shutil.copy(ADD_TWO, repository / "add/2/model.onnx")
        until(server, "/v2/models/add/versions/2/ready", 200)
        until(server, "/v2/models/add/versions/1/ready", 503)
        (repository / "echo.onnx").unlink()
        until(server, "/v2/models/echo/ready", 404)
        shutil.copy(ADD_ONE, repository / "late.onnx")
        until(server, "/v2/models/late/ready", 200)
        (repository / "add/2/model.onnx").write_bytes(b"no model")
        end = time.monotonic() + 20
        while 'bascule_model_load_failures_total{model="add"} 1' not in server.get("/metrics").body.decode():
            assert time.monotonic() < end, server.log()
            time.sleep(0.05)
        assert server.get("/v2/models/add/ready").status == 200
