"""The same steps as the reference package takes them (ultralytics, with OpenCV and PyTorch), on one thread.

Run by bench/pictures.py with the Python that BASCULE_ULTRALYTICS_PYTHON names. Prints medians as JSON.
"""

import json
import statistics
import sys
import time

import cv2
import numpy as np
import torch
from ultralytics import YOLO

MODEL, PICTURE, SIZE, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def main():
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    data = np.frombuffer(open(PICTURE, "rb").read(), np.uint8)
    model = YOLO(MODEL, task="detect")
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    model.predict(image, imgsz=SIZE, verbose=False)
    predictor = model.predictor
    tensor = predictor.preprocess([image])
    predictions = predictor.inference(tensor)
    predictor.batch = (["x"], [image], [""])
    steps = {
        "decode": lambda: cv2.imdecode(data, cv2.IMREAD_COLOR),
        "letterbox": lambda: predictor.preprocess([image]),  # letterbox, colour, layout, float, normalise
        "finish": lambda: predictor.postprocess(
            [p.clone() for p in predictions] if isinstance(predictions, (list, tuple)) else predictions.clone(),
            tensor, [image]),
    }
    took = {name: [] for name in steps}
    for round_ in range(-1, ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if round_ >= 0:
                took[name].append((time.perf_counter() - start) * 1e6)
    medians = {f"{name}_us": statistics.median(values) for name, values in took.items()}
    print(json.dumps(medians | {"whole_us": sum(medians.values())}))


main()
