"""Who may ask for what, over every transport."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from bascule import BINARY, DATA, ROOT, Server, run_cli
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general" / "add_one.onnx"
SERVICE = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
ADMINISTRATION = re.compile("RepositoryModel(Load|Unload)|SharedMemory|TraceSetting|LogSettings")
# Which roles may call what: by the name of the method, so that a new one must be thought of here.
ROLES = {
    "ServerLive|ServerReady": None,  # no key is needed
    "ServerMetadata|ModelMetadata|ModelReady|ModelConfig|RepositoryIndex": {"infer", "read", "admin"},
    "ModelInfer|ModelStreamInfer": {"infer", "admin"},
    "ModelStatistics": {"read", "admin"},
    "RepositoryModelLoad|RepositoryModelUnload|.*SharedMemory.*|TraceSetting|LogSettings": {"admin"},
}
DENIED, UNKNOWN = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED


def roles_of(method) -> set[str] | None:
    return next(roles for names, roles in ROLES.items() if re.fullmatch(names, method.name))


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


def new_key(name: str, *options: object) -> tuple[str, str]:
    """A key and its entry."""
    done = run_cli("key", "new", name, *options)
    assert done.returncode == 0, done.stderr
    key = re.search(r"bascule_[0-9a-f]{64}", done.stderr).group(0)
    assert key not in done.stdout
    return key, done.stdout


class Keys:
    """A file of one key for each role, and what it was made of."""

    def __init__(self, folder) -> None:
        self.file = folder / "keys.yaml"
        self.of, self.entry = {}, {}
        for role in ("infer", "read", "admin"):
            self.of[role], self.entry[role] = new_key(f"the-{role}", "--role", role)
        self.write(*self.entry.values())

    def write(self, *entries: str) -> None:
        # Whole or not at all, as editors and secret stores do it.
        beside = self.file.with_suffix(".new")
        beside.write_text("keys:\n" + "".join(entries))
        beside.replace(self.file)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def with_keys(keys, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "access.log"
    with Server(ADD_ONE, "--host", "0.0.0.0", "--grpc-port", 0, "--api-keys", keys.file, "--access-log", log) as server:
        server.access_log = log
        yield server


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_every_method_of_grpc_asks_for_a_role(with_keys, keys, method):
    roles = roles_of(method)
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port(with_keys)}") as channel:
        for metadata in ([], [("x-api-key", "wrong")], [("authorization", "Bearer wrong")]):
            assert (call(channel, method, metadata) == UNKNOWN) == (roles is not None), metadata
        for role, key in keys.of.items():
            for metadata in ([("x-api-key", key)], [("authorization", f"Bearer {key}")]):
                status = call(channel, method, metadata)
                if roles is None or role in roles:
                    assert status not in (UNKNOWN, DENIED), role
                else:
                    assert status == DENIED, role


def test_unmodified_clients_send_keys(with_keys, keys):
    tensor = np.zeros((1, 16), np.float32)
    for module, port in ((tritonclient.http, with_keys.port), (tritonclient.grpc, grpc_port(with_keys))):
        wanted = module.InferInput("x", [1, 16], "FP32")
        wanted.set_data_from_numpy(tensor)
        with module.InferenceServerClient(f"127.0.0.1:{port}") as client:
            with pytest.raises(InferenceServerException, match="Authorization: Bearer KEY"):
                client.infer("add_one", [wanted])
            headers = {"authorization": f"Bearer {keys.of['infer']}"}
            answer = client.infer("add_one", [wanted], headers=headers)
            np.testing.assert_array_equal(answer.as_numpy("y"), tensor + 1)
            with pytest.raises(InferenceServerException, match="role infer.*role admin"):
                client.unload_model("add_one", headers=headers)


def test_the_log_names_keys_and_never_shows_them(with_keys, keys):
    for key in (keys.of["read"], keys.of["infer"], "wrong-and-secret"):
        with_keys.call("GET", "/metrics", headers={"x-api-key": key})

    def seen() -> list:
        lines = [json.loads(line) for line in with_keys.access_log.read_text().splitlines()]
        return [(line["status"], line.get("key")) for line in lines if line["path"] == "/metrics"]

    wait_for(lambda: len(seen()) == 3, "three lines; each is written after its answer")
    assert seen() == [(200, "the-read"), (403, "the-infer"), (401, None)]
    text = with_keys.access_log.read_text() + with_keys.log()
    assert not any(key in text for key in (*keys.of.values(), "wrong-and-secret"))


def wait_for(condition, what: str) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, f"not within 20 s: {what}"


def test_the_file_of_keys_is_read_again(tmp_path):
    keys = Keys(tmp_path)
    with Server(ADD_ONE, "--api-keys", keys.file, "--grpc-port", 0) as server:
        def status(role: str) -> int:
            return server.call("GET", "/v2", headers={"x-api-key": keys.of[role]}).status

        assert (status("infer"), status("read")) == (200, 200)
        with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{grpc_port(server)}") as client:
            answers = []
            client.start_stream(lambda result, error: answers.append(error), headers={"x-api-key": keys.of["infer"]})
            wanted = tritonclient.grpc.InferInput("x", [1, 16], "FP32")
            wanted.set_data_from_numpy(np.zeros((1, 16), np.float32))
            client.async_stream_infer("add_one", [wanted])
            wait_for(lambda: len(answers) == 1, "an answer")
            assert answers[0] is None
            keys.write(keys.entry["read"])
            wait_for(lambda: status("infer") == 401, "the key is gone")
            # A stream that goes on is no way around it.
            client.async_stream_infer("add_one", [wanted])
            wait_for(lambda: len(answers) == 2, "a refusal")
            assert "no longer" in str(answers[1])
        # A file that is wrong changes nothing, and says so.
        keys.write("  - name: x\n    sha256: short\n")
        wait_for(lambda: "64 hexadecimal digits" in server.log(), "the complaint")
        assert (status("infer"), status("read")) == (401, 200)
        keys.file.unlink()
        wait_for(lambda: server.log().count("were not read again") == 2, "the complaint")
        assert status("read") == 200
        keys.write(*keys.entry.values())
        wait_for(lambda: status("infer") == 200, "the key is back")


def test_a_key_is_held_to_its_rate(tmp_path):
    keys = Keys(tmp_path)
    key, entry = new_key("slow", "--requests-per-second", "0.01")
    keys.write(entry)
    with Server(ADD_ONE, "--api-keys", keys.file, "--grpc-port", 0) as server:
        assert server.call("GET", "/v2", headers={"x-api-key": key}).status == 200
        late = server.call("GET", "/v2", headers={"x-api-key": key})
        assert late.status == 429 and int(late.headers["retry-after"]) in (99, 100)
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port(server)}") as channel:
            metadata = SERVICE.methods_by_name["ServerMetadata"]
            assert call(channel, metadata, [("x-api-key", key)]) == grpc.StatusCode.RESOURCE_EXHAUSTED
        # Each request of a stream counts.
        with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{grpc_port(server)}") as client:
            answers = []
            client.start_stream(lambda result, error: answers.append(error), headers={"x-api-key": key})
            wanted = tritonclient.grpc.InferInput("x", [1, 16], "FP32")
            wanted.set_data_from_numpy(np.zeros((1, 16), np.float32))
            client.async_stream_infer("add_one", [wanted])
            wait_for(lambda: answers, "an answer")
            assert "0.01 times per second" in str(answers[0])


@pytest.mark.parametrize(("text", "words"), [
    ("", "keys:"),
    ("keys: []\n", "it must have 1 to 1000"),
    ("keys:\n  - name: a\n", "every key needs a 'sha256'"),
    ("keys:\n  - sha256: a\n", "every key needs a 'name'"),
    ("keys:\n  - name: a b\n    sha256: " + "0" * 64, "keys.yaml:2: a key's name"),
    ("keys:\n  - name: a\n    sha256: secret\n", "keys.yaml:3: 'sha256' of the key 'a' must be 64"),
    ("keys:\n  - name: a\n    sha265: " + "0" * 64, "did you mean 'sha256'"),
    ("keys:\n  - name: a\n    role: root\n    sha256: " + "0" * 64, "root"),
    ("keys:\n  - {name: a, sha256: " + "0" * 64 + "}\n  - {name: b, sha256: " + "0" * 64 + "}\n", "'a' and 'b'"),
])
def test_a_wrong_file_of_keys_is_an_error(tmp_path, text, words):
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    done = run_cli("serve", ADD_ONE, "--http-port", 0, "--api-keys", file)
    assert done.returncode == 2 and words in done.stderr and "secret" not in done.stderr, done.stderr


def test_pages_of_listed_origins_may_ask():
    with Server(ADD_ONE, "--cors-origin", "https://shop.example,https://other.example") as server:
        headers = {"Origin": "https://other.example"}
        asked = server.call("OPTIONS", "/v2/models/add_one/infer", headers=headers | {"Access-Control-Request-Method": "POST"})
        assert asked.status == 204 and asked.headers["access-control-allow-origin"] == "https://other.example"
        for path, status in (("/v2/models/add_one", 200), ("/v2/models/nothing", 404)):
            reply = server.call("GET", path, headers=headers)
            assert reply.status == status and reply.headers["access-control-allow-origin"] == "https://other.example"
        assert server.call("POST", "/v2/repository/index", headers=headers).status == 200
        assert server.call("POST", "/v2/repository/index", headers={"Origin": "https://evil.example"}).status == 403


def test_the_page_of_access(tmp_path):
    """The snippets of docs/access.md, in order."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    env = {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    server = None
    try:
        for text in re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs/access.md").read_text(), re.M | re.S):
            if text.startswith("bascule serve "):
                if server:
                    server.stop()
                words = shlex.split(text)[2:]
                server = Server(*[tmp_path / word if (tmp_path / word).exists() else word for word in words])
                continue
            if server:
                text = text.replace(":8000", f":{server.port}")
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, env=env, timeout=60,
                                  capture_output=True, text=True, check=False)
            assert done.returncode == 0 and '"error"' not in done.stdout, f"{text}\n{done.stdout}\n{done.stderr}"
    finally:
        if server:
            server.stop()
