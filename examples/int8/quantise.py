"""Makes an 8-bit ONNX file out of a detector, with ranges measured on your own pictures.

  pip install nncf==3.4.0 onnx onnxruntime opencv-python-headless
  python quantise.py yolo26n.onnx pictures/ yolo26n-int8.onnx [--size 640]

The result holds 8-bit weights with the numbers to read them (QDQ); both engines of Bascule run it. What it costs in
accuracy `bascule eval` says, and whether it is faster here `bascule tune`.
"""

import argparse
import pathlib

import cv2
import nncf
import numpy as np
import onnx


def letterboxed(file, size):
    """As the server does: the picture in the middle of a square, RGB, 0 to 1."""
    picture = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
    scale = min(size / picture.shape[0], size / picture.shape[1])
    inner = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    whole = np.full((size, size, 3), 114, np.uint8)
    whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return whole.transpose(2, 0, 1)[None].astype(np.float32) / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=640, help="of the model's input (640)")
    options = parser.parse_args()

    model = onnx.load(options.model)
    name = model.graph.input[0].name
    pictures = sorted(p for p in options.pictures.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))[:300]
    if not pictures:
        parser.error(f"'{options.pictures}' holds no pictures")
    data = nncf.Dataset(pictures, lambda file: {name: letterboxed(file, options.size)})
    # The head's arithmetic on coordinates does not bear 8 bits: what follows the last convolutions stays in floats.
    heads = sorted({node.name.split("/")[1] for node in model.graph.node if node.name.count("/") > 1},
                   key=lambda part: int("".join(filter(str.isdigit, part)) or 0))
    ignored = nncf.IgnoredScope(patterns=[f"/{heads[-1]}/(?!cv|one2one_cv).*"], validate=False) if heads else None
    small = nncf.quantize(model, data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(pictures),
                          ignored_scope=ignored)
    for entry in model.metadata_props:  # names, task, stride: what the server reads
        if entry.key not in {known.key for known in small.metadata_props}:
            small.metadata_props.add(key=entry.key, value=entry.value)
    onnx.save(small, options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.1f} MB, before {options.model.stat().st_size / 1e6:.1f}")


if __name__ == "__main__":
    main()
