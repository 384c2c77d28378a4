"""The same logical request through every dialect, and the same answer.

A case is a question; a way is a dialect and transport that asks it. Every way answers every case that it can ask,
and all answers of a case are equal: tensors to the bit, boxes to the digit that the dialect writes.
"""

import json
import pathlib
import re
import shutil

import grpc
import numpy as np
import pytest
import requests
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from bascule import DATA, Server, multipart, run_cli
from tritonclient.grpc import service_pb2, service_pb2_grpc
from ultralytics_platform import Platform

PICTURE = DATA / "pictures" / "fruit_101_0003.jpg"
TENSORS = {
    "one row": np.arange(16, dtype=np.float32).reshape(1, 16),
    "rows": np.linspace(-3, 3, 48, dtype=np.float32).reshape(3, 16),
    "awkward numbers": np.array([[0.1, -0.0, 1e-38, 3.4e38, 1 / 3, 16777216, -1.5, 1e-45] * 2], dtype=np.float32),
}
PREDICTS = {
    "as it comes": {},
    "threshold": {"conf": 0.6},
    "other size": {"imgsz": 320, "conf": 0.3},
    "strict overlap": {"iou": 0.1, "conf": 0.1, "imgsz": 320},
}


class Ways:
    """One server, and every way of asking it."""

    def __init__(self, server: Server, models: pathlib.Path) -> None:
        server.metrics_url()
        self.models = models
        self.server = server
        self.grpc = next(f"127.0.0.1:{m.group(1)}" for line in server.lines if (m := re.match(r"gRPC on \S+:(\d+)", line)))

    # Tensors.

    def v2_json(self, x):
        reply = self.server.infer("add_one", {"inputs": [{"name": "x", "datatype": "FP32", "shape": list(x.shape),
                                                          "data": [float(v) for v in x.ravel()]}]})
        output = reply.json()["outputs"][0]
        return np.array(output["data"], dtype=np.float32).reshape(output["shape"])

    def v2_json_nested(self, x):
        reply = self.server.infer("add_one", {"inputs": [{"name": "x", "datatype": "FP32", "shape": list(x.shape),
                                                          "data": [[float(v) for v in row] for row in x]}]})
        output = reply.json()["outputs"][0]
        return np.array(output["data"], dtype=np.float32).reshape(output["shape"])

    def v2_binary(self, x, binary_in=True, binary_out=True):
        with triton_http.InferenceServerClient(self.server.url.removeprefix("http://")) as client:
            value = triton_http.InferInput("x", list(x.shape), "FP32")
            value.set_data_from_numpy(x, binary_data=binary_in)
            wanted = [triton_http.InferRequestedOutput("y", binary_data=binary_out)]
            return client.infer("add_one", [value], outputs=wanted).as_numpy("y")

    def v2_binary_in_json_out(self, x):
        return self.v2_binary(x, binary_out=False)

    def v2_json_in_binary_out(self, x):
        return self.v2_binary(x, binary_in=False)

    def v2_raw(self, x):
        reply = self.server.call("POST", "/v2/models/add_one/infer", x[:1].tobytes(),
                                 {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"})
        assert reply.status == 200, reply
        data = reply.body[int(reply.headers["inference-header-content-length"]):]
        return np.frombuffer(data, np.float32).reshape(1, 16)

    def grpc_raw(self, x):
        with triton_grpc.InferenceServerClient(self.grpc) as client:
            value = triton_grpc.InferInput("x", list(x.shape), "FP32")
            value.set_data_from_numpy(x)
            return client.infer("add_one", [value]).as_numpy("y")

    def grpc_typed(self, x):
        request = service_pb2.ModelInferRequest(model_name="add_one")
        value = request.inputs.add(name="x", datatype="FP32", shape=x.shape)
        value.contents.fp32_contents.extend(x.ravel())
        with grpc.insecure_channel(self.grpc) as channel:
            reply = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=60)
        return np.frombuffer(reply.raw_output_contents[0], np.float32).reshape(reply.outputs[0].shape)

    def grpc_stream(self, x):
        request = service_pb2.ModelInferRequest(model_name="add_one", raw_input_contents=[x.tobytes()])
        request.inputs.add(name="x", datatype="FP32", shape=x.shape)
        with grpc.insecure_channel(self.grpc) as channel:
            (reply,) = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter([request]), timeout=60)
        assert not reply.error_message
        reply = reply.infer_response
        return np.frombuffer(reply.raw_output_contents[0], np.float32).reshape(reply.outputs[0].shape)

    # Pictures; each answers rows of (name, class, confidence, x1, y1, x2, y2) in pixels.

    def form(self, path: str, fields: dict) -> list[dict]:
        body, content_type = multipart(fields, PICTURE.read_bytes())
        reply = self.server.call("POST", path, body, {"Content-Type": content_type})
        assert reply.status == 200, reply
        return reply.json()["images"][0]["results"]

    def predict_form(self, fields):
        return self.form("/models/yolo26n/predict", fields)

    def predict_body(self, fields):
        query = "&".join(f"{k}={v}" for k, v in fields.items())
        reply = self.server.call("POST", f"/models/yolo26n/predict?{query}", PICTURE.read_bytes(), {"Content-Type": "image/jpeg"})
        assert reply.status == 200, reply
        return reply.json()["images"][0]["results"]

    def predict_without_a_name(self, fields):
        return self.form("/predict", fields)

    def platform_route(self, fields):
        return self.form("/api/models/acme/tray/yolo26n/predict", fields)

    def deployment_route(self, fields):
        return self.form("/api/deployments/acme/yolo26n/predict", fields)

    def platform_sdk(self, fields):
        with Platform(base_url=self.server.url, api_key="x", max_retries=0) as client, open(PICTURE, "rb") as file:
            return client.models.predict("acme", "tray", "yolo26n", body={"file": file, **fields})["images"][0]["results"]

    def hub(self, fields):
        return self.form("/", {"iou": 0.7, **fields, "model": "https://hub.ultralytics.com/models/yolo26n"})

    def first_hub(self, fields):
        names = {"conf": "confidence", "imgsz": "size"}
        with open(PICTURE, "rb") as file:
            reply = requests.post(f"{self.server.url}/v1/predict/yolo26n", files={"image": file}, timeout=60,
                                  data={"iou": 0.7, "decimals": 10, **{names.get(k, k): v for k, v in fields.items()}})
        reply.raise_for_status()
        rows = reply.json()["data"]
        for row in rows:
            row["box"] = {k: v * (1280 if k[0] == "x" else 960) for k, v in row["box"].items()}
        return rows

    def command_line(self, fields):
        options = [word for k, v in fields.items() for word in (f"--{k}", v)]
        done = run_cli("predict", self.models / "yolo26n.onnx", PICTURE, "--json", *options)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return answer["images"][0]["results"] if "images" in answer else answer["results"]


