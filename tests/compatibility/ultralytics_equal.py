"""Run in an environment with the ultralytics package: each detector answers through the server as it does from its file.

    python ultralytics_equal.py http://127.0.0.1:PORT | grpc://127.0.0.1:PORT
"""
import pathlib
import sys

import numpy as np
from ultralytics import YOLO

ROOT = pathlib.Path(__file__).parents[2]
MODELS = {"fruit": "examples/checkout/fruit.onnx", "steel": "examples/factory/steel.onnx",
          "yolo26n": "tests/data/yolo/yolo26n.onnx"}
PICTURES = sorted((ROOT / "tests/data/pictures").glob("*.jpg"))[:6]


def rows(model: YOLO, picture: pathlib.Path) -> np.ndarray:
    (result,) = model(picture, verbose=False, conf=0.25)
    return result.boxes.data.cpu().numpy()


compared, worst = 0, 0.0
for name, file in MODELS.items():
    remote, local = YOLO(f"{sys.argv[1]}/{name}", task="detect"), YOLO(ROOT / file, task="detect")
    for picture in PICTURES:
        got, expected = rows(remote, picture), rows(local, picture)
        assert got.shape == expected.shape, f"{name}, {picture.name}: {len(got)} rows, a local run has {len(expected)}"
        if len(got):
            worst = max(worst, float(np.abs(got - expected).max()))
            assert np.allclose(got, expected, rtol=0, atol=0.01), f"{name}, {picture.name}: {worst}"
        compared += len(got)
    assert remote.predictor.model.names == local.predictor.model.names, f"{name}: other class names"
assert compared > 20, f"only {compared} rows were compared"
print(f"{compared} rows of {len(MODELS)} models equal; the largest difference is {worst:.2g}")
