"""An unmodified ultralytics_platform client (PyPI) gets its reply, and nothing its schema does not know."""

import pytest
from bascule import DATA, multipart
from ultralytics_platform import APIError, Platform

PICTURE = DATA / "pictures" / "fruit_101_0003.jpg"


@pytest.fixture(scope="module")
def client(server):
    with Platform(base_url=server.url, api_key="x", max_retries=0) as client:
        yield client


def check_schema(reply):
    """Keys exactly: the schema says additionalProperties false."""
    assert set(reply) == {"images", "metadata"}
    for image in reply["images"]:
        assert set(image) == {"shape", "speed", "results"}
        assert [type(v) for v in image["shape"]] == [int, int]
        assert set(image["speed"]) == {"preprocess", "inference", "postprocess"}
        assert all(isinstance(v, (int, float)) and v >= 0 for v in image["speed"].values())
        for row in image["results"]:
            assert set(row) == {"class", "name", "confidence", "box"}
            assert isinstance(row["class"], int) and isinstance(row["name"], str)
            assert 0 <= row["confidence"] <= 1
            assert set(row["box"]) == {"x1", "y1", "x2", "y2"}
    metadata = reply["metadata"]
    required = {"imageCount", "functionTimeCall", "functionTimeAlive", "version"}
    assert required <= set(metadata) <= required | {"model", "task"}
    assert metadata["imageCount"] == len(reply["images"])
    assert metadata["functionTimeAlive"] >= metadata["functionTimeCall"] >= 0
    assert metadata["version"] and all(isinstance(v, str) for v in metadata["version"].values())


def test_predict(client):
    with open(PICTURE, "rb") as file:
        reply = client.models.predict("acme", "fruit-tray", "yolo26n", body={"file": file, "conf": 0.5, "imgsz": 320})
    check_schema(reply)
    (image,) = reply["images"]
    assert image["shape"] == [960, 1280]
    assert image["results"]
    assert reply["metadata"]["task"] == "detect"


def test_fields_change_the_answer(client):
    def ask(**fields):
        with open(PICTURE, "rb") as file:
            reply = client.models.predict("acme", "fruit-tray", "yolo26n", body={"file": file, "imgsz": 320, **fields})
        check_schema(reply)
        return reply["images"][0]["results"]

    everything = ask(conf=0.05)
    few = ask(conf=0.9)
    assert len(few) < len(everything) and all(r["confidence"] > 0.9 for r in few)
    parts = ask(conf=0.9, normalize=True, decimals=3)
    assert len(parts) == len(few)
    for part, pixels in zip(parts, few, strict=True):
        assert abs(part["box"]["x1"] * 1280 - pixels["box"]["x1"]) < 1
        assert part["box"]["x1"] == round(part["box"]["x1"], 3)
    assert len(ask(conf=0.05, iou=0.0)) <= len(everything)


def test_errors_are_the_clients(client):
    with open(PICTURE, "rb") as file, pytest.raises(APIError) as error:
        client.models.predict("acme", "fruit-tray", "no-such-model", body={"file": file})
    assert error.value.status_code == 404 and "no-such-model" in error.value.json["error"]
    with pytest.raises(APIError) as error:
        client.models.predict("acme", "fruit-tray", "yolo26n", body={"source": "http://example.com/a.jpg"})
    assert error.value.status_code == 400 and "--allow-url" in error.value.json["error"]
    with open(PICTURE, "rb") as file, pytest.raises(APIError) as error:
        client.models.predict("acme", "fruit-tray", "yolo26n", body={"file": file, "conf": 2})
    assert error.value.status_code == 400 and "2" in error.value.json["error"]


def test_the_three_routes_answer_alike(server):
    body, content_type = multipart({"conf": 0.5, "imgsz": 320}, PICTURE.read_bytes())
    rows = []
    for path in ("/models/yolo26n/predict", "/api/models/acme/fruit-tray/yolo26n/predict"):
        reply = server.call("POST", path, body, {"Content-Type": content_type})
        assert reply.status == 200, reply
        check_schema(reply.json())
        rows.append(reply.json()["images"][0]["results"])
    raw = server.call(
        "POST", "/models/yolo26n/predict?conf=0.5&imgsz=320", PICTURE.read_bytes(), {"Content-Type": "image/jpeg"}
    )
    assert raw.status == 200, raw
    rows.append(raw.json()["images"][0]["results"])
    assert rows[0] == rows[1] == rows[2] and rows[0]


def test_without_a_model_the_names_are_told(server):
    """Several models fit and there is no default."""
    body, content_type = multipart({}, PICTURE.read_bytes())
    reply = server.call("POST", "/predict", body, {"Content-Type": content_type})
    assert reply.status == 400
    assert "yolo26n" in reply.json()["error"] and "yolov8n" in reply.json()["error"]
