"""What both reference servers do with a picture: the package's own `predict`, with all its defaults at 640."""

import os

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

import onnxruntime


def load(model: str, threads: int):
    """A function from a picture (a path, or pixels) to its boxes, and the package's model."""
    made = onnxruntime.InferenceSession

    class Session(made):
        """The package has no setting for the engine's threads: as many as the cores it is pinned to."""

        def __init__(self, path, sess_options=None, **rest):
            sess_options = sess_options or onnxruntime.SessionOptions()
            sess_options.intra_op_num_threads = threads
            super().__init__(path, sess_options, **rest)

    onnxruntime.InferenceSession = Session
    import cv2
    import torch
    from ultralytics import YOLO

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    yolo = YOLO(model, task="detect")

    def predict(picture) -> list[dict]:
        found = yolo.predict(picture, imgsz=640, verbose=False)[0].boxes
        return [{"class": int(kind), "confidence": score, "box": box}
                for kind, score, box in zip(found.cls.tolist(), found.conf.tolist(), found.xyxy.tolist())]

    return predict, yolo
