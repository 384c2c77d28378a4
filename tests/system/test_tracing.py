"""Traces, as a receiver of OTLP/HTTP with JSON bodies takes them: each body is read by OpenTelemetry's own protobuf
definitions, strictly, so that a field that they do not know fails."""

from __future__ import annotations

import base64
import collections
import concurrent.futures
import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
from bascule import BINARY, DATA, ROOT, Server, run_cli
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from tritonclient.utils import InferenceServerException

ADD_ONE = DATA / "general/add_one.onnx"
FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = DATA / "pictures/fruit_101_0000.jpg"
INFER = {"id": "seven", "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]}
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LIMIT_S = 30
Span = collections.namedtuple("Span", "name kind trace id parent state flags begin end attributes status resource")


def with_base64_ids(value):
    """OTLP's JSON has ids in hexadecimal, protobuf's mapping in base64; all else is the same."""
    if isinstance(value, list):
        return [with_base64_ids(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId", "parentSpanId")
            else with_base64_ids(v) for k, v in value.items()}


def facts(attributes) -> dict:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def spans_of(body: bytes) -> list[Span]:
    message = json_format.ParseDict(with_base64_ids(json.loads(body)), ExportTraceServiceRequest())
    out = []
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            assert scope.scope.name == "bascule" and scope.spans
            out += [Span(s.name, s.kind, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.trace_state,
                         s.flags, s.start_time_unix_nano, s.end_time_unix_nano, facts(s.attributes), s.status.code,
                         facts(resource.resource.attributes)) for s in scope.spans]
    return out


class Receiver:
    """A receiver on a port of this machine. `answer`: given how many posts came before, the status, header fields
    and body, or nothing to say 200. Spans of posts that were answered so count."""

    def __init__(self, answer=lambda number: None, port: int = 0) -> None:
        self.posts: list = []
        self.spans: list[Span] = []
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.changed:
                    number = len(receiver.posts)
                    receiver.posts.append((self.path, dict(self.headers), time.monotonic()))
                    receiver.changed.notify_all()
                status, fields, text = answer(number) or (200, {}, b"{}")
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in {"Content-Length": len(text), **fields}.items():
                        self.send_header(name, str(value))
                    self.end_headers()
                    self.wfile.write(text)
                if status == 200:
                    with receiver.changed:
                        receiver.spans += spans_of(body)
                        receiver.changed.notify_all()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, done) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: done(self), LIMIT_S), (len(self.posts), [s.name for s in self.spans])

    def requests(self, count: int) -> list[Span]:
        """The spans of requests, once there are so many."""
        self.wait(lambda r: len([s for s in r.spans if s.kind == ProtoSpan.SPAN_KIND_SERVER]) >= count)
        return [s for s in self.spans if s.kind == ProtoSpan.SPAN_KIND_SERVER]

    def below(self, parent: Span) -> dict[str, Span]:
        return {s.name: s for s in self.spans if s.parent == parent.id and s.trace == parent.trace}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    with contextlib.closing(Receiver()) as running:
        yield running


def free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


def infer_with(server: Server, **fields: str):
    return server.call("POST", "/v2/models/add_one/infer", json.dumps(INFER), fields)


def spans_total(server: Server, outcome: str) -> float:
    return server.metrics()[f'bascule_trace_spans_total{{outcome="{outcome}"}}']


def inside(child: Span, parent: Span) -> bool:
    return parent.begin <= child.begin <= child.end <= parent.end


def test_a_request_over_http_and_its_stages(receiver):
    before = time.time_ns()
    with Server(FRUIT, "--otlp-endpoint", receiver.url) as server:
        assert server.predict("fruit", PICTURE.read_bytes()).status == 200
        assert server.get("/v2/health/ready").status == 200  # asks no model
        (span,) = receiver.requests(1)
        assert receiver.posts[0][0] == "/v1/traces"
        assert receiver.posts[0][1]["Content-Type"] == "application/json"
        assert span.name == "POST /models/{model}/predict"
        assert before < span.begin < span.end < time.time_ns()
        assert len(span.trace) == 32 and len(span.id) == 16 and span.parent == "" and span.flags == 0x101
        assert span.attributes == {
            "http.request.method": "POST", "http.route": "/models/{model}/predict", "url.path": "/models/fruit/predict",
            "url.scheme": "http", "http.response.status_code": 200, "bascule.model.name": "fruit",
            "bascule.model.version": "1", "bascule.backend": "onnxruntime",
        }
        assert span.resource["service.name"] == "bascule" and span.resource["host.name"] == socket.gethostname()
        assert re.fullmatch(r"\d+\.\d+\.\d+", span.resource["service.version"])
        stages = receiver.below(span)
        assert set(stages) == {"queue", "prepare", "run", "finish"}
        for stage in stages.values():
            assert inside(stage, span) and stage.kind == ProtoSpan.SPAN_KIND_INTERNAL
        order = [stages[name] for name in ("queue", "prepare", "run", "finish")]
        for one, next_one in zip(order, order[1:]):
            assert one.end <= next_one.begin
        assert spans_total(server, "exported") == 5 and spans_total(server, "dropped") == 0
        # The same times that the metrics count.
        series = server.metrics()
        for name, stage in stages.items():
            seconds = series[f'bascule_stage_seconds_sum{{dialect="ultralytics",model="fruit",stage="{name}",version="1"}}']
            assert (stage.end - stage.begin) / 1e9 == pytest.approx(seconds, abs=1e-6)


