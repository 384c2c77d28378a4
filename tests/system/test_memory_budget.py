"""A memory budget for two models that holds one, and models that are loaded by the first request for them."""

import shutil
import threading

import pytest
from bascule import DATA, ROOT, Server, has_sanitizer

FRUIT = ROOT / "examples/checkout/fruit.onnx"
STEEL = ROOT / "examples/factory/steel.onnx"
ADD_ONE = DATA / "general/add_one.onnx"
PICTURE = next((ROOT / "examples/checkout/pictures").glob("*.jpg"))
ONES = {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [1] * 16}]}

pytestmark = pytest.mark.skipif(has_sanitizer(), reason="a sanitizer makes memory figures meaningless")


def memory_of(server) -> dict[str, float]:
    start = 'bascule_model_memory_bytes{model="'
    return {key[len(start):].split('"')[0]: value for key, value in server.metrics().items() if key.startswith(start)}


def states(server) -> dict[str, tuple[str, str]]:
    index = server.post_json("/v2/repository/index", {}).json()
    return {entry["name"]: (entry["state"], entry["reason"]) for entry in index}


def predict(server, model: str):
    return server.predict(model, PICTURE.read_bytes())


@pytest.fixture(scope="module")
def budget_mb() -> int:
    """As much as one of both needs, and a little more."""
    with Server(FRUIT, STEEL) as server:
        needs = memory_of(server)
    assert set(needs) == {"fruit", "steel"} and min(needs.values()) > FRUIT.stat().st_size
    assert sum(needs.values()) > max(needs.values()) * 1.2
    return int(max(needs.values()) * 1.1 / 1e6) + 1


def test_two_models_take_turns_where_one_fits(budget_mb):
    with Server(FRUIT, STEEL, "--memory-budget-mb", budget_mb) as server:
        assert states(server)["fruit"] == ("READY", "")
        state, reason = states(server)["steel"]
        assert state == "UNAVAILABLE" and "loads on first use" in reason
        assert server.get("/v2/health/ready").status == 200
        assert server.get("/v2/models/steel/ready").status == 200, "a request would be answered"
        resident = []
        for _ in range(4):
            for model, other in (("steel", "fruit"), ("fruit", "steel")):
                reply = predict(server, model)
                assert reply.status == 200, reply
                assert states(server)[model] == ("READY", "")
                state, reason = states(server)[other]
                assert state == "UNAVAILABLE" and "to make room; it loads again when asked for" in reason
                assert sum(memory_of(server).values()) <= budget_mb * 1e6
                resident.append(server.memory_kb())
        metrics = server.metrics()
        assert metrics['bascule_model_evictions_total{model="fruit"}'] == 4
        assert metrics['bascule_model_evictions_total{model="steel"}'] == 4
        assert metrics['bascule_model_load_failures_total{model="steel"}'] == 0
        # Nothing is left behind by a model that went.
        assert resident[-1] < resident[1] * 1.3 + 20_000, resident


def test_requests_to_both_at_once_are_all_answered(budget_mb):
    with Server(FRUIT, STEEL, "--memory-budget-mb", budget_mb) as server:
        replies = []

        def ask(model: str) -> None:
            for _ in range(5):
                replies.append((model, predict(server, model)))

        threads = [threading.Thread(target=ask, args=(model,)) for model in ("fruit", "steel") * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(replies) == 20 and {reply.status for _, reply in replies} == {200}, replies


def test_a_model_larger_than_the_budget_says_so():
    with Server(ADD_ONE, FRUIT, "--memory-budget-mb", 20) as server:
        reply = predict(server, "fruit")
        assert reply.status == 503 and "memory_budget_mb" in reply.json()["error"], reply
        assert "more than the budget of 20 MB" in server.log()
        assert server.get("/v2/models/fruit/ready").status == 503
        reply = server.call("POST", "/v2/repository/models/fruit/load")
        assert reply.status == 400 and "Raise memory_budget_mb" in reply.json()["error"], reply


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        shutil.copy(ADD_ONE, tmp_path / f"{name}.onnx")
    return tmp_path


def test_load_on_use(folder):
    with Server(folder, "--load-on-use") as server:
        assert {state for state, _ in states(server).values()} == {"UNAVAILABLE"}
        assert server.get("/v2/health/ready").status == 200
        assert server.infer("a", ONES).status == 200
        assert [state for state, _ in states(server).values()] == ["READY", "UNAVAILABLE"]
        # Who asks what it takes, or sends it raw, waits likewise.
        assert server.get("/v2/models/b").json()["inputs"][0]["name"] == "x"
        assert server.call("POST", "/v2/repository/models/b/unload").status == 200
        assert server.infer("b", ONES).status == 503, "what was unloaded on request stays unloaded"
        assert server.call("POST", "/v2/repository/models/b/load").status == 200
        assert server.infer("b", ONES).status == 200
    with Server(folder, "--load-on-use", "--load-model", "b") as server:
        assert [state for state, _ in states(server).values()] == ["UNAVAILABLE", "READY"]
        raw = server.call("POST", "/v2/models/a/infer", bytes(64), {"Inference-Header-Content-Length": "0"})
        assert raw.status == 200, raw


def test_a_file_that_fails_when_it_is_first_used(folder):
    (folder / "b.onnx").write_bytes(b"no model")
    with Server(folder, "--load-on-use") as server:
        for _ in range(3):
            reply = server.infer("b", ONES)
            assert reply.status == 503 and "not ready" in reply.json()["error"], reply
        assert server.metrics()['bascule_model_load_failures_total{model="b"}'] == 1
        assert server.get("/v2/models/b/ready").status == 503
        assert server.infer("a", ONES).status == 200
