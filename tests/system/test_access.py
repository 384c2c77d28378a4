"""Who may ask for what, over every transport."""

from __future__ import annotations

import re

import grpc
import pytest
from bascule import DATA, Server
from tritonclient.grpc import service_pb2

ADD_ONE = DATA / "general" / "add_one.onnx"
SERVICE = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
ADMINISTRATION = re.compile("RepositoryModel|SharedMemory|TraceSetting|LogSettings")


def grpc_port(server: Server) -> int:
    server.metrics_url()
    return next(int(match.group(1)) for line in server.lines if (match := re.match(r"gRPC on \S+:(\d+)", line)))


def call(channel: grpc.Channel, method, metadata=()) -> grpc.StatusCode:
    """The status of an empty call of this method."""
    path = f"/{SERVICE.full_name}/{method.name}"
    streams = method.name == "ModelStreamInfer"
    make = channel.stream_stream if streams else channel.unary_unary
    ask = make(path, request_serializer=bytes, response_deserializer=bytes)
    try:
        if streams:
            list(ask(iter([b""]), metadata=metadata, timeout=30))
        else:
            ask(b"", metadata=metadata, timeout=30)
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


@pytest.fixture(scope="module")
def beyond_loopback():
    with Server(ADD_ONE, "--host", "0.0.0.0", "--grpc-port", 0) as server:
        yield server


@pytest.fixture(scope="module")
def on_loopback():
    with Server(ADD_ONE, "--grpc-port", 0) as server:
        yield server


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_beyond_loopback_no_administration_by_grpc(beyond_loopback, method):
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port(beyond_loopback)}") as channel:
        refused = call(channel, method) == grpc.StatusCode.UNAUTHENTICATED
        assert refused == bool(ADMINISTRATION.search(method.name))


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_foreign_pages_change_nothing_by_grpc(on_loopback, method):
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port(on_loopback)}") as channel:
        foreign = call(channel, method, [("origin", "https://evil.example")])
        assert foreign == grpc.StatusCode.PERMISSION_DENIED
        own = call(channel, method, [("origin", "http://localhost:3000")])
        assert own not in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


def test_foreign_pages_change_nothing(on_loopback):
    paths = ("/v2/models/add_one/infer", "/predict", "/v2/repository/index", "/v2/repository/models/add_one/unload")
    for path in paths:
        reply = on_loopback.call("POST", path, headers={"Origin": "https://evil.example"})
        assert reply.status == 403 and "https://evil.example" in reply.json()["error"], (path, reply)
        named = on_loopback.call("POST", path, headers={"Origin": "http://evil.example", "Host": "evil.example"})
        assert named.status == 403, (path, named)
    assert on_loopback.call("GET", "/v2/models/add_one", headers={"Origin": "https://evil.example"}).status == 200
