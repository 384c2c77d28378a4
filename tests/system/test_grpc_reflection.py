"""A client that knows nothing but what reflection tells calls every method of every service.

Each call is answered, or ends with a status that says what is wrong with it: never UNKNOWN or INTERNAL, and the
server goes on.
"""

import re

import grpc
import pytest
from bascule import DATA, Server
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

CALM = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED}


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general/add_one.onnx", "--grpc-port", 0) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server):
    server.metrics_url()
    port = next(int(m.group(1)) for line in server.lines if (m := re.match(r"gRPC on \S+:(\d+)", line)))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def services(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = descriptor_pool.DescriptorPool(database)
    # grpc++ lists its own health service and knows no description of it; tests/system/test_grpc.py calls that.
    return [pool.FindServiceByName(name) for name in database.get_services() if name != "grpc.health.v1.Health"]


def plausible(message, depth: int = 0):
    """Fills what looks like a name with a model's, and one of everything that repeats."""
    for field in message.DESCRIPTOR.fields:
        repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if depth < 3 and repeated and not field.message_type.GetOptions().map_entry:
                plausible(getattr(message, field.name).add(), depth + 1)
        elif field.type == FieldDescriptor.TYPE_STRING and not repeated:
            setattr(message, field.name, "add_one" if field.name in ("name", "model_name") else "")
    return message


def status_of(channel, method, request) -> grpc.StatusCode:
    path = f"/{method.containing_service.full_name}/{method.name}"
    ends = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
    make = getattr(channel, "_".join(ends))
    reply_class = message_factory.GetMessageClass(method.output_type)
    call = make(path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=reply_class.FromString)
    argument = iter([request]) if method.client_streaming else request
    try:
        if not method.server_streaming:
            call(argument, timeout=20)
            return grpc.StatusCode.OK
        answers = call(argument, timeout=20)
        for _ in answers:
            if not method.client_streaming:  # one that watches goes on for ever
                answers.cancel()
                break
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()


def test_every_method_answers(server, channel, services):
    names = {service.full_name for service in services}
    assert "inference.GRPCInferenceService" in names
    called = 0
    for service in services:
        for method in service.methods:
            request = message_factory.GetMessageClass(method.input_type)
            # The plausible one first: an empty RepositoryModelUnload names no model.
            for message in (plausible(request()), request()):
                status = status_of(channel, method, message)
                assert status in CALM, f"{method.full_name} of {message!s} ends with {status}"
                called += 1
            assert server.alive(), server.log()
    assert called >= 2 * 20
    assert server.stop() == 0
