#!/usr/bin/env python3
"""Makes expected/eval/NAME.json: what the ultralytics package 8.4.190 (`yolo val`) says of a model and a data set.

Run with a Python that has ultralytics and onnxruntime: make_eval.py MODEL.onnx DATA.yaml-or-folder IMGSZ NAME
"""

import ast
import json
import pathlib
import shutil
import sys
import tempfile

import onnx
import yaml
from ultralytics import YOLO


def main() -> None:
    model, data, imgsz, name = sys.argv[1:5]
    metadata = {p.key: p.value for p in onnx.load(model, load_external_data=False).metadata_props}
    folder = pathlib.Path(data)
    folder = folder.with_suffix("") if folder.suffix == ".yaml" else folder
    with tempfile.TemporaryDirectory() as scratch:  # the package writes beside the labels
        copy = pathlib.Path(scratch) / folder.name
        shutil.copytree(folder, copy)
        described = {"path": str(copy), "train": "images", "val": "images", "names": ast.literal_eval(metadata["names"])}
        (copy / "data.yaml").write_text(yaml.safe_dump(described))
        got = YOLO(model, task="detect").val(
            data=str(copy / "data.yaml"), imgsz=int(imgsz), plots=False, workers=0, project=scratch
        )
    box = got.box
    classes = [
        {
            "class": int(c),
            "name": got.names[int(c)],
            "images": int(got.nt_per_image[c]),
            "instances": int(got.nt_per_class[c]),
            "precision": round(float(box.p[i]), 5),
            "recall": round(float(box.r[i]), 5),
            "map50": round(float(box.ap50[i]), 5),
            "map50_95": round(float(box.ap[i]), 5),
        }
        for i, c in enumerate(box.ap_class_index)
    ]
    expected = {
        "made_by": f"make_eval.py {pathlib.Path(model).name} {folder.name} {imgsz}",
        "imgsz": int(imgsz),
        "instances": int(got.nt_per_class.sum()),
        "precision": round(float(box.mp), 5),
        "recall": round(float(box.mr), 5),
        "map50": round(float(box.map50), 5),
        "map50_95": round(float(box.map), 5),
        "classes": classes,
    }
    out = pathlib.Path(__file__).parent / "expected" / "eval" / f"{name}.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
