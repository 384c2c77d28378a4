"""Models that carry a state from one request of a sequence to the next: model.yaml, config.pbtxt, the oldest strategy."""

import concurrent.futures
import pathlib
import shutil
import struct

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from bascule import DATA, Server, run_cli
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

RUNNING_SUM = DATA / "general/running_sum.onnx"


def save(path, nodes, inputs, outputs):
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]), path)


def sums(path):
    """y and the state are x plus the state; any number of rows."""
    save(
        path,
        [helper.make_node("Add", ["x", "state_in"], ["state_out"]), helper.make_node("Identity", ["state_out"], ["y"])],
        [("x", ["n", 1]), ("state_in", ["n", 1])],
        [("y", ["n", 1]), ("state_out", ["n", 1])],
    )


def history(path):
    """The state is all that came so far; y is its sum."""
    save(
        path,
        [
            helper.make_node("Concat", ["past", "x"], ["now"], axis=1),
            helper.make_node("ReduceSum", ["now"], ["y"], keepdims=1),
        ],
        [("x", [1, 1]), ("past", [1, "so_far"])],
        [("y", [1, 1]), ("now", [1, "and_this"])],
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    home = tmp_path_factory.mktemp("state")
    shutil.copy(RUNNING_SUM, home / "total.onnx")
    (home / "total.yaml").write_text("state: [state_in=state_out]\n")
    shutil.copy(RUNNING_SUM, home / "from_five.onnx")
    (home / "from_five.yaml").write_text(
        "state: [state_in=state_out]\ninitial_state: [state_in=five]\nmax_sequence_idle_microseconds: 200000\n"
        "max_candidate_sequences: 1\n"
    )
    (home / "initial_state").mkdir()
    (home / "initial_state/five").write_bytes(struct.pack("<f", 5))
    history(home / "history.onnx")
    (home / "history.yaml").write_text("state: [past=now]\nmax_state_mb: 1\n")
    sums(home / "oldest/1/model.onnx")
    (home / "oldest/config.pbtxt").write_text(
        """name: "oldest" platform: "onnxruntime_onnx" max_batch_size: 8
        input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
        output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] }, { name: "state_out" data_type: TYPE_FP32 dims: [ 1 ] } ]
        instance_group [ { count: 1 kind: KIND_CPU } ]
        sequence_batching {
          max_sequence_idle_microseconds: 60000000
          oldest { max_candidate_sequences: 8 preferred_batch_size: [ 8 ] max_queue_delay_microseconds: 200000 }
          state [ { input_name: "state_in" output_name: "state_out" data_type: TYPE_FP32 dims: [ 1 ]
                    initial_state: { data_type: TYPE_FP32 dims: [ 1 ] data_file: "hundred" name: "hundred" } } ] }"""
    )
    (home / "oldest/initial_state").mkdir()
    (home / "oldest/initial_state/hundred").write_bytes(struct.pack("<f", 100))
    (home / "serve.yaml").write_text(
        "models:\n" + "".join(f"- {p.name}\n" for p in sorted(home.glob("*.onnx"))) + "- {path: oldest}\n"
    )
    with Server("--config", home / "serve.yaml", "--grpc-port", 0) as server:
        server.home = home
        yield server


@pytest.fixture(params=["http", "grpc"])
def client(request, state):
    if request.param == "http":
        made = http_client.InferenceServerClient(f"127.0.0.1:{state.port}", network_timeout=60.0, concurrency=8)
        made.module = http_client
    else:
        made = grpc_client.InferenceServerClient(state.grpc_address())
        made.module = grpc_client
    with made:
        yield made


def step(client, model, value, name, start=False, end=False, output="y", **options):
    tensor = client.module.InferInput("x", [1, 1], "FP32")
    tensor.set_data_from_numpy(np.full((1, 1), value, np.float32))
    answer = client.infer(
        model, [tensor], sequence_id=name, sequence_start=start, sequence_end=end, **options
    )
    return answer.as_numpy(output)


def run_all(client, model, name, values):
    last = len(values) - 1
    return [float(step(client, model, v, name, i == 0, i == last)[0, 0]) for i, v in enumerate(values)]


def test_a_sum_goes_on_within_its_sequence_alone(client):
    assert run_all(client, "total", 1, [1, 2, 3]) == [1, 3, 6]
    assert run_all(client, "total", 1, [10]) == [10], "it was dropped at the END"
    for i in range(3):
        for name in ("a", "b", 7):
            assert step(client, "total", len(str(name)) + i, name, i == 0, i == 2)[0, 0] == sum(
                len(str(name)) + j for j in range(i + 1)
            )
    step(client, "total", 5, 2, start=True)
    assert step(client, "total", 5, 2, start=True)[0, 0] == 5, "a START begins anew"
    assert step(client, "total", 1, 2, end=True)[0, 0] == 6


def test_the_state_is_not_for_clients(client):
    described = (
        client.get_model_metadata("total")
        if client.module is http_client
        else client.get_model_metadata("total", as_json=True)
    )
    assert [t["name"] for t in described["inputs"]] == ["x"]
    assert [t["name"] for t in described["outputs"]] == ["y"]
    tensors = [client.module.InferInput(n, [1, 1], "FP32") for n in ("x", "state_in")]
    for tensor in tensors:
        tensor.set_data_from_numpy(np.ones((1, 1), np.float32))
    with pytest.raises(InferenceServerException, match="filled by the server"):
        client.infer("total", tensors, sequence_id=3, sequence_start=True)
    with pytest.raises(InferenceServerException, match="state_out"):
        step(client, "total", 1, 3, start=True, outputs=[client.module.InferRequestedOutput("state_out")])
    # Where the configuration lists it as an output, it is one.
    got = step(client, "oldest", 1, 3, True, True, output="state_out")
    assert got.tolist() == [[101]]


def test_it_may_begin_with_a_file_and_is_given_up_when_idle(client):
    assert step(client, "from_five", 1, 1, start=True)[0, 0] == 6
    assert step(client, "from_five", 1, 1)[0, 0] == 7
    # One at a time: the second sequence waits until the first was idle for 200 ms.
    assert step(client, "from_five", 1, 2, start=True, end=True)[0, 0] == 6
    with pytest.raises(InferenceServerException, match="idle for 0.2 s and was given up"):
        step(client, "from_five", 1, 1)
    assert step(client, "from_five", 1, 1, start=True, end=True)[0, 0] == 6


def test_a_state_may_grow(client):
    assert run_all(client, "history", 5, [1, 2, 3, 4]) == [1, 3, 6, 10]


def test_steps_of_different_sequences_share_runs(state):
    def counts():
        stats = state.get("/v2/models/oldest/stats").json()["model_stats"][0]
        return int(stats["inference_count"]), int(stats["execution_count"])

    before = counts()
    with grpc_client.InferenceServerClient(state.grpc_address()) as client:
        client.module = grpc_client
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for i in range(4):
                got = pool.map(lambda n, i=i: step(client, "oldest", n, n, i == 0, i == 3)[0, 0], range(1, 9))
                assert list(got) == [100 + n * (i + 1) for n in range(1, 9)]
    rows, runs = (a - b for a, b in zip(counts(), before))
    assert rows == 32 and runs < 32


def test_a_reload_keeps_the_sums(state):
    with http_client.InferenceServerClient(f"127.0.0.1:{state.port}", network_timeout=60.0) as client:
        client.module = http_client
        assert step(client, "total", 3, 50, start=True)[0, 0] == 3
        client.load_model("total")
        assert step(client, "total", 4, 50)[0, 0] == 7
        # Where the new file's state is another one, a sequence that is under way is refused.
        sums(state.home / "other.onnx")
        save(
            state.home / "total.onnx",
            [
                helper.make_node("Concat", ["x", "x"], ["both"], axis=1),
                helper.make_node("Add", ["both", "state_in"], ["state_out"]),
                helper.make_node("ReduceSum", ["state_out"], ["y"], keepdims=1),
            ],
            [("x", [1, 1]), ("state_in", [1, 2])],
            [("y", [1, 1]), ("state_out", [1, 2])],
        )
        client.load_model("total")
        with pytest.raises(InferenceServerException, match="Begin the sequence anew"):
            step(client, "total", 4, 50)
        assert step(client, "total", 4, 50, True)[0, 0] == 8
        assert step(client, "total", 1, 50, False, True)[0, 0] == 10
        shutil.copy(RUNNING_SUM, state.home / "total.onnx")
        client.load_model("total")


def test_inspect_and_the_configuration_tell_of_it(state):
    done = run_cli("inspect", state.home / "total.onnx")
    assert done.returncode == 0, done.stderr
    assert "'state_out' becomes 'state_in' at the next request" in done.stdout
    wanted = state.get("/v2/models/total/config").json()["sequence_batching"]
    assert int(wanted["max_sequence_idle_microseconds"]) == 60_000_000
    assert wanted["state"][0]["input_name"] == "state_in"
    assert wanted["state"][0]["output_name"] == "state_out"


@pytest.mark.parametrize(
    "yaml,says",
    [
        ("state: [state_in]", "m.yaml:1: 'state_in' is no value of state"),
        ("state: [nothing=state_out]", "it declares the state input 'nothing'"),
        ("state: [state_in=nothing]", "it declares the state output 'nothing'"),
        ("state: [state_in=y, state_in=state_out]", "twice"),
        ("initial_state: [state_in=x]", "initial_state is given, but no state"),
        ("state: [state_in=state_out]\ninitial_state: [x=x]", "which is no input of a state"),
        ("state: [state_in=state_out]\ninitial_state: [state_in=none]", "none"),
        ("state: [state_in=state_out]\ninitial_state: [state_in=../m.yaml]", ".."),
        ("state: [state_in=state_out]\ninitial_state: [state_in=wrong]", "'wrong' has 3 bytes; the state 'state_in'"),
    ],
)
def test_settings_that_are_wrong_are_told(tmp_path: pathlib.Path, yaml, says):
    shutil.copy(RUNNING_SUM, tmp_path / "m.onnx")
    (tmp_path / "m.yaml").write_text(yaml)
    (tmp_path / "initial_state").mkdir()
    (tmp_path / "initial_state/wrong").write_bytes(b"123")
    done = run_cli("inspect", tmp_path / "m.onnx")
    assert done.returncode == 1
    assert says in done.stderr, done.stderr
