"""Models of sequences, with unmodified tritonclients over HTTP and gRPC: order, control inputs, refusals, idle sequences.

The models keep nothing between runs: OUTPUT is INPUT, plus START; the second one adds CORRID where END is set.
"""

import queue
import shutil
import threading
import uuid

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from bascule import SHARED, Server
from tritonclient.utils import InferenceServerException

REPOSITORY = SHARED / "models" / "triton_repository"
VALUES = [11, 7, 5, 3, 2, 0, 1]
pytestmark = pytest.mark.skipif(not REPOSITORY.is_dir(), reason=f"{REPOSITORY} is not there")


def write_config(home, name, text):
    folder = home / name
    shutil.copytree(REPOSITORY / "simple_sequence" / "1", folder / "1")
    (folder / "config.pbtxt").write_text(
        f"""name: "{name}" platform: "onnxruntime_onnx" {text}
        input [ {{ name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] }} ]
        output [ {{ name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] }} ]
        instance_group [ {{ count: 1 kind: KIND_CPU }} ]"""
    )


CONTROLS = """
    control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] },
                    { name: "READY" control [ { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } ] } ]"""


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    home = tmp_path_factory.mktemp("sequences")
    for name in ("simple_sequence", "simple_dyna_sequence"):
        shutil.copytree(REPOSITORY / name, home / name)
    write_config(
        home,
        "narrow",
        f"max_batch_size: 1 sequence_batching {{ max_sequence_idle_microseconds: 60000000 {CONTROLS} }}",
    )
    write_config(
        home,
        "restless",
        f"max_batch_size: 1 sequence_batching {{ max_sequence_idle_microseconds: 100000 {CONTROLS} }}",
    )
    with Server(home, "--grpc-port", 0) as server:
        yield server


@pytest.fixture(params=["http", "grpc"])
def client(request, sequences):
    if request.param == "http":
        made = http_client.InferenceServerClient(f"127.0.0.1:{sequences.port}", network_timeout=60.0, concurrency=4)
        module = http_client
    else:
        made = grpc_client.InferenceServerClient(sequences.grpc_address())
        module = grpc_client
    made.module = module
    with made:
        yield made


def inputs(module, value, rows=1):
    tensor = module.InferInput("INPUT", [rows, 1], "INT32")
    tensor.set_data_from_numpy(np.full((rows, 1), value, np.int32))
    return [tensor]


def step(client, model, value, **options):
    answer = client.infer(model, inputs(client.module, value), **options)
    return int(answer.as_numpy("OUTPUT")[0][0])


def run_all(client, model, name, first):
    values = [first, *VALUES]
    last = len(values) - 1
    return [
        step(client, model, value, sequence_id=name, sequence_start=i == 0, sequence_end=i == last)
        for i, value in enumerate(values)
    ]


def test_a_sequence_is_told_where_it_begins_and_ends(client):
    assert run_all(client, "simple_sequence", 1000, 0) == [1, *VALUES]
    assert run_all(client, "simple_sequence", 1001, 100) == [101, *VALUES]
    assert run_all(client, "simple_sequence", str(uuid.uuid4()), 20) == [21, *VALUES]
    assert run_all(client, "simple_dyna_sequence", 1007, 0) == [1, *VALUES[:-1], VALUES[-1] + 1007]


def test_sequences_in_between_each_other(client):
    names = [2000, 2001, "2000"]
    for i, value in enumerate(VALUES):
        for name in names:
            got = step(
                client,
                "simple_sequence",
                value,
                sequence_id=name,
                sequence_start=i == 0,
                sequence_end=i + 1 == len(VALUES),
            )
            assert got == value + (1 if i == 0 else 0)


def refusal(client, model, rows=1, **options):
    with pytest.raises(InferenceServerException) as error:
        client.infer(model, inputs(client.module, 1, rows), **options)
    return error.value.message()


