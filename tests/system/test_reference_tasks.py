"""The reference package's answers for every task beyond plain boxes, through HTTP and through `bascule predict`."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import json
import pathlib

import cv2
import numpy as np
import pytest
from answers import compare
from bascule import DATA, SHARED, Server, run_cli
from PIL import Image

CORNER_PX = 0.5
KEYPOINT_PX = 0.5
PROBABILITY = 0.002
# Of 10,000 pixels a mask has 0.976 where the processor has no AVX-512, in the reference package as well.
MASK_IOU = 0.98 if "avx512f" in open("/proc/cpuinfo").read() else 0.97
SAME_CLASS = 0.995
DEPTH_PART = 0.01

HERE = (DATA / "yolo", DATA / "expected/yolo", DATA / "pictures")
BESIDE = (SHARED / "models/yolo", SHARED / "expected/yolo", SHARED / "data/photos")
CASES = [
    *[(name, HERE) for name in ("yolo26n-obb", "yolo26n-pose-end2end", "yolo26n-seg-end2end", "yolo26n-cls", "yolo26n-sem")],
    *[(name, BESIDE) for name in ("yolo26n-obb", "yolo26n-obb-end2end", "yolo26n-pose", "yolo26n-pose-end2end",
                                  "yolo26n-seg", "yolo26n-seg-end2end", "yolo26n-cls", "yolo26n-sem", "yolo26n-depth")],
]
ids = [f"{name}-{'photos' if where is BESIDE else 'own'}" for name, where in CASES]


def pixels(encoded: dict) -> np.ndarray:
    """The map in a reply: rows from above."""
    assert encoded["encoding"] == "png"
    values = np.array(Image.open(io.BytesIO(base64.b64decode(encoded["data"], validate=True))))
    assert list(values.shape) == encoded["shape"]
    return values


def filled(segments: dict, shape: list[int]) -> np.ndarray:
    canvas = np.zeros(shape, np.uint8)
    points = np.stack([segments["x"], segments["y"]], axis=1).round().astype(np.int32)
    return cv2.fillPoly(canvas, [points], 1).astype(bool)


def mask_iou(got: dict, expected: dict, shape: list[int]) -> float:
    """Of the filled outlines; the same points are the same mask, however few pixels it has."""
    if len(got["x"]) == len(expected["x"]) and most_apart(got, expected, ("x", "y")) < 0.01:
        return 1.0
    one, two = filled(got, shape), filled(expected, shape)
    return float((one & two).sum() / max((one | two).sum(), 1))


def most_apart(got: dict, expected: dict, keys) -> float:
    assert set(got) == set(expected)
    return max(float(np.abs(np.subtract(got[key], expected[key])).max()) for key in keys)


def check_rows(answer: dict, image: dict, where: str) -> tuple[int, float]:
    """Pairs rows by class, confidence and box; then looks at what they say beyond it. How many, and the worst distance."""
    got, expected = answer["results"], image["results"]
    corner = ["x1", "y1", "x2", "y2"]
    simple = [[row | {"box": {key: row["box"][key] for key in corner}} for row in rows] for rows in (got, expected)]
    worst = compare(*simple, image["conf"], where).box
    left = list(got)

    def apart_by_all(mine: dict, row: dict) -> float:
        """Boxes that end at the picture's edge may be the same; what is within them is not."""
        far = most_apart(mine["box"], row["box"], corner) + abs(mine["confidence"] - row["confidence"])
        if "segments" in row and far < 1:
            far += 1 - mask_iou(mine["segments"], row["segments"], image["shape"])
        if "keypoints" in row and far < 1:
            far += most_apart(mine["keypoints"], row["keypoints"], ("x", "y"))
        return far

    for row in expected:
        mine = min((g for g in left if g["class"] == row["class"]), key=lambda g: apart_by_all(g, row))
        left.remove(mine)
        assert set(mine) == set(row), where
        apart = most_apart(mine["box"], row["box"], row["box"])
        assert apart <= (CORNER_PX if "x3" in row["box"] else 0.2), (where, mine, row)
        worst = max(worst, apart)
        if "keypoints" in row:
            apart = most_apart(mine["keypoints"], row["keypoints"], ("x", "y"))
            assert apart <= KEYPOINT_PX, (where, mine, row)
            assert most_apart(mine["keypoints"], row["keypoints"], ("visible",)) <= PROBABILITY, (where, mine, row)
            worst = max(worst, apart)
        if "segments" in row:
            same = mask_iou(mine["segments"], row["segments"], image["shape"])
            assert same >= MASK_IOU, (where, same, row["name"])
            worst = max(worst, 1 - same)
    return len(expected), worst


def check_classes(answer: dict, image: dict, where: str) -> tuple[int, float]:
    probabilities = np.array(image["probs"])
    best = np.argsort(-probabilities, kind="stable")[:5]
    assert [row["class"] for row in answer["results"]] == best.tolist(), where
    assert all(set(row) == {"name", "class", "confidence"} for row in answer["results"])
    apart = max(abs(row["confidence"] - probabilities[row["class"]]) for row in answer["results"])
    assert apart <= PROBABILITY, where
    return len(best), apart


