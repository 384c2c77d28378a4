"""The reference package's answers, through HTTP and through `bascule predict`."""

import json

import pytest
from answers import Deviation, compare
from bascule import DATA, SHARED, Server, run_cli

DETECTORS = ["yolo26n", "yolo26n-end2end", "yolo26n-nms", "yolov8n"]


def cases(expected_file, pictures):
    """(picture path, threshold, args, rows) of one golden file."""
    golden = json.loads(expected_file.read_text())
    for name, image in golden["images"].items():
        yield pictures / name, image["conf"], golden["args"], image


def check_http(server, model, expected_file, pictures) -> Deviation:
    worst = Deviation()
    for picture, conf, args, image in cases(expected_file, pictures):
        reply = server.predict(model, picture.read_bytes(), conf=conf, decimals=5, **args)
        assert reply.status == 200, reply
        (answer,) = reply.json()["images"]
        assert answer["shape"] == image["shape"]
        worst.add(compare(answer["results"], image["results"], conf, f"{model} on {picture.name}"))
    return worst


def check_cli(model_file, expected_file, pictures) -> Deviation:
    worst = Deviation()
    for picture, conf, args, image in cases(expected_file, pictures):
        done = run_cli(
            "predict", model_file, picture, "--json", "--conf", conf, "--iou", args["iou"], "--imgsz", args["imgsz"]
        )
        assert done.returncode == 0, done.stderr
        (answer,) = json.loads(done.stdout)["images"]
        assert answer["shape"] == image["shape"]
        worst.add(compare(answer["results"], image["results"], conf, f"{model_file.stem} on {picture.name}"))
    return worst


@pytest.mark.parametrize("model", DETECTORS)
def test_http_equals_the_reference(server, figure, model):
    worst = check_http(server, model, DATA / "expected/yolo" / f"{model}.json", DATA / "pictures")
    assert worst.rows > 0
    figure(f"reference, HTTP, {model}: {worst}")


@pytest.mark.parametrize("model", DETECTORS)
def test_cli_equals_the_reference(figure, model):
    worst = check_cli(DATA / "yolo" / f"{model}.onnx", DATA / "expected/yolo" / f"{model}.json", DATA / "pictures")
    assert worst.rows > 0
    figure(f"reference, predict, {model}: {worst}")


SHARED_SETS = [
    *[(f"models/yolo/{m}.onnx", f"expected/yolo/{m}.json", "data/photos") for m in [*DETECTORS, "yolo11n"]],
    ("models/trained/fruit.onnx", "expected/trained/fruit--trays.json", "data/trays/images"),
    ("models/trained/fruit.onnx", "expected/trained/fruit--photos.json", "data/fruit/images"),
    ("models/trained/fruit-end2end.onnx", "expected/trained/fruit-end2end--trays.json", "data/trays/images"),
    ("models/trained/steel.onnx", "expected/trained/steel--steel.json", "data/steel/images"),
]


@pytest.mark.parametrize("model,expected,pictures", SHARED_SETS, ids=[s[1].split("/", 1)[1] for s in SHARED_SETS])
def test_http_equals_the_reference_on_more(shared, figure, model, expected, pictures):
    with Server(shared / model) as server:
        stem = (SHARED / model).stem
        worst = check_http(server, stem, shared / expected, shared / pictures)
    assert worst.rows > 0
    figure(f"reference, HTTP, {expected}: {worst}")


@pytest.mark.parametrize("model", [*DETECTORS, "yolo11n"])
def test_cli_equals_the_reference_on_more(shared, figure, model):
    worst = check_cli(
        shared / f"models/yolo/{model}.onnx", shared / f"expected/yolo/{model}.json", shared / "data/photos"
    )
    assert worst.rows > 0
    figure(f"reference, predict, {model} on photos: {worst}")
