"""TLS and mutual TLS on every port, with real clients and certificates made here."""

from __future__ import annotations

import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time

import numpy as np
import pytest
import requests
import tritonclient.grpc
import tritonclient.http
from bascule import DATA, Server, run_cli, split_response
from gevent import ssl as gevent_ssl
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general" / "add_one.onnx"


def openssl(*arguments: object, cwd: pathlib.Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, check=True, capture_output=True, timeout=60)


class Authority:
    """An authority of a test's own, which signs certificates for 127.0.0.1."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.folder, self.name, self.file = folder, name, folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj",
                f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", cwd=folder)

    def sign(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        """A certificate and its key."""
        (self.folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", cwd=self.folder)
        openssl("x509", "-req", "-days", 2, "-in", f"{name}.csr", "-CA", self.file, "-CAkey", f"{self.name}.key",
                "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem", cwd=self.folder)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def ours(folder):
    return Authority(folder, "ours")


@pytest.fixture(scope="module")
def server(ours):
    certificate, key = ours.sign("server")
    with Server(ADD_ONE, "--tls-cert", certificate, "--tls-key", key, "--grpc-port", 0, "--metrics-port", 0,
                "--read-timeout-ms", 1000) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(ours):
    certificate, key = ours.sign("mutual")
    with Server(ADD_ONE, "--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", ours.file, "--grpc-port", 0,
                "--metrics-port", 0) as running:
        yield running


def address(server: Server, what: str) -> str:
    end = time.monotonic() + 10
    while True:
        found = [m.group(1) for line in server.lines if (m := re.match(rf"{what} on (?:https://)?([^/\s]+)", line))]
        if found:
            return found[0]
        assert time.monotonic() < end, server.lines


def sixteen(module):
    tensor = module.InferInput("x", [1, 16], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 16), np.float32))
    return [tensor]


def test_unmodified_clients_speak_tls(server, ours):
    assert server.url.startswith("https://")
    with requests.Session() as session:
        session.verify, session.trust_env = str(ours.file), False
        for _ in range(3):  # over one connection
            assert session.get(f"{server.url}/v2/models", timeout=20).json() == {"models": ["add_one"]}
        body = {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [0] * 16}]}
        assert session.post(f"{server.url}/v2/models/add_one/infer", json=body, timeout=20).status_code == 200
        text = session.get(f"https://{address(server, 'Metrics')}/metrics", timeout=20).text
        assert 'nv_inference_count{model="add_one",version="1"} 1' in text
    with tritonclient.http.InferenceServerClient(
            f"127.0.0.1:{server.port}", ssl=True, ssl_options={"ca_certs": str(ours.file)},
            ssl_context_factory=gevent_ssl.create_default_context) as client:
        assert client.infer("add_one", sixteen(tritonclient.http)).as_numpy("y").max() == 1
    with tritonclient.grpc.InferenceServerClient(address(server, "gRPC"), ssl=True,
                                                 root_certificates=str(ours.file)) as client:
        assert client.infer("add_one", sixteen(tritonclient.grpc)).as_numpy("y").max() == 1


def test_large_bodies_go_both_ways(server, ours):
    values = np.arange(16 * 200_000, dtype=np.float32).reshape(-1, 16)  # 12.8 MB
    with tritonclient.http.InferenceServerClient(
            f"127.0.0.1:{server.port}", ssl=True, network_timeout=60, ssl_options={"ca_certs": str(ours.file)},
            ssl_context_factory=gevent_ssl.create_default_context) as client:
        tensor = tritonclient.http.InferInput("x", list(values.shape), "FP32")
        tensor.set_data_from_numpy(values)
        np.testing.assert_array_equal(client.infer("add_one", [tensor]).as_numpy("y"), values + 1)


def test_another_authority_is_not_believed(server, folder):
    other = Authority(folder, "other")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{server.url}/v2", verify=str(other.file), timeout=20)


def encrypted(server: Server, ours: Authority, **versions) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=ours.file)
    for name, value in versions.items():
        setattr(context, name, value)
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_versions(server, ours):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with encrypted(server, ours, minimum_version=version, maximum_version=version) as connection:
            connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            assert split_response(answer).status == 200
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


@pytest.mark.parametrize("sent", [b"GET /v2 HTTP/1.1\r\nHost: t\r\n\r\n", b"\x00" * 3000, b"\x16\x03\x01\xff\xff" + b"x" * 100])
def test_whoever_speaks_no_tls_finds_the_end(server, sent):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := plain.recv(65536):  # an end, not a reset
            answer += piece
        assert len(answer) < 100 and b"HTTP" not in answer  # at most an alert


def test_silence_is_not_waited_for(server):
    """The handshake has the time that a request has."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(b"\x16\x03\x01")
        assert plain.recv(100) == b""
    assert time.monotonic() - started < 15


