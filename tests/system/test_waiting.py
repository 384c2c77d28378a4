"""Requests that wait and are not run: each is answered or dropped at once, and counted by its reason."""

from __future__ import annotations

import socket
import threading
import time

from bascule import ROOT, Server, multipart

FRUIT = ROOT / "examples" / "checkout" / "fruit.onnx"
PICTURE = ROOT / "examples" / "checkout" / "pictures" / "fruit_101_0008.jpg"
PATH = "/models/fruit/predict"
WAIT_S = 20
BUSY = 7


def failures(server: Server, code: str) -> float:
    return sum(
        value
        for name, value in server.metrics().items()
        if name.startswith("bascule_request_errors_total") and f'code="{code}"' in name and 'model="fruit"' in name
    )


def until(condition) -> bool:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_expired_and_abandoned_requests_are_counted_and_not_run() -> None:
    body, content_type = multipart({"imgsz": 640}, PICTURE.read_bytes())
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    with Server(FRUIT, "--instances", 1, "--max-batch-size", 1, "--queue-budget-ms", 0) as server:
        answers = []
        busy = [
            threading.Thread(
                target=lambda: answers.append(server.call("POST", PATH, body, {"Content-Type": content_type}).status)
            )
            for _ in range(BUSY)
        ]
        for thread in busy:
            thread.start()
        assert until(lambda: server.metrics().get('bascule_queue_depth{model="fruit",version="1"}', 0) >= 4)
        leaving = socket.create_connection(("127.0.0.1", server.port))
        leaving.sendall(head.encode() + body)
        late = server.call("POST", PATH, body, {"Content-Type": content_type, "Request-Timeout-Ms": "1"})
        leaving.close()
        assert late.status == 503, late  # the Ultralytics status of a time that is over
        for thread in busy:
            thread.join()
        assert answers == [200] * BUSY
        assert until(lambda: failures(server, "cancelled") == 1)
        metrics = server.metrics()
        assert failures(server, "deadline_exceeded") == 1
        failure = 'nv_inference_request_failure{{model="fruit",reason="{}",version="1"}}'
        assert metrics[failure.format("CANCELED")] == 1
        assert metrics[failure.format("REJECTED")] == 1
        assert metrics['nv_inference_exec_count{model="fruit",version="1"}'] == BUSY