def test_refusals_say_what_is_wrong(client):
    says = refusal(client, "simple_sequence", sequence_id=99)
    assert "must specify the START flag on the first request of the sequence" in says and "99" in says
    assert "non-zero or non-empty" in refusal(client, "simple_sequence")
    assert "batch-size 1" in refusal(client, "simple_sequence", rows=2, sequence_id=99, sequence_start=True)
    assert "is a text" in refusal(client, "simple_dyna_sequence", sequence_id="abc", sequence_start=True)
    step(client, "simple_sequence", 1, sequence_id=98, sequence_start=True, sequence_end=True)
    assert "START" in refusal(client, "simple_sequence", sequence_id=98)


def test_a_start_in_the_middle_begins_anew(client):
    assert step(client, "simple_sequence", 5, sequence_id=70, sequence_start=True) == 6
    assert step(client, "simple_sequence", 5, sequence_id=70) == 5
    assert step(client, "simple_sequence", 5, sequence_id=70, sequence_start=True) == 6
    assert step(client, "simple_sequence", 5, sequence_id=70, sequence_end=True) == 5


def test_control_inputs_are_not_for_clients(client):
    assert [tensor["name"] for tensor in metadata_of(client)] == ["INPUT"]
    mine = client.module.InferInput("START", [1, 1], "INT32")
    mine.set_data_from_numpy(np.ones((1, 1), np.int32))
    with pytest.raises(InferenceServerException, match="filled by the server"):
        client.infer(
            "simple_sequence", [*inputs(client.module, 1), mine], sequence_id=5, sequence_start=True, sequence_end=True
        )


def metadata_of(client):
    if client.module is http_client:
        return client.get_model_metadata("simple_sequence")["inputs"]
    return client.get_model_metadata("simple_sequence", as_json=True)["inputs"]


def test_idle_sequences_make_room(client):
    # One slot: the second sequence waits until the first was idle for 100 ms.
    assert step(client, "restless", 1, sequence_id=1, sequence_start=True) == 2
    assert step(client, "restless", 1, sequence_id=2, sequence_start=True) == 2
    assert "START" in refusal(client, "restless", sequence_id=1)
    assert step(client, "restless", 1, sequence_id=2, sequence_end=True) == 1


def test_one_without_a_slot_waits_for_an_end(sequences):
    with grpc_client.InferenceServerClient(sequences.grpc_address()) as client:
        client.module = grpc_client
        assert step(client, "narrow", 1, sequence_id=1, sequence_start=True) == 2
        got = []
        second = threading.Thread(
            target=lambda: got.append(step(client, "narrow", 1, sequence_id=2, sequence_start=True, sequence_end=True))
        )
        second.start()
        with pytest.raises(InferenceServerException, match="time was over"):
            step(client, "narrow", 1, sequence_id=3, sequence_start=True, timeout=1000)
        assert got == []
        assert step(client, "narrow", 1, sequence_id=1, sequence_end=True) == 1
        second.join(30)
        assert got == [2]


def test_a_stream_of_three_sequences(sequences):
    answers = queue.Queue()
    with grpc_client.InferenceServerClient(sequences.grpc_address()) as client:
        client.start_stream(callback=lambda result, error: answers.put((result, error)))
        values = list(range(50))
        for name in (1, 2, "three"):
            for i in values:
                client.async_stream_infer(
                    "simple_sequence",
                    inputs(grpc_client, i),
                    request_id=f"{name}_{i}",
                    sequence_id=name,
                    sequence_start=i == 0,
                    sequence_end=i == values[-1],
                )
        got = {}
        for _ in range(3 * len(values)):
            result, error = answers.get(timeout=30)
            assert error is None, error
            name, number = result.get_response().id.split("_")
            got.setdefault(name, []).append((int(number), int(result.as_numpy("OUTPUT")[0][0])))
        client.stop_stream()
    expected = [(i, i + (1 if i == 0 else 0)) for i in values]
    assert got == {"1": expected, "2": expected, "three": expected}


def test_they_are_counted_and_advertised(sequences):
    with http_client.InferenceServerClient(f"127.0.0.1:{sequences.port}") as client:
        client.module = http_client
        assert "sequence" in client.get_server_metadata()["extensions"]

        def count():
            return client.get_inference_statistics("simple_sequence")["model_stats"][0]["inference_stats"]["success"]["count"]

        before = count()
        run_all(client, "simple_sequence", 4000, 0)
        assert count() == before + 1 + len(VALUES)
