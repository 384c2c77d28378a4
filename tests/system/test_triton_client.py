"""An unmodified tritonclient (PyPI) over HTTP: health, metadata, infer with JSON and with binary data."""

import time

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
from bascule import DATA, Server
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

# datatype -> values that reach the ends of its range
VALUES = {
    "bool": np.array([[True, False, True]], dtype=bool),
    "int8": np.array([[-128, 0, 127]], dtype=np.int8),
    "int16": np.array([[-32768, 0, 32767]], dtype=np.int16),
    "int32": np.array([[-(2**31), 0, 2**31 - 1]], dtype=np.int32),
    "int64": np.array([[-(2**63), 0, 2**63 - 1]], dtype=np.int64),
    "uint8": np.array([[0, 1, 255]], dtype=np.uint8),
    "uint16": np.array([[0, 1, 65535]], dtype=np.uint16),
    "uint32": np.array([[0, 1, 2**32 - 1]], dtype=np.uint32),
    "uint64": np.array([[0, 1, 2**64 - 1]], dtype=np.uint64),
    "fp32": np.array([[-1.5, 0.1, 3.4e38]], dtype=np.float32),
    "fp64": np.array([[-1.5, 0.1, 1.7e308]], dtype=np.float64),
    "string": np.array([["", "picture", "käse 🧀", "a\nb\t\"c\""]], dtype=np.object_),
}
WIDTHS = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60.0) as client:
        yield client


def test_health(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("add_one")
    assert client.is_model_ready("add_one", "1")
    assert not client.is_model_ready("no_such_model")
    assert not client.is_model_ready("add_one", "7")


def test_server_metadata(client):
    metadata = client.get_server_metadata()
    assert set(metadata) == {"name", "version", "extensions"}
    assert metadata["name"] and metadata["version"]
    assert "binary_tensor_data" in metadata["extensions"]
    assert "statistics" in metadata["extensions"]


def test_model_metadata(client):
    metadata = client.get_model_metadata("add_one")
    assert metadata["name"] == "add_one"
    assert metadata["versions"] == ["1"]
    assert metadata["platform"]
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 16]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 16]}]
    with_version = client.get_model_metadata("add_one", "1")
    assert with_version == metadata


@pytest.mark.parametrize("kind", [*VALUES, "fp16", "bf16"])
def test_model_metadata_names_the_datatype(client, kind):
    expected = {"string": "BYTES", "fp16": "FP16", "bf16": "BF16"}.get(kind) or np_to_triton_dtype(VALUES[kind].dtype)
    metadata = client.get_model_metadata(f"identity_{kind}")
    assert metadata["inputs"][0]["datatype"] == expected
    assert metadata["inputs"][0]["shape"] == [-1, -1]


@pytest.mark.parametrize("binary_in,binary_out", WIDTHS)
@pytest.mark.parametrize("kind", VALUES)
def test_infer_of_every_datatype(client, kind, binary_in, binary_out):
    values = VALUES[kind]
    tensor = triton.InferInput("INPUT0", list(values.shape), np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values, binary_data=binary_in)
    wanted = triton.InferRequestedOutput("OUTPUT0", binary_data=binary_out)
    result = client.infer(f"identity_{kind}", [tensor], outputs=[wanted], request_id="r-1")
    response = result.get_response()
    assert response["id"] == "r-1"
    assert response["model_name"] == f"identity_{kind}"
    assert response["outputs"][0]["shape"] == list(values.shape)
    got = result.as_numpy("OUTPUT0")
    if kind == "string":
        got = np.array([[v.decode() if isinstance(v, bytes) else v for v in got[0]]], dtype=np.object_)
    np.testing.assert_array_equal(got, values)


@pytest.mark.parametrize("kind", ["fp16", "bf16"])
def test_half_floats_travel_as_binary_data(client, kind):
    values = np.array([[-1.5, 0.25, 3.0]], dtype=np.float16 if kind == "fp16" else ml_dtypes.bfloat16)
    tensor = triton.InferInput("INPUT0", [1, 3], kind.upper())
    tensor.set_data_from_numpy(values)
    result = client.infer(
        f"identity_{kind}", [tensor], outputs=[triton.InferRequestedOutput("OUTPUT0", binary_data=True)]
    )
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


@pytest.mark.parametrize("kind", ["fp16", "bf16"])
def test_half_floats_as_json_are_refused_with_the_way_out(client, kind):
    values = np.array([[1.0]], dtype=np.float16 if kind == "fp16" else ml_dtypes.bfloat16)
    tensor = triton.InferInput("INPUT0", [1, 1], kind.upper())
    tensor.set_data_from_numpy(values)
    with pytest.raises(InferenceServerException) as error:
        client.infer(
            f"identity_{kind}", [tensor], outputs=[triton.InferRequestedOutput("OUTPUT0", binary_data=False)]
        )
    assert kind.upper() in error.value.message() and "binary" in error.value.message()


def test_all_outputs_come_where_none_is_named(client):
    x = np.array([[5.1, 3.5, 1.4, 0.2]], dtype=np.float32)
    tensor = triton.InferInput("x", [1, 4], "FP32")
    tensor.set_data_from_numpy(x)
    result = client.infer("iris_zipmap", [tensor])
    names = [o["name"] for o in result.get_response()["outputs"]]
    assert "output_label" in names and len(names) >= 2