def test_many_who_leave_in_the_handshake_cost_nothing(server, ours):
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
            plain.sendall(b"\x16\x03\x01\x02")
    assert requests.get(f"{server.url}/v2", verify=str(ours.file), timeout=20).status_code == 200


def test_clients_need_a_certificate(mutual, ours, folder):
    certificate, key = map(str, ours.sign("client"))
    foreign, foreign_key = map(str, Authority(folder, "foreign").sign("stranger"))
    urls = [f"{mutual.url}/v2", f"https://{address(mutual, 'Metrics')}/metrics"]
    for url in urls:
        with requests.Session() as session:
            session.verify, session.cert, session.trust_env = str(ours.file), (certificate, key), False
            assert session.get(url, timeout=20).status_code == 200
        for wrong in (None, (foreign, foreign_key)):
            with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
                requests.get(url, verify=str(ours.file), cert=wrong, timeout=20)
    with tritonclient.http.InferenceServerClient(
            f"127.0.0.1:{mutual.port}", ssl=True, insecure=True,
            ssl_options={"ca_certs": str(ours.file), "certfile": certificate, "keyfile": key}) as client:
        assert client.is_server_live()
    target = address(mutual, "gRPC")
    with tritonclient.grpc.InferenceServerClient(target, ssl=True, root_certificates=str(ours.file), private_key=key,
                                                 certificate_chain=certificate) as client:
        assert client.infer("add_one", sixteen(tritonclient.grpc)).as_numpy("y").max() == 1
    for wrong in ({}, {"private_key": foreign_key, "certificate_chain": foreign}):
        with tritonclient.grpc.InferenceServerClient(target, ssl=True, root_certificates=str(ours.file),
                                                     **wrong) as client:
            with pytest.raises(InferenceServerException):
                client.is_server_live(client_timeout=10)


def test_a_renewed_certificate_is_taken(ours, folder):
    certificate, key = ours.sign("renewed")
    newer = Authority(folder, "newer")
    with Server(ADD_ONE, "--tls-cert", certificate, "--tls-key", key, "--grpc-port", 0) as server:
        target = address(server, "gRPC")

        def https(authority: Authority) -> bool:
            try:
                return requests.get(f"{server.url}/v2", verify=str(authority.file), timeout=20).status_code == 200
            except requests.exceptions.SSLError:
                return False

        def by_grpc(authority: Authority) -> bool:
            with tritonclient.grpc.InferenceServerClient(target, ssl=True,
                                                         root_certificates=str(authority.file)) as client:
                try:
                    return client.is_server_live(client_timeout=5)
                except InferenceServerException:
                    return False

        assert https(ours) and by_grpc(ours)
        held = encrypted(server, ours)
        # A broken file changes nothing.
        whole = certificate.read_text()
        certificate.write_text("no certificate")
        end = time.monotonic() + 20
        while "the one from before holds" not in server.log():
            assert time.monotonic() < end, server.log()
        assert https(ours)
        certificate.write_text(whole)
        fresh, fresh_key = newer.sign("fresh")
        key.write_text(fresh_key.read_text())
        certificate.write_text(fresh.read_text())
        end = time.monotonic() + 30
        while not (https(newer) and by_grpc(newer)):
            assert time.monotonic() < end, server.log()
        assert not https(ours)
        # What was connected goes on.
        held.sendall(b"GET /v2 HTTP/1.1\r\nHost: t\r\n\r\n")
        assert split_response(held.recv(65536)).status == 200
        held.close()


def test_wrong_files_are_errors(ours, folder, tmp_path):
    certificate, key = ours.sign("right")
    _, other_key = ours.sign("wrong")
    locked = folder / "locked.key"
    openssl("ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked, cwd=folder)
    for arguments, words in (
        (["--tls-cert", certificate], "both --tls-cert and --tls-key"),
        (["--tls-client-ca", ours.file], "both --tls-cert and --tls-key"),
        (["--tls-cert", tmp_path / "none.pem", "--tls-key", key], "--tls-cert: '"),
        (["--tls-cert", certificate, "--tls-key", other_key], "--tls-key: '"),
        (["--tls-cert", certificate, "--tls-key", locked], "--tls-key: '"),
        (["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", key], "--tls-client-ca: '"),
    ):
        done = run_cli("serve", ADD_ONE, "--http-port", 0, *arguments, timeout=30)
        assert done.returncode == 2 and words in done.stderr, (arguments, done.stderr)


def test_a_server_with_encrypted_clients_stops(ours):
    certificate, key = ours.sign("stops")
    with Server(ADD_ONE, "--tls-cert", certificate, "--tls-key", key) as server:
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        idle = encrypted(server, ours)
        asked = threading.Thread(target=lambda: requests.get(f"{server.url}/v2", verify=str(ours.file), timeout=20))
        asked.start()
        asked.join()
        assert server.stop() == 0
        assert idle.recv(100) == b""
        silent.close()
        idle.close()
