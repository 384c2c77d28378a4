"""The gRPC front end, driven by Triton's own client as people have it."""

from __future__ import annotations

import queue
import threading
import time

import grpc
import numpy as np
import pytest
import tritonclient.grpc as client
from bascule import DATA, ROOT, Server
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general" / "add_one.onnx"
FRUIT = ROOT / "examples" / "checkout" / "fruit.onnx"


@pytest.fixture(scope="module")
def server():
    with Server(ADD_ONE, "--grpc-port", 0) as running:
        yield running


@pytest.fixture
def triton(server):
    with client.InferenceServerClient(server.grpc_address()) as connected:
        yield connected


def sixteen(value: float = 0) -> list[client.InferInput]:
    tensor = client.InferInput("x", [1, 16], "FP32")
    tensor.set_data_from_numpy(np.arange(16, dtype=np.float32).reshape(1, 16) + value)
    return [tensor]


def test_health_and_metadata(triton):
    assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("add_one")
    assert triton.get_server_metadata().name == "bascule"
    metadata = triton.get_model_metadata("add_one", as_json=True)
    assert metadata["platform"] == "onnxruntime_onnx"
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "16"]}]
    with pytest.raises(InferenceServerException, match="unknown model: 'nothing'") as refused:
        triton.get_model_metadata("nothing")
    assert refused.value.status() == "StatusCode.NOT_FOUND"


def test_inference_raw_and_typed(server, triton):
    answer = triton.infer("add_one", sixteen(), request_id="7", outputs=[client.InferRequestedOutput("y")])
    np.testing.assert_array_equal(answer.as_numpy("y"), np.arange(1, 17, dtype=np.float32).reshape(1, 16))
    assert answer.get_response().id == "7"

    from tritonclient.grpc import service_pb2, service_pb2_grpc

    request = service_pb2.ModelInferRequest(model_name="add_one")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[1, 16])
    tensor.contents.fp32_contents.extend(range(16))
    with grpc.insecure_channel(server.grpc_address()) as channel:
        reply = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert np.frombuffer(reply.raw_output_contents[0], np.float32).tolist() == list(range(1, 17))


def test_the_same_answer_as_over_http(server, triton):
    over_http = server.infer("add_one", {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32",
                                                     "data": [0.5 * n for n in range(16)]}]}).json()
    tensor = client.InferInput("x", [1, 16], "FP32")
    tensor.set_data_from_numpy(0.5 * np.arange(16, dtype=np.float32).reshape(1, 16))
    assert triton.infer("add_one", [tensor]).as_numpy("y").ravel().tolist() == over_http["outputs"][0]["data"]


def test_errors_have_their_status(triton):
    short = client.InferInput("x", [1, 16], "FP32")
    short.set_data_from_numpy(np.zeros((1, 16), np.float32))
    short._raw_content = b"1234"
    wrong_name = client.InferInput("z", [1, 16], "FP32")
    wrong_name.set_data_from_numpy(np.zeros((1, 16), np.float32))
    for inputs, text in (([short], "has 4 bytes of binary data"), ([wrong_name], "'z'")):
        with pytest.raises(InferenceServerException, match=text) as refused:
            triton.infer("add_one", inputs)
        assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_a_stream_is_answered_in_order(triton):
    answers: queue.Queue = queue.Queue()
    triton.start_stream(lambda result, error: answers.put((result, error)))
    for number in range(300):
        triton.async_stream_infer("add_one", sixteen(number), request_id=str(number))
    triton.async_stream_infer("nothing", sixteen(), request_id="bad")
    triton.stop_stream()
    for number in range(300):
        result, error = answers.get(timeout=20)
        assert error is None and result.get_response().id == str(number)
        assert result.as_numpy("y")[0, 0] == number + 1
    result, error = answers.get(timeout=20)
    assert result is None and "unknown model: 'nothing'" in str(error)


def test_statistics_and_the_repository(triton):
    before = triton.get_inference_statistics("add_one").model_stats[0].inference_count
    triton.infer("add_one", sixteen())
    assert triton.get_inference_statistics("add_one").model_stats[0].inference_count == before + 1
    triton.unload_model("add_one")
    assert not triton.is_model_ready("add_one")
    states = {model.name: model.state for model in triton.get_model_repository_index().models}
    assert states == {"add_one": "UNAVAILABLE"}
    with pytest.raises(InferenceServerException) as refused:
        triton.infer("add_one", sixteen())
    assert refused.value.status() == "StatusCode.UNAVAILABLE"
    triton.load_model("add_one")
    assert triton.is_model_ready("add_one")
    with pytest.raises(InferenceServerException, match="failed to load 'nothing'"):
        triton.load_model("nothing")


def test_the_health_service(server):
    """grpc.health.v1, asked without its generated code: an empty request, and status 1 (SERVING) in the answer."""
    with grpc.insecure_channel(server.grpc_address()) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"", timeout=10) == b"\x08\x01"


def test_health_follows_what_serves():
    """Asked by the service's name, as an orchestrator does, while the only model is taken out and brought back."""
    with Server(ADD_ONE, "--grpc-port", 0) as server, grpc.insecure_channel(server.grpc_address()) as channel:
        name = b"inference.GRPCInferenceService"
        of_service = b"\x0a" + bytes([len(name)]) + name
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(of_service, timeout=30)
        assert next(watch) == b"\x08\x01"
        with client.InferenceServerClient(server.grpc_address()) as triton:
            triton.unload_model("add_one")
            assert next(watch) == b"\x08\x02"
            triton.load_model("add_one")
            assert next(watch) == b"\x08\x01"
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError) as unknown:
            check(b"\x0a\x03any", timeout=10)
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
        watch.cancel()


def test_deadlines_and_overload():
    zeros = client.InferInput("images", [1, 3, 640, 640], "FP32")
    zeros.set_data_from_numpy(np.zeros((1, 3, 640, 640), np.float32))
    with Server(FRUIT, "--grpc-port", 0, "--max-queue-size", 2) as server:
        statuses: list[str] = []

        def ask() -> None:
            with client.InferenceServerClient(server.grpc_address()) as connected:
                try:
                    connected.infer("fruit", [zeros])
                    statuses.append("OK")
                except InferenceServerException as error:
                    statuses.append(error.status())

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) == {"OK", "StatusCode.RESOURCE_EXHAUSTED"}, statuses
        with client.InferenceServerClient(server.grpc_address()) as connected:
            with pytest.raises(InferenceServerException) as late:
                connected.infer("fruit", [zeros], client_timeout=0.001)
            assert late.value.status() == "StatusCode.DEADLINE_EXCEEDED"
            assert connected.infer("fruit", [zeros]).as_numpy("output0") is not None


def test_a_stream_client_that_vanishes_and_an_end_with_one_open():
    with Server(ADD_ONE, "--grpc-port", 0) as server:
        for _ in range(20):
            channel = client.InferenceServerClient(server.grpc_address())
            channel.start_stream(lambda result, error: None)
            channel.async_stream_infer("add_one", sixteen())
            channel._client_stub = None
            channel.stop_stream(cancel_requests=True)
            channel.close()
        open_stream = client.InferenceServerClient(server.grpc_address())
        open_stream.start_stream(lambda result, error: None)
        open_stream.async_stream_infer("add_one", sixteen())
        time.sleep(0.2)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 5
        open_stream.close()


def test_a_port_that_is_taken(server):
    taken = server.grpc_address().rsplit(":", 1)[1]
    with pytest.raises(AssertionError, match=f"port {taken}.*--grpc-port"):
        Server(ADD_ONE, "--grpc-port", taken)
