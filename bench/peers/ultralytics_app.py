"""The reference package behind FastAPI, as its users put it there: the bytes of a picture in, boxes out."""

import os

import cv2
import numpy as np
from fastapi import FastAPI, Request
from ultralytics_boxes import load

app = FastAPI()
predict, _ = load(os.environ["BENCH_MODEL"], int(os.environ["BENCH_THREADS"]))


@app.get("/health")
def health() -> str:
    return "ok"


@app.post("/detect")
async def detect(request: Request) -> list[dict]:
    return predict(cv2.imdecode(np.frombuffer(await request.body(), np.uint8), cv2.IMREAD_COLOR))