def test_a_request_over_grpc_and_in_a_stream(receiver):
    with Server(ADD_ONE, "--grpc-port", 0, "--otlp-endpoint", receiver.url) as server:
        tensor = grpc_client.InferInput("x", [1, 16], "FP32")
        tensor.set_data_from_numpy(np.zeros((1, 16), np.float32))
        with grpc_client.InferenceServerClient(server.grpc_address()) as client:
            client.infer("add_one", [tensor], request_id="seven",
                         headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "a=1"})
            with pytest.raises(InferenceServerException):
                client.infer("nothing", [tensor])
            answers: list = []
            come = threading.Semaphore(0)
            client.start_stream(lambda result, error: (answers.append(error), come.release()))
            client.async_stream_infer("add_one", [tensor])
            assert come.acquire(timeout=LIMIT_S) and answers == [None]
            client.stop_stream()
        one, failed, streamed = receiver.requests(3)
        assert (one.name, one.trace, one.parent, one.state, one.flags) == (
            "inference.GRPCInferenceService/ModelInfer", TRACE, CALLER, "a=1", 0x301)
        assert one.attributes == {
            "rpc.system.name": "grpc", "rpc.method": "inference.GRPCInferenceService/ModelInfer",
            "rpc.response.status_code": "OK", "bascule.request.id": "seven", "bascule.model.name": "add_one",
            "bascule.model.version": "1", "bascule.backend": "onnxruntime",
        }
        assert inside(receiver.below(one)["run"], one)
        assert failed.attributes["rpc.response.status_code"] == "NOT_FOUND"
        assert failed.attributes["bascule.model.name"] == "nothing"
        assert failed.status == Status.STATUS_CODE_UNSET  # the caller's fault
        assert streamed.name == "inference.GRPCInferenceService/ModelStreamInfer" and "run" in receiver.below(streamed)


def test_the_callers_trace_goes_on_and_its_word_counts(receiver):
    with Server(ADD_ONE, "--otlp-endpoint", receiver.url, "--trace-sample", 0) as server:
        assert infer_with(server).status == 200  # none begin here
        assert infer_with(server, traceparent=f"00-{TRACE}-{CALLER}-00").status == 200
        assert infer_with(server, traceparent="nonsense").status == 200
        reply = infer_with(server, traceparent=f"00-{TRACE}-{CALLER}-01", tracestate="vendor=x,other=y")
        assert reply.headers["traceparent"] == f"00-{TRACE}-{CALLER}-01"
        (span,) = receiver.requests(1)
        server.stop()
    assert len(receiver.requests(1)) == 1
    assert (span.trace, span.parent, span.state, span.flags) == (TRACE, CALLER, "vendor=x,other=y", 0x301)
    assert span.attributes["bascule.request.id"] == "seven"
    for stage in receiver.below(span).values():
        assert stage.trace == TRACE and stage.state == "vendor=x,other=y"


def test_the_ratio_decides_where_the_caller_does_not(receiver):
    with Server(ADD_ONE, "--otlp-endpoint", receiver.url, "--trace-sample", 0.25) as server:
        for _ in range(400):
            assert infer_with(server).status == 200
        server.stop()  # sends what is left
    spans = receiver.requests(1)
    assert 55 <= len(spans) <= 150  # 100 on average; 5 deviations
    assert len({s.trace for s in spans}) == len(spans)


def test_refusals_and_errors_are_told(receiver):
    with Server(ADD_ONE, "--otlp-endpoint", receiver.url + "/v1/traces") as server:
        assert server.infer("add_one", {"inputs": []}).status == 400
        assert server.infer("nothing", INFER).status == 404
        assert server.get("/nowhere").status == 404  # no route, no span
        assert b" 400 " in server.raw(b"NONSENSE\r\n\r\n")  # no request
        bad, unknown = receiver.requests(2)
        assert bad.attributes["http.response.status_code"] == 400 and bad.attributes["bascule.model.name"] == "add_one"
        assert unknown.attributes["http.response.status_code"] == 404
        assert bad.status == Status.STATUS_CODE_UNSET and not receiver.below(bad)
        assert receiver.posts[0][0] == "/v1/traces"


