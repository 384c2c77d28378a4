"""Tensors through the shared memory of a client, with Triton's own client over both transports."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
import tritonclient.utils.shared_memory as shm
from bascule import DATA, ROOT, Server
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general" / "add_one.onnx"
FRUIT = ROOT / "examples" / "checkout" / "fruit.onnx"
SPAM = DATA / "general" / "sms_spam.onnx"
SIZE = 64  # of 16 floats


@pytest.fixture(scope="module")
def server():
    with Server(ADD_ONE, FRUIT, SPAM, "--grpc-port", 0, "--allow-client-shm") as running:
        yield running


@pytest.fixture(params=[over_http, over_grpc], ids=["http", "grpc"])
def client(request, server):
    where = f"127.0.0.1:{server.port}" if request.param is over_http else server.grpc_address()
    with request.param.InferenceServerClient(where) as connected:
        connected.kind = request.param
        connected.unregister_system_shared_memory()
        connected.unregister_cuda_shared_memory()
        yield connected
        connected.unregister_system_shared_memory()


@pytest.fixture
def memory():
    """Two regions, and their keys."""
    made = [shm.create_shared_memory_region(name, f"/bascule-{os.getpid()}-{name}", 4 * SIZE) for name in "io"]
    yield made
    for region in made:
        shm.destroy_shared_memory_region(region)


def register(client, *names: str, size: int = 4 * SIZE) -> None:
    for name in names:
        client.register_system_shared_memory(name, f"/bascule-{os.getpid()}-{name}", size)


def from_memory(client, region: str = "i", size: int = SIZE, offset: int = 0, shape=(1, 16)):
    tensor = client.kind.InferInput("x", list(shape), "FP32")
    tensor.set_shared_memory(region, size, offset)
    return tensor


def into_memory(client, region: str = "o", size: int = SIZE, offset: int = 0):
    output = client.kind.InferRequestedOutput("y")
    output.set_shared_memory(region, size, offset)
    return output


def refused(client, *args, **options) -> str:
    with pytest.raises(InferenceServerException) as error:
        client.infer("add_one", *args, **options)
    assert "/bascule-" not in error.value.message()
    return error.value.message()


def test_in_and_out(client, memory):
    register(client, "i", "o")
    values = np.arange(16, dtype=np.float32).reshape(1, 16)
    shm.set_shared_memory_region(memory[0], [values], offset=SIZE)
    answer = client.infer("add_one", [from_memory(client, offset=SIZE)], outputs=[into_memory(client, offset=2 * SIZE)])
    output = answer.get_output("y")
    shape = output["shape"] if isinstance(output, dict) else output.shape
    assert list(shape) == [1, 16]
    got = shm.get_contents_as_numpy(memory[1], np.float32, [1, 16], offset=2 * SIZE)
    np.testing.assert_array_equal(got, values + 1)
    status = client.get_system_shared_memory_status()
    names = [r["name"] for r in status] if isinstance(status, list) else list(status.regions)
    assert sorted(names) == ["i", "o"]


def test_in_memory_and_out_of_it(client, memory):
    """Only the input, or only the output."""
    register(client, "i", "o")
    values = np.full((1, 16), 6, dtype=np.float32)
    shm.set_shared_memory_region(memory[0], [values])
    assert client.infer("add_one", [from_memory(client)]).as_numpy("y")[0, 5] == 7
    sent = client.kind.InferInput("x", [1, 16], "FP32")
    sent.set_data_from_numpy(values)
    client.infer("add_one", [sent], outputs=[into_memory(client)])
    assert shm.get_contents_as_numpy(memory[1], np.float32, [1, 16])[0, 5] == 7


def test_texts(client, memory):
    register(client, "i")
    text = np.array([[b"Free entry in a weekly competition, call now to win cash"]], dtype=np.object_)
    from tritonclient.utils import serialize_byte_tensor

    packed = serialize_byte_tensor(text)
    shm.set_shared_memory_region(memory[0], [packed])
    tensor = client.kind.InferInput("text", [1, 1], "BYTES")
    tensor.set_shared_memory("i", len(packed.item()))
    assert client.infer("sms_spam", [tensor]).as_numpy("label").tolist() == [b"spam"]


def test_what_does_not_fit(client, memory):
    register(client, "i", "o")
    assert "Unable to find shared memory region: 'none'" in refused(client, [from_memory(client, "none")])
    assert "'i' has 256 bytes" in refused(client, [from_memory(client, offset=4 * SIZE - 1)])
    assert "FP32 of shape [1,16] needs 64" in refused(client, [from_memory(client, size=SIZE - 4)])
    assert "'o' is 60" in refused(client, [from_memory(client)], outputs=[into_memory(client, size=60)])
    assert "Unable to find" in refused(client, [from_memory(client)], outputs=[into_memory(client, "none")])
    for offset in (2**63 - 1, 2**62):
        assert "Invalid offset" in refused(client, [from_memory(client, offset=offset)])


def test_regions_that_cannot_be(client, memory):
    for name, key, size, offset in [
        ("a", "/nothing-is-here", 64, 0),
        ("a", "/../etc/passwd", 64, 0),
        ("a", "/dev/shm/x", 64, 0),
        ("a", f"/bascule-{os.getpid()}-i", 4 * SIZE + 1, 0),
        ("a", f"/bascule-{os.getpid()}-i", 64, 2**63 - 10),
        ("a", f"/bascule-{os.getpid()}-i", 0, 0),
    ]:
        with pytest.raises(InferenceServerException, match="failed to register shared memory region 'a'") as error:
            client.register_system_shared_memory(name, key, size, offset)
        assert key not in error.value.message()
    register(client, "i")
    with pytest.raises(InferenceServerException, match="already in manager"):
        register(client, "i")


def test_a_client_that_shrinks_its_memory(client, server, memory):
    register(client, "i")
    with open(f"/dev/shm/bascule-{os.getpid()}-i", "r+b") as file:
        file.truncate(10)
        assert "become smaller" in refused(client, [from_memory(client)])
        file.truncate(4 * SIZE)
    assert server.alive()
    assert client.infer("add_one", [from_memory(client)]).as_numpy("y")[0, 15] == 1  # zeros came back


def test_a_region_that_goes_while_it_is_used(server, memory):
    """The detector reads the region over and over while it comes and goes: an answer, or a sentence."""
    zeros = shm.create_shared_memory_region("big", f"/bascule-{os.getpid()}-big", 4 * 3 * 320 * 320)
    shm.set_shared_memory_region(zeros, [np.zeros((1, 3, 320, 320), np.float32)])
    done = threading.Event()
    seen: list[str] = []

    def ask() -> None:
        with over_grpc.InferenceServerClient(server.grpc_address()) as client:
            while not done.is_set():
                tensor = over_grpc.InferInput("images", [1, 3, 320, 320], "FP32")
                tensor.set_shared_memory("big", 4 * 3 * 320 * 320)
                try:
                    client.infer("fruit", [tensor])
                    seen.append("answer")
                except InferenceServerException as error:
                    seen.append(error.status())

    asking = threading.Thread(target=ask)
    asking.start()
    with over_http.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        for _ in range(50):
            client.register_system_shared_memory("big", f"/bascule-{os.getpid()}-big", 4 * 3 * 320 * 320)
            while seen.count("answer") < 1:
                done.wait(0.01)
            client.unregister_system_shared_memory("big")
    done.set()
    asking.join()
    shm.destroy_shared_memory_region(zeros)
    assert set(seen) <= {"answer", "StatusCode.NOT_FOUND"} and "answer" in seen
    assert server.alive()


def test_cuda_needs_a_gpu(client):
    status = client.get_cuda_shared_memory_status()
    assert (status if isinstance(status, list) else list(status.regions)) == []
    with pytest.raises(InferenceServerException, match="needs a GPU"):
        client.register_cuda_shared_memory("c", b"", 0, 64)


def test_off_unless_allowed(memory):
    with Server(ADD_ONE, "--grpc-port", 0) as server:
        for kind, where in ((over_http, f"127.0.0.1:{server.port}"), (over_grpc, server.grpc_address())):
            with kind.InferenceServerClient(where) as client:
                client.kind = kind
                with pytest.raises(InferenceServerException, match="--allow-client-shm") as error:
                    register(client, "i")
                assert error.value.status() in ("501", "StatusCode.UNIMPLEMENTED")
                assert "--allow-client-shm" in refused(client, [from_memory(client)])
                extensions = client.get_server_metadata()
                named = extensions["extensions"] if isinstance(extensions, dict) else extensions.extensions
                assert "system_shared_memory" not in named
