"""What came before and beside the platform's predict call: deployments, and the calls of Ultralytics HUB."""

import json
import subprocess
import sys

import pytest
import requests
from answers import compare
from bascule import DATA, Server
from ultralytics_platform import APIError, Platform

PICTURE = DATA / "pictures" / "fruit_101_0003.jpg"
FIELDS = {"conf": 0.5, "iou": 0.7, "imgsz": 320}


def predict(server, model: str = "yolo26n", **fields) -> list[dict]:
    reply = server.predict(model, PICTURE.read_bytes(), **(FIELDS | fields))
    assert reply.status == 200, reply
    return reply.json()["images"][0]["results"]


@pytest.fixture(scope="module")
def client(server):
    with Platform(base_url=server.url, api_key="x", max_retries=0) as client:
        yield client


def test_a_deployment_is_the_model_of_its_name(server, client):
    with open(PICTURE, "rb") as file:
        reply = client.deployments.predict("acme", "yolo26n", body={"file": file, **FIELDS})
    assert reply["images"][0]["results"] == predict(server)
    with open(PICTURE, "rb") as file, pytest.raises(APIError) as error:
        client.deployments.predict("acme", "nothing", body={"file": file})
    assert error.value.status_code == 404


def test_health_of_a_deployment(server, client):
    health = client.deployments.health("acme", "yolo26n")
    assert health["healthy"] is True and health["status"] == 200
    assert 0 <= health["latencyMs"] < 10_000
    assert set(health) == {"healthy", "status", "latencyMs"}
    with pytest.raises(APIError) as error:
        client.deployments.health("acme", "nothing")
    assert error.value.status_code == 404 and "nothing" in error.value.json["error"]


def test_health_of_a_deployment_that_is_not_loaded():
    with Server(DATA / "general/add_one.onnx", "--model-control-mode", "explicit", "--load-model", "none") as server:
        reply = server.get("/api/deployments/acme/add_one/health")
        assert reply.status == 200, reply
        health = reply.json()
        assert health["healthy"] is False and health["status"] == 503 and health["error"].endswith(".")


def test_the_platforms_command_line(server, tmp_path):
    """`ul cloud deployments predict`, unmodified, as a program."""
    ul = f"{sys.prefix}/bin/ul"
    done = subprocess.run(
        [ul, "cloud", "deployments", "predict", "owner=acme", "deployment=yolo26n",
         "body=" + json.dumps({"file": f"@{PICTURE}", **FIELDS})],
        env={"ULTRALYTICS_API_KEY": "x", "ULTRALYTICS_PLATFORM_URL": server.url, "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["images"][0]["results"] == predict(server)


def hub(server, model: object, picture=PICTURE, **fields) -> requests.Response:
    """As HUB's page shows it, but for the address."""
    data = {"model": model, "imgsz": 320, "conf": 0.5, "iou": 0.45, **fields}
    with open(picture, "rb") as file:
        return requests.post(server.url, headers={"x-api-key": "x"}, data=data, files={"file": file}, timeout=60)


def test_hub(server):
    reply = hub(server, "https://hub.ultralytics.com/models/yolo26n")
    reply.raise_for_status()
    assert reply.json()["images"][0]["results"] == predict(server, iou=0.45)
    assert hub(server, "yolo26n").json()["images"][0]["results"] == predict(server, iou=0.45)
    unknown = hub(server, "https://hub.ultralytics.com/models/R6nMlK6kQjSsQ76MPqQM")
    assert unknown.status_code == 404 and "R6nMlK6kQjSsQ76MPqQM" in unknown.json()["error"]
    assert hub(server, "yolo26n", imgsz=5).status_code == 400
    for name in ("../yolo26n", "..%2fx", "a\0b", "x" * 5000):
        assert hub(server, name).status_code in (200, 404), name


def test_the_first_hub(server):
    """As the page of 2023 shows it."""
    url = f"{server.url}/v1/predict/yolo26n"
    data = {"size": 320, "confidence": 0.5, "iou": 0.45}
    with open(PICTURE, "rb") as file:
        reply = requests.post(url, headers={"x-api-key": "x"}, data=data, files={"image": file}, timeout=60)
    reply.raise_for_status()
    answer = reply.json()
    assert answer["success"] is True and answer["message"]
    rows = predict(server, iou=0.45)
    assert len(answer["data"]) == len(rows) > 0
    pixels = []
    for row in answer["data"]:
        assert set(row) == {"class", "name", "confidence", "xcenter", "ycenter", "width", "height", "box"}
        for low, high, centre, size, side in (("x1", "x2", "xcenter", "width", 1280), ("y1", "y2", "ycenter", "height", 960)):
            assert abs((row["box"][low] + row["box"][high]) / 2 - row[centre]) < 2e-5
            assert abs(row["box"][high] - row["box"][low] - row[size]) < 2e-5
            row["box"][low] *= side
            row["box"][high] *= side
        pixels.append(row)
    compare(pixels, rows, 0.5, "v1/predict")
    with open(PICTURE, "rb") as file:
        refused = requests.post(url, data={"confidence": 7}, files={"image": file}, timeout=60)
    assert refused.status_code == 400
    assert refused.json()["success"] is False and "confidence" in refused.json()["message"]