def test_strangers_make_no_traces(receiver, tmp_path):
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n" + run_cli("key", "new", "me", "--role", "infer").stdout)
    with Server(ADD_ONE, "--otlp-endpoint", receiver.url, "--api-keys", keys) as server:
        assert infer_with(server, traceparent=f"00-{TRACE}-{CALLER}-01").status == 401
        server.stop()
    assert not receiver.posts


def test_requests_that_share_a_run_say_how_many_rows_it_had(receiver):
    model = "yolo26n-end2end"
    with Server(DATA / f"yolo/{model}.onnx", "--otlp-endpoint", receiver.url, "--max-queue-delay-microseconds", 200_000,
                "--max-batch-size", 4, "--instances", 1) as server:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: server.predict(model, PICTURE.read_bytes(), imgsz=320), range(4)))
        assert [reply.status for reply in replies] == [200] * 4
        runs = [receiver.below(s)["run"] for s in receiver.requests(4)]
        assert max(r.attributes.get("bascule.batch.rows", 1) for r in runs) >= 2


def test_an_ensemble_shows_its_steps(receiver, tmp_path):
    for name in ("add_one", "again"):
        (tmp_path / name / "1").mkdir(parents=True)
        shutil.copy(ADD_ONE, tmp_path / name / "1/model.onnx")
    (tmp_path / "twice/1").mkdir(parents=True)
    (tmp_path / "twice/config.pbtxt").write_text("""name: "twice" platform: "ensemble" max_batch_size: 8
      input [ { name: "X" data_type: TYPE_FP32 dims: [ 16 ] } ] output [ { name: "Y" data_type: TYPE_FP32 dims: [ 16 ] } ]
      ensemble_scheduling { step [
        { model_name: "add_one" model_version: -1 input_map { key: "x" value: "X" } output_map { key: "y" value: "once" } },
        { model_name: "again" model_version: 1 input_map { key: "x" value: "once" } output_map { key: "y" value: "Y" } } ] }""")
    with Server(tmp_path, "--otlp-endpoint", receiver.url) as server:
        value = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 16], "data": [0.5] * 16}]}
        assert server.infer("twice", value).status == 200
        (span,) = receiver.requests(1)
        steps = receiver.below(span)
        assert set(steps) == {"step add_one", "step again"}
        for step in steps.values():
            assert inside(step, span) and inside(receiver.below(step)["run"], step)
        assert steps["step add_one"].end <= steps["step again"].begin


def test_nobody_waits_for_a_receiver_that_is_down_and_what_fits_comes_later():
    port = free_port()
    with Server(ADD_ONE, "--otlp-endpoint", f"http://127.0.0.1:{port}", "--trace-queue", 500) as server:
        slowest = 0.0
        for _ in range(300):
            started = time.monotonic()
            assert infer_with(server).status == 200
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 5, "a request waited for the receiver"
        with contextlib.closing(Receiver(port=port)) as receiver:
            assert len(receiver.requests(300)) == 300
            assert spans_total(server, "dropped") == 0


def test_a_full_queue_drops_counts_and_says_so_once():
    def slow(number: int):
        time.sleep(0.3)
        return 503, {"Retry-After": 30}, b"later"

    with contextlib.closing(Receiver(slow)) as receiver:
        with Server(ADD_ONE, "--otlp-endpoint", receiver.url, "--trace-queue", 10) as server:
            assert infer_with(server).status == 200
            receiver.wait(lambda r: r.posts)
            for _ in range(50):
                assert infer_with(server).status == 200
            assert spans_total(server, "dropped") == 80  # of 40 requests: the request's own and the run
            started = time.monotonic()
            server.terminate()
            assert server.wait() == 0
            assert time.monotonic() - started < 15
            lines = [line for line in server.log().splitlines() if "spans of traces were dropped" in line]
            assert len(lines) == 1, server.log()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_batch_is_sent_again_when_that_helps(status):
    def once(number: int):
        return (status, {"Retry-After": 1}, b"") if number == 0 else None

    with contextlib.closing(Receiver(once)) as receiver, Server(ADD_ONE, "--otlp-endpoint", receiver.url) as server:
        assert infer_with(server).status == 200
        receiver.requests(1)
        (_, _, first), (_, _, second) = receiver.posts
        assert second - first >= 0.99, "Retry-After was not waited for"


