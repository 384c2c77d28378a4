"""The classification extension with tritonclient, over HTTP and gRPC: `class_count`."""

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from bascule import DATA, Server
from tritonclient.utils import InferenceServerException

SCORES = np.array(
    [[0, 5, 1, 4, 9, 2, 3, 8, 7, 6, -1, -2, -3, -4, -5, -6], [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
    dtype=np.float32,
)


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general", "--grpc-port", "0") as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def client(server, request):
    """(module, client)"""
    if request.param == "http":
        with tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60.0) as client:
            yield tritonclient.http, client
        return
    address = next(line.split()[-1] for line in server.lines if line.startswith("gRPC on "))
    with tritonclient.grpc.InferenceServerClient(address) as client:
        yield tritonclient.grpc, client


def infer(client, model, name, values, datatype, output, count, **choice):
    module, connection = client
    tensor = module.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    wanted = module.InferRequestedOutput(output, class_count=count, **choice)
    return connection.infer(model, [tensor], outputs=[wanted]).as_numpy(output)


def expected(count):
    rows = []
    for row in SCORES + 1:
        best = np.argsort(-row, kind="stable")[:count]
        rows.append([f"{row[i]:f}:{i}".encode() for i in best])
    return rows


@pytest.mark.parametrize("count", [1, 3, 16, 1000])
def test_the_greatest_values_of_each_row_come_as_text(client, count):
    answer = infer(client, "add_one", "x", SCORES, "FP32", "y", count)
    assert answer.shape == (2, min(count, 16))
    assert answer.tolist() == expected(min(count, 16))


def test_as_json(server):
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60.0) as client:
        answer = infer((tritonclient.http, client), "add_one", "x", SCORES, "FP32", "y", 2, binary_data=False)
    assert [[text.encode() for text in row] for row in answer.tolist()] == expected(2)


def test_text_has_no_classes(client):
    values = np.array([["a"]], dtype=np.object_)
    with pytest.raises(InferenceServerException, match="'OUTPUT0' is BYTES"):
        infer(client, "identity_string", "INPUT0", values, "BYTES", "OUTPUT0", 1)


def test_it_is_advertised(client):
    metadata = client[1].get_server_metadata()
    extensions = metadata["extensions"] if isinstance(metadata, dict) else list(metadata.extensions)
    assert "classification" in extensions