def check_map(answer: dict, image: dict, golden: np.lib.npyio.NpzFile, where: str) -> tuple[int, float]:
    if "classes" in image:
        mine = pixels(answer["semantic_mask"])
        other = float((mine != golden["mask"]).mean())
        assert other <= 1 - SAME_CLASS, where
        total = mine.size
        shares = {row["class"]: row["pixel_ratio"] for row in answer["results"]}
        for class_id, count in image["classes"].items():
            assert shares[int(class_id)] == pytest.approx(count / total, abs=1 - SAME_CLASS), where
        return total, other
    depth, bits = answer["depth"], answer["depth"]["bits"]
    assert answer["results"] == []
    span = image["max"] - image["min"]
    mine = depth["min"] + pixels(depth) / (2**bits - 1) * (depth["max"] - depth["min"])
    apart = float(np.abs(mine - golden["depth"]).max() / span)
    assert apart <= DEPTH_PART, where
    return mine.size, apart


def check(answer: dict, image: dict, expected: pathlib.Path, model: str, picture: str) -> tuple[int, float]:
    where = f"{model} on {picture}"
    assert answer["shape"] == image["shape"]
    if "results" in image:
        return check_rows(answer, image, where)
    if "probs" in image:
        return check_classes(answer, image, where)
    with np.load(expected / f"{model}--{pathlib.Path(picture).stem}.npz") as golden:
        return check_map(answer, image, golden, where)


@pytest.mark.parametrize("model,where", CASES, ids=ids)
def test_every_task_equals_the_reference(figure, model, where):
    models, expected, pictures = where
    if not models.exists():
        pytest.skip(f"needs {SHARED.name}/, which a clone does not carry")
    golden = json.loads((expected / f"{model}.json").read_text())
    count, worst = 0, 0.0
    with Server(models / f"{model}.onnx") as server:
        for name, image in golden["images"].items():
            reply = server.predict(model, (pictures / name).read_bytes(), conf=image["conf"], decimals=5, bits=16,
                                   **golden["args"])
            assert reply.status == 200, reply
            (answer,) = reply.json()["images"]
            some, apart = check(answer, image, expected, model, name)
            count, worst = count + some, max(worst, apart)
    assert count > 0
    figure(f"reference, HTTP, {model}: {count} compared, worst {worst:.5f}")
    some = list(golden["images"])
    done = run_cli("predict", models / f"{model}.onnx", *(pictures / name for name in some), "--json", "--imgsz",
                   golden["args"]["imgsz"], "--conf", golden["images"][some[0]]["conf"], "--iou", golden["args"]["iou"])
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["images"][0]
    check(first, golden["images"][some[0]], expected, model, some[0])


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_depth_map_is_told_as_finely_as_asked(shared, bits):
    with Server(shared / "models/yolo/yolo26n-depth.onnx") as server:
        reply = server.predict("yolo26n-depth", (shared / "data/photos/zidane.jpg").read_bytes(), imgsz=320, bits=bits)
        (answer,) = reply.json()["images"]
        values = pixels(answer["depth"])
        assert answer["depth"]["bits"] == bits
        assert values.min() == 0 and values.max() == 2**bits - 1


@pytest.mark.parametrize("model", ["yolo26n-obb", "yolo26n-pose-end2end", "yolo26n-seg-end2end", "yolo26n-cls", "yolo26n-sem"])
def test_predict_draws_and_tells_every_task(tmp_path, model):
    picture = DATA / "pictures/fruit_101_0003.jpg"
    done = run_cli("predict", DATA / f"yolo/{model}.onnx", picture, "--imgsz", 320, "--save", tmp_path)
    assert done.returncode == 0, done.stderr
    assert picture.name in done.stdout
    drawn = np.asarray(Image.open(tmp_path / picture.name), np.int16)
    original = np.asarray(Image.open(picture), np.int16)
    assert drawn.shape == original.shape
    changed = (np.abs(drawn - original).max(axis=2) > 40).mean()
    assert 0.0005 < changed, "nothing is drawn"


def test_a_shared_run_of_masks_answers_as_one_alone(tmp_path):
    """The prototypes of a picture are those of its own row of the run."""
    pictures = [(DATA / "pictures" / name).read_bytes() for name in ("fruit_101_0000.jpg", "fruit_101_0003.jpg")]
    model = "yolo26n-seg-end2end"
    with Server(DATA / f"yolo/{model}.onnx", "--max-batch-size", 4, "--max-queue-delay-microseconds", 200_000,
                "--instances", 1) as server:

        def ask(picture: bytes) -> list[dict]:
            return server.predict(model, picture, imgsz=320).json()["images"][0]["results"]

        alone = [ask(picture) for picture in pictures]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            together = list(pool.map(ask, pictures * 2))
        assert together == alone * 2
        (counts,) = server.get(f"/v2/models/{model}/stats").json()["model_stats"]
        assert counts["execution_count"] < counts["inference_count"], "no run was shared"
