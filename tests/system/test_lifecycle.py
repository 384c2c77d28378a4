"""Start, stop, and what a busy port looks like."""

import shutil
import socket
import subprocess
import threading
import time

from bascule import BINARY, DATA, ROOT, Server, has_sanitizer, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
TRAY = ROOT / "examples/checkout/pictures/fruit_101_0008.jpg"


def test_start_to_ready_with_a_10_mb_detector(figure):
    times = []
    for _ in range(3):
        with Server(FRUIT) as server:
            assert server.get("/v2/health/ready").status == 200
            times.append(server.ready_s)
    figure(f"start to ready, {FRUIT.stat().st_size / 1e6:.1f} MB detector: {min(times) * 1000:.0f} ms (best of {len(times)}, "
           f"worst {max(times) * 1000:.0f} ms)")
    assert min(times) < 5


def test_the_start_says_what_to_do():
    with Server(FRUIT) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        text = "\n".join(server.lines)
        server.stop()
        text = "\n".join(server.lines)
    assert "fruit" in text
    assert "curl" in text and f":{server.port}" in text


def test_health_bodies():
    """KServe's client reads the body, Triton's only the status."""
    with Server(DATA / "general/add_one.onnx") as server:
        assert server.get("/v2/health/live").json() == {"live": True}
        assert server.get("/v2/health/ready").json() == {"ready": True}


def test_requests_in_flight_are_finished(figure):
    """Eight slow pictures are being worked on when SIGTERM arrives: all are answered, then the exit code is 0."""
    with Server(FRUIT) as server:
        server.predict("fruit", TRAY.read_bytes())
        picture = TRAY.read_bytes()
        replies, ends = [], []

        def ask():
            reply = server.predict("fruit", picture, imgsz=1280)
            replies.append(reply)
            ends.append(time.monotonic())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        # The server has read all requests long before it has answered them (each takes a few hundred ms of a core).
        time.sleep(0.25)
        stopped = time.monotonic()
        server.terminate()
        for thread in threads:
            thread.join(60)
        assert server.wait() == 0, server.log()
    assert [r.status for r in replies] == [200] * 8
    late = sum(end > stopped for end in ends)
    figure(f"answers after SIGTERM: {late} of 8")
    assert late > 0, "every answer came before the signal: the test showed nothing"


def test_an_idle_connection_does_not_hold_up_the_end():
    with Server(DATA / "general/add_one.onnx") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as idle:
            idle.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            assert idle.recv(100).startswith(b"HTTP/1.1 200")
            started = time.monotonic()
            server.terminate()
            assert server.wait() == 0
            assert time.monotonic() - started < 10


def test_sigterm_does_not_wait_for_the_models_that_are_still_to_load(tmp_path):
    count = 100
    for i in range(count):
        shutil.copy(DATA / "yolo" / "yolo26n.onnx", tmp_path / f"m{i}.onnx")
    process = subprocess.Popen(
        [str(BINARY), "serve", str(tmp_path), "--http-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stderr.readline()
    process.terminate()
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    loaded = (first + rest).count("ready in")
    assert 1 <= loaded < count, rest
    assert "Serving on" not in out and "Stopped" in rest


def test_sigterm_twice_is_no_crash():
    with Server(DATA / "general/add_one.onnx") as server:
        server.terminate()
        server.terminate()
        assert server.wait() in (0, 143, -15)


def test_a_port_in_use_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_cli("serve", DATA / "general/add_one.onnx", "--http-port", port, "--log-level", "error")
    assert done.returncode == 1, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and str(port) in lines[0] and "in use" in lines[0], done.stderr


def test_logs_as_json_lines():
    import json

    with Server(DATA / "general/add_one.onnx", "--log-format", "json") as server:
        server.get("/nothing")
        server.terminate()
        server.wait()
        lines = server.log().splitlines()
    assert lines
    for line in lines:
        entry = json.loads(line)
        assert isinstance(entry, dict) and entry


def test_http_connections_live_on_and_pipeline():
    with Server(DATA / "general/add_one.onnx") as server:
        body = b'{"inputs":[{"name":"x","shape":[1,16],"datatype":"FP32","data":[%s]}]}'
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            sent = b""
            for number in range(20):
                text = body % b",".join([str(number).encode()] * 16)
                sent += b"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (
                    len(text), text)
            sock.sendall(sent)
            got = b""
            while got.count(b"HTTP/1.1 200") < 20 or not got.rstrip().endswith(b"}"):
                piece = sock.recv(65536)
                assert piece, got
                got += piece
        order = [got.index(b'"data":[%d' % (n + 1)) for n in range(20)]
        assert order == sorted(order)


def test_expect_100_continue():
    with Server(DATA / "general/add_one.onnx") as server:
        text = b'{"inputs":[{"name":"x","shape":[1,16],"datatype":"FP32","data":[%s]}]}' % b",".join([b"1"] * 16)
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            sock.sendall(b"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(text))
            assert sock.recv(1000).startswith(b"HTTP/1.1 100")
            sock.sendall(text)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_chunked_body():
    with Server(DATA / "general/add_one.onnx") as server:
        text = b'{"inputs":[{"name":"x","shape":[1,16],"datatype":"FP32","data":[%s]}]}' % b",".join([b"1"] * 16)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(text[i : i + 10]), text[i : i + 10]) for i in range(0, len(text), 10))
        answer = server.raw(b"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            + chunks + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer


def test_memory_after_many_pictures(figure):
    """500 pictures of two sizes: the process does not grow."""
    if has_sanitizer():
        import pytest

        pytest.skip("memory figures mean nothing under AddressSanitizer")
    small = (DATA / "pictures/steel_104_0000.jpg").read_bytes()
    large = (DATA / "pictures/fruit_101_0003.jpg").read_bytes()
    with Server(DATA / "yolo/yolo26n.onnx") as server:
        for _ in range(100):
            assert server.predict("yolo26n", small).status == 200
            assert server.predict("yolo26n", large).status == 200
        before = server.memory_kb()
        for _ in range(150):
            server.predict("yolo26n", small)
            server.predict("yolo26n", large)
        grown = server.memory_kb() - before
        figure(f"memory after 200 pictures {before / 1024:.0f} MB, 300 later {grown / 1024:+.1f} MB")
        assert grown < 16 * 1024