def test_large_binary_both_ways(client):
    values = np.arange(2 * 1024 * 1024, dtype=np.float32).reshape(8, -1)
    tensor = triton.InferInput("INPUT0", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    result = client.infer("identity_fp32", [tensor])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_concurrent_calls_keep_their_answers(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8) as client:
        pending = []
        for number in range(200):
            tensor = triton.InferInput("x", [1, 16], "FP32")
            tensor.set_data_from_numpy(np.full((1, 16), number, dtype=np.float32))
            pending.append(client.async_infer("add_one", [tensor], request_id=str(number)))
        for number, call in enumerate(pending):
            result = call.get_result(timeout=60)
            assert result.get_response()["id"] == str(number)
            np.testing.assert_array_equal(result.as_numpy("y"), np.full((1, 16), number + 1, dtype=np.float32))


def test_a_detector_takes_a_tensor(client):
    values = np.zeros((1, 3, 320, 320), dtype=np.float32)
    tensor = triton.InferInput("images", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    result = client.infer("yolo26n-end2end", [tensor])
    assert result.as_numpy("output0").shape == (1, 300, 6)


def raises(client, model, name="x", shape=(1, 16), dtype="FP32", values=None, **rest):
    tensor = triton.InferInput(name, list(shape), dtype)
    tensor.set_data_from_numpy(np.zeros(shape, dtype=np.float32) if values is None else values)
    with pytest.raises(InferenceServerException) as error:
        client.infer(model, [tensor], **rest)
    return error.value


def test_errors_are_sentences(client):
    error = raises(client, "no_such_model")
    assert error.status() == "404" and "no_such_model" in error.message()
    error = raises(client, "add_one", model_version="9")
    assert error.status() == "404" and "9" in error.message()
    error = raises(client, "add_one", name="wrong")
    assert error.status() == "400" and "wrong" in error.message()
    error = raises(client, "add_one", shape=(1, 15))
    assert error.status() == "400" and "15" in error.message() and "16" in error.message()
    error = raises(client, "add_one", dtype="INT32", values=np.zeros((1, 16), dtype=np.int32))
    assert error.status() == "400" and "INT32" in error.message() and "FP32" in error.message()
    error = raises(client, "add_one", outputs=[triton.InferRequestedOutput("nothing")])
    assert error.status() == "400" and "nothing" in error.message()
    with pytest.raises(InferenceServerException) as caught:
        client.get_model_metadata("no_such_model")
    assert caught.value.status() == "404"


def test_general_answers(client):
    """Text, rows and labels, as the tools that made the models answer."""
    import json

    golden = json.loads((DATA / "expected/general/sms_spam.json").read_text())
    assert golden  # the engine's own test compares all of it; here one call goes through the client
    texts = np.array([["Free entry in a weekly competition, call now to win cash"]], dtype=np.object_)
    tensor = triton.InferInput("text", [1, 1], "BYTES")
    tensor.set_data_from_numpy(texts)
    result = client.infer("sms_spam", [tensor])
    assert result.as_numpy("label").tolist() == [b"spam"]
    np.testing.assert_allclose(result.as_numpy("probabilities").sum(axis=1), [1.0], rtol=1e-5)


STATISTICS = {"success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"}


def test_statistics():
    with Server(DATA / "general/add_one.onnx", DATA / "general/no_batch.onnx") as server, triton.InferenceServerClient(
        f"127.0.0.1:{server.port}"
    ) as client:
        (idle,) = client.get_inference_statistics("add_one")["model_stats"]
        assert idle["last_inference"] == 0
        assert idle["batch_stats"] == []
        batch = triton.InferInput("x", [2, 16], "FP32")
        batch.set_data_from_numpy(np.zeros((2, 16), np.float32))
        before = time.time()
        for _ in range(3):
            client.infer("add_one", [batch])
        with pytest.raises(InferenceServerException):
            client.infer("add_one", [triton.InferInput("no_such_input", [1, 16], "FP32").set_data_from_numpy(np.zeros((1, 16), np.float32))])

        (stats,) = client.get_inference_statistics("add_one", "1")["model_stats"]
        assert (stats["name"], stats["version"]) == ("add_one", "1")
        assert set(stats) == {
            "name", "version", "last_inference", "inference_count", "execution_count",
            "inference_stats", "response_stats", "batch_stats", "memory_usage",
        }
        assert stats["inference_count"] == 6
        assert stats["execution_count"] == 3
        assert before - 1 <= stats["last_inference"] / 1000 <= time.time() + 1
        inference = stats["inference_stats"]
        assert set(inference) == STATISTICS
        assert all(set(total) == {"count", "ns"} for total in inference.values())
        assert inference["success"]["count"] == inference["compute_infer"]["count"] == 3
        assert inference["fail"]["count"] == 1
        assert inference["fail"]["ns"] > 0
        assert 0 < inference["compute_infer"]["ns"] < inference["success"]["ns"]
        (size,) = stats["batch_stats"]
        assert size["batch_size"] == 2
        assert size["compute_infer"] == inference["compute_infer"]

        metrics = server.metrics()
        for name, total in [("request", "success"), ("queue", "queue"), ("compute_infer", "compute_infer")]:
            in_metrics = metrics[f'nv_inference_{name}_duration_us{{model="add_one",version="1"}}']
            assert in_metrics == inference[total]["ns"] // 1000

        everything = client.get_inference_statistics()["model_stats"]
        assert [m["name"] for m in everything] == ["add_one", "no_batch"]
        with pytest.raises(InferenceServerException, match="no_such_model"):
            client.get_inference_statistics("no_such_model")
        with pytest.raises(InferenceServerException, match="'7'"):
            client.get_inference_statistics("add_one", "7")
