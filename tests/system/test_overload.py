"""More requests than a model can serve: some are refused at once, told when to come back, and nothing is lost."""

from __future__ import annotations

import http.client
import json
import threading

import pytest
from bascule import ROOT, Server, multipart

FRUIT = ROOT / "examples" / "checkout" / "fruit.onnx"
PICTURE = ROOT / "examples" / "checkout" / "pictures" / "fruit_101_0008.jpg"
CLIENTS = 12
CALLS = 4


def picture_call() -> tuple[str, bytes, dict[str, str]]:
    body, content_type = multipart({"imgsz": 320}, PICTURE.read_bytes())
    return "/models/fruit/predict", body, {"Content-Type": content_type}


def tensor_call() -> tuple[str, bytes, dict[str, str]]:
    shape = [1, 3, 320, 320]
    size = 4 * shape[1] * shape[2] * shape[3]
    tensor = {"name": "images", "shape": shape, "datatype": "FP32", "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return "/v2/models/fruit/infer", head + bytes(size), {"Inference-Header-Content-Length": str(len(head))}


def flood(server: Server, call: tuple[str, bytes, dict[str, str]]) -> list[tuple[int, dict[str, str], bytes]]:
    """Every client asks as fast as it is answered, on one connection where that is kept."""
    answers: list[tuple[int, dict[str, str], bytes]] = []
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for _ in range(CALLS):
            try:
                connection.request("POST", *call)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent: the answer is there already
            response = connection.getresponse()
            answer = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
            with lock:
                answers.append(answer)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize(
    ("compat", "call", "status"),
    [("none", picture_call(), 429), ("none", tensor_call(), 429), ("triton", tensor_call(), 503)],
    ids=["pictures", "tensors", "Triton's status"],
)
def test_a_flood_is_answered_or_told_when_to_come_back(compat: str, call: tuple, status: int) -> None:
    with Server(FRUIT, "--max-queue-size", 2, "--compat", compat) as server:
        answers = flood(server, call)
        assert len(answers) == CLIENTS * CALLS
        served = [body for code, _, body in answers if code == 200]
        refused = [(headers, body) for code, headers, body in answers if code == status]
        assert len(served) + len(refused) == len(answers), sorted({code for code, _, _ in answers})
        assert served, "nothing was served"
        assert refused, "nothing was refused"
        for headers, body in refused:
            assert int(headers["retry-after"]) >= 1
            assert int(headers["retry-after-ms"]) >= 1
            # A picture is small enough to be passed over; what is longer ends the connection.
            assert "connection" not in headers or len(call[1]) > 1 << 20
            assert "wait for model 'fruit'" in json.loads(body)["error"]
        for body in served:
            answer = json.loads(body)
            assert answer["images"][0]["results"] if "images" in answer else answer["outputs"]
        rejected = server.metrics()['nv_inference_request_failure{model="fruit",reason="REJECTED",version="1"}']
        assert rejected == len(refused)


def test_without_limits_nothing_is_refused() -> None:
    with Server(FRUIT, "--max-queue-size", 0, "--queue-budget-ms", 0) as server:
        assert [code for code, _, _ in flood(server, picture_call())] == [200] * (CLIENTS * CALLS)
