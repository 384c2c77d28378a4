"""A picture that a request names: as base64 text, a data URL or a URL, in a form and in JSON; and `predict URL`."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import http.server
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from bascule import DATA, ROOT, Server, multipart, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = DATA / "pictures/fruit_101_0003.jpg"
PATH = "/models/fruit/predict"
LIMIT_S = 30


class Host:
    """A web server on a free port of this machine: /picture.jpg, /text, /away (redirects), /slow (never ends)."""

    def __init__(self, certificate=None) -> None:
        self.asked: list[str] = []
        self.gone = threading.Event()  # the client of /slow
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(self.path)
                if self.path.startswith("/away?"):
                    self.send_response(302)
                    self.send_header("Location", self.path.split("?", 1)[1])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif self.path == "/slow":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
                    self.connection.settimeout(LIMIT_S)
                    if not self.connection.recv(1):
                        host.gone.set()
                else:
                    body = {"/text": b"no picture"}.get(self.path.split("?")[0], PICTURE.read_bytes())
                    self.send_response(404 if self.path == "/none" else 200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"{'https' if certificate else 'http'}://{self.address}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def host():
    with contextlib.closing(Host()) as running:
        yield running


@pytest.fixture(scope="module")
def fetching(host):
    with Server(FRUIT, "--allow-url", f"pictures.example,{host.address}", "--allow-private-urls",
                "--url-timeout-ms", 1500) as server:
        yield server


@pytest.fixture(scope="module")
def expected(fetching):
    reply = fetching.predict("fruit", PICTURE.read_bytes(), imgsz=320)
    assert reply.status == 200
    results = reply.json()["images"][0]["results"]
    assert len(results) > 2
    return results


def ask_json(server: Server, **members: object):
    return server.post_json(PATH, {"imgsz": 320, **members})


def ask_form(server: Server, source: str):
    boundary = "b0undary"
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"imgsz": 320, "source": source}.items()
    ) + f"--{boundary}--\r\n"
    return server.call("POST", PATH, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def test_every_way_to_name_a_picture_has_the_same_answer(fetching, host, expected):
    text = base64.b64encode(PICTURE.read_bytes()).decode()
    for source in (text, base64.encodebytes(PICTURE.read_bytes()).decode(), f"data:image/jpeg;base64,{text}",
                   f"{host.url}/picture.jpg?x=1", f"{host.url}/away?/picture.jpg"):
        for reply in (ask_form(fetching, source), ask_json(fetching, source=source), ask_json(fetching, image=source)):
            assert reply.status == 200, reply
            assert reply.json()["images"][0]["results"] == expected
    packed = gzip.compress(json.dumps({"imgsz": 320, "source": f"{host.url}/picture.jpg"}).encode())
    reply = fetching.call("POST", PATH, packed, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert reply.json()["images"][0]["results"] == expected


def test_what_is_no_picture_is_said(fetching, host):
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    for source, says in (
        ("bus.jpg", "neither a URL nor base64"),
        (base64.b64encode(base64.b64encode(PICTURE.read_bytes())).decode(), "no picture that can be read"),
        (f"{host.url}/text", "no picture that can be read"),
        (f"{host.url}/none", "status 404"),
        (f"{host.url}/away?/away?/away?/away?/picture.jpg", "more than 3 times"),
        (f"{host.url}/away?http://127.0.0.1:{port}/", "--allow-url does not name"),
        (f"{host.url}/away?file:///etc/passwd", "'file'"),
        (f"http://127.0.0.1:{port}/", "--allow-url does not name"),
        (f"http://me:secret@{host.address}/", "name or password"),
        ("ftp://pictures.example/a.jpg", "'ftp'"),
        ("file:///etc/passwd", "'file'"),
    ):
        reply = ask_json(fetching, source=source)
        assert reply.status == 400 and says in reply.json()["error"], (source, reply)
        assert "secret" not in reply.json()["error"]


def test_urls_are_off_unless_their_host_is_named(host):
    before = len(host.asked)
    with Server(FRUIT) as server:
        reply = ask_json(server, source=f"{host.url}/picture.jpg")
        assert reply.status == 400 and f"--allow-url {host.address}" in reply.json()["error"]
        # What came itself needs no permission.
        assert ask_json(server, source=base64.b64encode(PICTURE.read_bytes()).decode()).status == 200
    with Server(FRUIT, "--allow-url", f"{host.address},localhost:{host.address.split(':')[1]}") as server:
        for url in (host.url, host.url.replace("127.0.0.1", "localhost")):
            reply = ask_json(server, source=f"{url}/picture.jpg")
            assert reply.status == 400 and "--allow-private-urls" in reply.json()["error"], reply
        series = server.metrics()
        assert series['bascule_url_fetches_total{outcome="refused"}'] == 2
    assert len(host.asked) == before
    done = run_cli("serve", FRUIT, "--allow-url", "http://pictures.example/")
    assert done.returncode == 2 and "--allow-url" in done.stderr and "pictures.example:8080" in done.stderr


def test_nobody_waits_for_a_slow_host(fetching, host, expected):
    body = json.dumps({"source": f"{host.url}/slow"})
    for headers, status, says in (({}, 400, "within 1.5 s"), ({"Request-Timeout-Ms": "300"}, 503, "time was over")):
        connection = http.client.HTTPConnection("127.0.0.1", fetching.port, timeout=LIMIT_S)
        host.asked.clear()
        connection.request("POST", PATH, body, {"Content-Type": "application/json", **headers})
        started = time.monotonic()
        # There is one thread that reads and writes; it has time for others.
        assert fetching.predict("fruit", PICTURE.read_bytes(), imgsz=320).json()["images"][0]["results"] == expected
        reply = connection.getresponse()
        assert reply.status == status and says in json.loads(reply.read())["error"]
        assert time.monotonic() - started < 10
        assert host.asked == ["/slow"]
        connection.close()


def test_a_client_that_leaves_ends_its_fetch(host):
    with Server(FRUIT, "--allow-url", host.address, "--allow-private-urls", "--url-timeout-ms", 600_000) as server:
        host.gone.clear()
        host.asked.clear()
        body = json.dumps({"source": f"{host.url}/slow"})
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        while not host.asked:
            server.get("/v2/health/live")
        assert not host.gone.is_set()
        connection.close()
        assert host.gone.wait(LIMIT_S)
        while server.metrics().get('bascule_url_fetches_total{outcome="failed"}', 0) < 1:
            pass
        # One more is under way when the server is asked to stop.
        with socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S) as sock:
            sock.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            while host.asked.count("/slow") < 2:
                server.get("/v2/health/live")
        assert server.alive()


def test_tls_of_nobody_is_not_trusted(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-subj", "/CN=127.0.0.1", "-days", "2"], check=True, capture_output=True)
    with contextlib.closing(Host((certificate, key))) as host:
        with Server(FRUIT, "--allow-url", host.address, "--allow-private-urls") as server:
            reply = ask_json(server, source=f"{host.url}/picture.jpg")
            assert reply.status == 400 and "No safe connection" in reply.json()["error"], reply
            assert not host.asked


def test_a_url_on_the_command_line_is_its_own_permission(host, expected, tmp_path):
    url = f"{host.url}/a/picture.jpg?x=/y.png"
    done = run_cli("predict", FRUIT, url, "--imgsz", 320, "--json", "--save", tmp_path)
    assert done.returncode == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    assert image["file"] == url and image["results"] == expected
    assert [p.name for p in tmp_path.iterdir()] == ["picture.jpg"]
    done = run_cli("predict", FRUIT, f"{host.url}/none", PICTURE, "--imgsz", 320)
    assert done.returncode == 1 and "status 404" in done.stderr and "Detected" in done.stdout
    # It ends at the host that was typed.
    done = run_cli("predict", FRUIT, f"{host.url}/away?{host.url.replace('127.0.0.1', 'localhost')}/picture.jpg")
    assert done.returncode == 1 and "none of the public internet" in done.stderr


def test_the_readme_counts_boxes(host, expected):
    """Its second example, with a host of this machine in place of the public one."""
    text = (ROOT / "README.md").read_text()
    serve = re.search(r"^bascule serve (\S+) --allow-url (\S+)$", text, re.M)
    program = re.search(r"^```python\n(.*?)^```$", text, re.M | re.S).group(1)
    named = re.search(r"https://([^/\"]+)/\S*\.jpg", program)
    assert named[1] in serve[2].split(",")
    with Server(ROOT / serve[1], "--allow-url", host.address, "--allow-private-urls") as server:
        program = program.replace(named[0], f"{host.url}/picture.jpg").replace(":8000", f":{server.port}")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        boxes = server.predict(serve[1].split("/")[-1].removesuffix(".onnx"), PICTURE.read_bytes()).json()
        assert int(done.stdout) == len(boxes["images"][0]["results"]) > 2
