"""Makes colour.onnx: which of four colours is nearest to a picture's mean. Needs the onnx package."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COLOURS = {"red": (0.66, 0.4, 0.2), "yellow": (0.82, 0.7, 0.16), "orange": (0.75, 0.46, 0.1), "green": (0.57, 0.57, 0.19)}
SHARPNESS = 200.0

colours = np.array(list(COLOURS.values()), np.float32)
# The nearest has the greatest 2 m·c - c·c.
weights = (2 * SHARPNESS * colours.T).astype(np.float32)
biases = (-SHARPNESS * (colours**2).sum(axis=1)).astype(np.float32)
graph = helper.make_graph(
    [
        helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("Gemm", ["colour", "weights", "biases"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["output0"], axis=1),
    ],
    "colour",
    [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 64])],
    [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", len(COLOURS)])],
    [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(biases, "biases")],
)
model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)], producer_name="make_colour.py")
for key, value in {"task": "classify", "imgsz": "[64, 64]", "names": str(dict(enumerate(COLOURS)))}.items():
    model.metadata_props.add(key=key, value=value)
onnx.save(model, pathlib.Path(__file__).parent / "colour.onnx")