def test_what_cannot_help_is_not_tried_again():
    def answer(number: int):
        return [(400, {}, b"no such thing"),
                (200, {}, b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one was too old"}}')][min(number, 1)]

    with contextlib.closing(Receiver(answer)) as receiver, Server(ADD_ONE, "--otlp-endpoint", receiver.url) as server:
        assert infer_with(server).status == 200
        receiver.wait(lambda r: r.posts)
        assert infer_with(server).status == 200
        receiver.requests(1)
        assert len(receiver.posts) == 2
        assert spans_total(server, "dropped") == 3 and spans_total(server, "exported") == 1
        assert "no such thing" in server.log()


def test_stopping_sends_what_is_left(receiver):
    with Server(ADD_ONE, "--otlp-endpoint", receiver.url) as server:
        for _ in range(20):
            assert infer_with(server).status == 200
        server.stop()
    assert len(receiver.requests(20)) == 20


def test_stopping_does_not_wait_for_a_receiver_that_hangs():
    over = threading.Event()

    def hang(number: int):
        over.wait(LIMIT_S)

    with contextlib.closing(Receiver(hang)) as receiver, Server(ADD_ONE, "--otlp-endpoint", receiver.url) as server:
        assert infer_with(server).status == 200
        receiver.wait(lambda r: r.posts)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 12
        over.set()


def test_header_fields_go_along_and_stay_secret(receiver):
    headers = "Authorization=Bearer%20s3cret,X-Scope-OrgID=a%2Cb"
    with Server(ADD_ONE, "--otlp-endpoint", receiver.url, "--log-level", "debug",
                env={"BASCULE_OTLP_HEADERS": headers, "OTEL_SERVICE_NAME": "till-7"}) as server:
        assert infer_with(server).status == 200
        (span,) = receiver.requests(1)
        assert span.resource["service.name"] == "till-7"
        assert receiver.posts[0][1]["Authorization"] == "Bearer s3cret"
        assert receiver.posts[0][1]["X-Scope-OrgID"] == "a,b"
        log = server.log()
    assert "s3cret" not in log + "\n".join(server.lines)
    shown = subprocess.run([BINARY, "config"], capture_output=True, text=True, check=True, timeout=20,
                           env={**os.environ, "BASCULE_OTLP_HEADERS": headers}).stdout
    assert "s3cret" not in shown


@pytest.mark.parametrize(("arguments", "says"), [
    (["--otlp-endpoint", "localhost:4318"], "--otlp-endpoint"),
    (["--otlp-endpoint", "ftp://host"], "'ftp'"),
    (["--otlp-endpoint", "http://h", "--otlp-headers", "s3cret"], "entry 1"),
    (["--otlp-endpoint", "http://h", "--otlp-headers", "a=1,b c=s3cret"], "entry 2"),
    (["--otlp-endpoint", "http://h", "--otlp-headers", "a=s3cret%0d%0ab: 1"], "entry 1"),
    (["--otlp-endpoint", "http://h", "--trace-sample", "2"], "--trace-sample"),
])
def test_what_is_wrong_is_refused_at_the_start(arguments, says):
    done = run_cli("serve", ADD_ONE, "--http-port", 0, *arguments)
    assert done.returncode == 2 and says in done.stderr and "s3cret" not in done.stderr


def test_the_script_of_the_page_shows_a_trace(tmp_path):
    """docs/tracing.md's snippets, on other ports."""
    port = free_port()
    page = (ROOT / "docs/tracing.md").read_text()
    receive, ask = re.findall(r"^<!-- tested by tests/system/test_tracing.py -->\n```bash\n(.*?)^```$", page, re.M | re.S)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    serve, ask = ask.split("\n", 1)
    assert serve.startswith("bascule serve examples/checkout/fruit.onnx --otlp-endpoint http://localhost:4318")
    with Server(FRUIT, "--otlp-endpoint", f"http://127.0.0.1:{port}") as server:
        shown = subprocess.Popen(["bash", "-c", f"exec {receive.strip()} --spans 5 --port {port}"], cwd=tmp_path,
                                 stdout=subprocess.PIPE, text=True)
        try:
            asked = subprocess.run(["bash", "-euo", "pipefail", "-c", ask.replace(":8000", f":{server.port}")],
                                   cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=True)
            assert '"error"' not in asked.stdout
            text, _ = shown.communicate(timeout=LIMIT_S)
        finally:
            shown.kill()
    assert re.match(r"POST /models/\{model\}/predict  [\d.]+ ms", text)
    assert re.findall(r"^  (\w+)", text, re.M) == ["queue", "prepare", "run", "finish"]
