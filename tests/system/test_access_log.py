"""--access-log: one JSON line per request, without what may be secret; a request's trace and times."""

import datetime
import json
import re

import pytest
from bascule import DATA, ROOT, Server, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = (DATA / "pictures/fruit_101_0000.jpg").read_bytes()
ADD_ONE = DATA / "general/add_one.onnx"
INFER = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("to_stdout", [True, False])
def test_every_request_is_a_line(tmp_path, to_stdout):
    file = tmp_path / "access.jsonl"
    with Server(ADD_ONE, "--access-log", "-" if to_stdout else file) as server:
        infer = server.infer("add_one", INFER)
        server.call("GET", "/nowhere?token=secret", headers={"Authorization": "Bearer secret", "traceparent": TRACE})
        server.raw(b"NONSENSE\r\n\r\n")
        server.stop()
        text = "\n".join(line for line in server.lines if line.startswith("{")) if to_stdout else file.read_text()
    assert "secret" not in text and "data" not in text
    first, second, third = [json.loads(line) for line in text.splitlines()]
    assert set(first) == {"time", "client", "method", "path", "status", "bytes_in", "bytes_out", "ms"}
    assert (first["client"], first["method"], first["path"], first["status"]) == (
        "127.0.0.1", "POST", "/v2/models/add_one/infer", 200,
    )
    assert first["bytes_in"] == len(json.dumps(INFER)) and first["bytes_out"] == len(infer.body)
    assert 0 < first["ms"] < 10_000
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(first["time"].replace("Z", "+00:00"))
    assert abs(age.total_seconds()) < 60
    assert (second["path"], second["status"], second["traceparent"]) == ("/nowhere", 404, TRACE)
    assert third["status"] == 400


def test_a_log_that_cannot_be_written_is_told_at_the_start(tmp_path):
    done = run_cli("serve", ADD_ONE, "--http-port", 0, "--metrics-port", "off", "--access-log", tmp_path / "no" / "log")
    assert done.returncode != 0
    assert str(tmp_path / "no" / "log") in done.stderr


def test_a_picture_tells_where_its_time_went():
    with Server(FRUIT) as server:
        body = PICTURE
        reply = server.call(
            "POST", "/models/fruit/predict", body, {"Content-Type": "image/jpeg", "Bascule-Debug": "timing"}
        )
        assert reply.status == 200, reply
        times = re.fullmatch(r"queue=([\d.]+);prepare=([\d.]+);run=([\d.]+);finish=([\d.]+)", reply.headers["bascule-timing"])
        queue, prepare, run, finish = map(float, times.groups())
        assert prepare > 0 and run > 0.5 and finish >= 0 and queue >= 0