TENSOR_WAYS = ["v2_json", "v2_json_nested", "v2_binary", "v2_binary_in_json_out", "v2_json_in_binary_out", "v2_raw",
               "grpc_raw", "grpc_typed", "grpc_stream"]
PICTURE_WAYS = ["predict_form", "predict_body", "predict_without_a_name", "platform_route", "deployment_route", "platform_sdk",
                "hub", "first_hub", "command_line"]


def test_every_way_is_asked():
    ways = {name for name, value in vars(Ways).items() if callable(value) and not name.startswith("_")}
    assert ways - {"form"} == set(TENSOR_WAYS) | set(PICTURE_WAYS)


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def ways(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    for model in ("general/add_one", "yolo/yolo26n"):
        shutil.copy(DATA / f"{model}.onnx", folder)
        (folder / f"{model.split('/')[1]}.yaml").write_text(f"engine: {request.param}\n")
    with Server(folder / "add_one.onnx", folder / "yolo26n.onnx", "--grpc-port", 0) as server:
        assert server.get("/v2/models/add_one").json()["platform"] == f"{request.param}_onnx"
        yield Ways(server, folder)


@pytest.mark.parametrize("way", TENSOR_WAYS)
@pytest.mark.parametrize("case", TENSORS)
def test_tensors(ways, way, case):
    x = TENSORS[case]
    expected = x + np.float32(1)
    answer = getattr(ways, way)(x)
    if way == "v2_raw":  # has no place for a shape: one row
        expected = expected[:1]
    assert answer.dtype == np.float32 and answer.shape == expected.shape
    np.testing.assert_array_equal(answer.view(np.uint32), expected.view(np.uint32))


@pytest.fixture(scope="module")
def expected_rows(ways):
    """The plain form's, by case."""
    return {case: ways.predict_form({**fields, "decimals": 10}) for case, fields in PREDICTS.items()}


def test_the_cases_differ(expected_rows):
    assert len({json.dumps(rows) for rows in expected_rows.values()}) == len(PREDICTS)
    assert all(expected_rows.values())


@pytest.mark.parametrize("way", PICTURE_WAYS)
@pytest.mark.parametrize("case", PREDICTS)
def test_pictures(ways, expected_rows, way, case):
    rows, expected = getattr(ways, way)(PREDICTS[case]), expected_rows[case]
    assert [(r["class"], r["name"]) for r in rows] == [(r["class"], r["name"]) for r in expected]
    for row, other in zip(rows, expected, strict=True):
        assert abs(row["confidence"] - other["confidence"]) < 1e-5
        assert all(abs(row["box"][k] - other["box"][k]) < 1e-3 for k in ("x1", "y1", "x2", "y2"))
