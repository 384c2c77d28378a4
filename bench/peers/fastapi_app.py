"""ONNX Runtime behind FastAPI as a good Python user writes it: 16 floats in and out, and boxes from a JPEG."""

import os

import cv2
import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from pydantic import BaseModel

THREADS = int(os.environ["BENCH_THREADS"])
SIZE, CONFIDENCE, OVERLAP = 640, 0.25, 0.7
cv2.setNumThreads(THREADS)
app = FastAPI()


def session(path: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


detector, tiny = session(os.environ["BENCH_MODEL"]), session(os.environ["BENCH_TINY"])
picture_name = detector.get_inputs()[0].name


class Rows(BaseModel):
    data: list[list[float]]


@app.get("/health")
def health() -> str:
    return "ok"


@app.post("/tiny")
async def run_tiny(rows: Rows) -> dict:
    return {"y": tiny.run(None, {"x": np.array(rows.data, np.float32)})[0].tolist()}


def letterbox(image: np.ndarray) -> tuple[np.ndarray, float, int, int]:
    height, width = image.shape[:2]
    scale = min(SIZE / height, SIZE / width)
    inner = round(width * scale), round(height * scale)
    left, top = (round((SIZE - side) / 2 - 0.1) for side in inner)
    image = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    image = cv2.copyMakeBorder(image, top, SIZE - inner[1] - top, left, SIZE - inner[0] - left, cv2.BORDER_CONSTANT,
                               value=(114, 114, 114))
    return image, scale, left, top


@app.post("/detect")
async def detect(request: Request) -> list[dict]:
    image = cv2.imdecode(np.frombuffer(await request.body(), np.uint8), cv2.IMREAD_COLOR)
    inner, scale, left, top = letterbox(image)
    tensor = np.ascontiguousarray(inner[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) / 255
    found = detector.run(None, {picture_name: tensor})[0][0].T  # a box a row: middle, size, confidence of each class
    kinds = found[:, 4:].argmax(1)
    scores = found[np.arange(len(found)), 4 + kinds]
    sure = scores > CONFIDENCE
    boxes, kinds, scores = found[sure, :4].copy(), kinds[sure], scores[sure]
    if not len(boxes):
        return []
    boxes[:, :2] -= boxes[:, 2:] / 2
    kept = cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), kinds.tolist(), CONFIDENCE, OVERLAP)
    boxes[:, 2:] += boxes[:, :2]
    boxes = (boxes - [left, top, left, top]) / scale
    return [{"class": int(kinds[i]), "confidence": float(scores[i]), "box": boxes[i].tolist()} for i in np.array(kept).ravel()]
