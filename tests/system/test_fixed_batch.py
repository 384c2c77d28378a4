"""Models whose file has a fixed batch: fewer rows are padded, requests share runs, and no one sees it."""

from __future__ import annotations

import concurrent.futures
import json
import math

import pytest
from bascule import DATA, Server

ENGINE = DATA / "engine"
PICTURES = sorted((DATA / "pictures").glob("*.jpg"))[:8]


@pytest.fixture(scope="module")
def fixed():
    models = [ENGINE / f"{name}.onnx" for name in ("detector_batch4", "detector_open", "place_matters")]
    with Server(*models, DATA / "general" / "static_batch4.onnx") as running:
        yield running


def tensor(rows: int, width: int) -> dict:
    data = [(i * 37 % 101) / 101 for i in range(rows * width)]
    return {"inputs": [{"name": "x", "shape": [rows, width], "datatype": "FP32", "data": data}]}


def test_fewer_rows_are_answered(fixed):
    for rows in (1, 2, 3, 4):
        request = tensor(rows, 8)
        reply = fixed.infer("static_batch4", request)
        assert reply.status == 200, reply
        (output,) = reply.json()["outputs"]
        assert output["shape"] == [rows, 1]
        values = request["inputs"][0]["data"]
        for row in range(rows):
            assert math.isclose(output["data"][row], sum(values[8 * row : 8 * row + 8]), rel_tol=1e-5)


def test_more_rows_are_refused_with_both_numbers(fixed):
    reply = fixed.infer("static_batch4", tensor(5, 8))
    assert reply.status == 400
    assert "[5,8]" in reply.json()["error"] and "[4,8]" in reply.json()["error"]


def test_the_metadata_is_the_files(fixed):
    assert fixed.get("/v2/models/static_batch4").json()["inputs"][0]["shape"] == [4, 8]


def test_rows_that_are_not_alike_stay_as_many_as_the_file_says(fixed):
    assert fixed.infer("place_matters", tensor(4, 2)).status == 200
    reply = fixed.infer("place_matters", tensor(3, 2))
    assert reply.status == 400
    assert "[4,2]" in reply.json()["error"]


def test_pictures_get_the_answers_of_an_open_batch(fixed):
    assert len(PICTURES) >= 4
    found = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(3):  # alone and together
            replies = list(pool.map(lambda path: fixed.predict("detector_batch4", path.read_bytes()), PICTURES))
            for path, reply in zip(PICTURES, replies):
                expected = fixed.predict("detector_open", path.read_bytes())
                assert reply.status == expected.status == 200, (path.name, reply, expected)
                assert boxes(reply) == boxes(expected), path.name
                found += len(boxes(reply))
    assert found > 0


def test_samples_of_fewer_rows_warm_it_up(tmp_path):
    (tmp_path / "model.onnx").write_bytes((ENGINE / "detector_batch4.onnx").read_bytes())
    (tmp_path / "sample.jpg").write_bytes(PICTURES[0].read_bytes())
    request = {"inputs": [{"name": "images", "shape": [1, 3, 64, 64], "datatype": "FP32", "data": [0.5] * 12288}]}
    (tmp_path / "sample.json").write_text(json.dumps(request))
    config = tmp_path / "bascule.yaml"
    config.write_text("models:\n  - path: model.onnx\n    warm_up: [sample.jpg, sample.json]\n")
    with Server("--config", config) as running:
        assert running.predict("model", PICTURES[0].read_bytes()).status == 200


def boxes(reply) -> list:
    (image,) = reply.json()["images"]
    return [
        (row["name"], round(row["confidence"], 3), *(round(v, 1) for v in row["box"].values())) for row in image["results"]
    ]


def test_rows_are_what_is_counted(fixed):
    before = fixed.metrics().get('nv_inference_count{model="static_batch4",version="1"}', 0)
    assert fixed.infer("static_batch4", tensor(3, 8)).status == 200
    assert fixed.metrics()['nv_inference_count{model="static_batch4",version="1"}'] == before + 3
