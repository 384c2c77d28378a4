"""What the gRPC front end does with messages that are too large, compressed, or not what they say."""

from __future__ import annotations

import gzip

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from bascule import DATA, Server
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general" / "add_one.onnx"
INFER = "/inference.GRPCInferenceService/ModelInfer"
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def server():
    with Server(ADD_ONE, "--grpc-port", 0, "--max-binary-bytes", LIMIT) as running:
        yield running


def ask_raw(server: Server, message: bytes, **options) -> grpc.RpcError | bytes:
    with grpc.insecure_channel(
        server.grpc_address(),
        options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)],
        **options,
    ) as channel:
        try:
            return channel.unary_unary(INFER)(message, timeout=30)
        except grpc.RpcError as error:
            return error


def sixteen(rows: int = 1) -> list[triton.InferInput]:
    tensor = triton.InferInput("x", [rows, 16], "FP32")
    tensor.set_data_from_numpy(np.arange(rows * 16, dtype=np.float32).reshape(rows, 16))
    return [tensor]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate", None])
def test_compressed_requests_are_read(server, algorithm):
    with triton.InferenceServerClient(server.grpc_address()) as client:
        answer = client.infer("add_one", sixteen(512), compression_algorithm=algorithm)
        assert answer.as_numpy("y")[511, 15] == 512 * 16


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_health_requests_are_read(server, algorithm):
    name = b"inference.GRPCInferenceService"
    with grpc.insecure_channel(server.grpc_address(), compression=algorithm) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check(b"\x0a" + bytes([len(name)]) + name, timeout=10) == b"\x08\x01"


@pytest.mark.parametrize("junk", [b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x0f"])
def test_health_requests_that_are_none(server, junk):
    with grpc.insecure_channel(server.grpc_address()) as channel:
        for call in (channel.unary_unary("/grpc.health.v1.Health/Check"), channel.unary_stream("/grpc.health.v1.Health/Watch")):
            with pytest.raises(grpc.RpcError) as refused:
                list(call(junk, timeout=10))
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_over_the_limit_is_refused(server):
    refused = ask_raw(server, bytes(LIMIT + 1))
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, refused
    assert server.alive()


def test_a_decompression_bomb_costs_no_more_than_the_limit(server):
    """1 GB of zeros is 1 MB of gzip: below the limit on the wire, a thousand times above it inflated."""
    ask_raw(server, b"", compression=grpc.Compression.Gzip)
    before = server.memory_kb("VmHWM")
    refused = ask_raw(server, bytes(900 * LIMIT), compression=grpc.Compression.Gzip)
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, refused
    assert len(gzip.compress(bytes(10 * LIMIT), 6)) * 90 < LIMIT  # it did pass as small
    assert server.memory_kb("VmHWM") - before < 64 * 1024
    with triton.InferenceServerClient(server.grpc_address()) as client:
        assert client.infer("add_one", sixteen()).as_numpy("y")[0, 0] == 1


@pytest.mark.parametrize("junk", [b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x0f", b"\x2a\x80\x80\x80\x80\x10"])
def test_what_is_no_message_is_an_invalid_argument(server, junk):
    refused = ask_raw(server, junk)
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT and refused.details()


@pytest.mark.parametrize(
    ("shape", "raw"),
    [
        ([-1, 16], bytes(64)),
        ([2**62, 2**62], bytes(64)),
        ([2**31, 2**33], bytes(64)),
        ([-(2**63), 16], bytes(64)),
        ([1] * 17, bytes(4)),
    ],
)
def test_shapes_that_overflow(server, shape, raw):
    from tritonclient.grpc import service_pb2

    request = service_pb2.ModelInferRequest(model_name="add_one")
    request.inputs.add(name="x", datatype="FP32", shape=shape)
    request.raw_input_contents.append(raw)
    refused = ask_raw(server, request.SerializeToString())
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT and "x" in refused.details()


def test_names_with_dots_and_nul_are_unknown_models(server):
    with triton.InferenceServerClient(server.grpc_address()) as client:
        for name in ("../add_one", "add_one/../add_one", "add_one\0", "a" * 5000):
            with pytest.raises(InferenceServerException) as refused:
                client.infer(name, sixteen())
            assert refused.value.status() == "StatusCode.NOT_FOUND"
            assert len(refused.value.message()) < 400
        with pytest.raises(InferenceServerException) as refused:
            client.infer("add_one", sixteen(), model_version="../1")
        assert refused.value.status() == "StatusCode.NOT_FOUND"
