"""Makes tests/data/openvino_ir/ and tests/data/frameworks/: models in the formats that OpenVINO reads.

  python3 -m venv venv && venv/bin/pip install openvino==2026.4.1 tensorflow-cpu paddlepaddle setuptools
  venv/bin/python tests/data/make_openvino.py

Every part is left out whose package is missing.
"""

import pathlib
import shutil
import sys
import tempfile

DATA = pathlib.Path(__file__).parent


def openvino_files():
    import openvino

    folder = DATA / "openvino_ir"
    folder.mkdir(exist_ok=True)
    # As openvino.convert_model leaves it: what the ONNX file said of itself is in rt_info/framework.
    detector = openvino.convert_model(DATA / "yolo" / "yolo26n.onnx")
    openvino.save_model(detector, folder / "yolo26n.xml", compress_to_fp16=False)
    # As the ultralytics package exports: a folder with metadata.yaml beside the files.
    exported = folder / "yolo26n-cls_openvino_model"
    exported.mkdir(exist_ok=True)
    classifier = openvino.convert_model(DATA / "yolo" / "yolo26n-cls.onnx")
    metadata = {key: classifier.rt_info["framework"][key].astype(str) for key in classifier.rt_info["framework"]}
    del classifier.rt_info["framework"]
    openvino.save_model(classifier, exported / "yolo26n-cls.xml")
    import ast

    import yaml

    plain = {}
    for key, value in metadata.items():
        try:
            plain[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            plain[key] = value
    (exported / "metadata.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    (folder / "alone.xml").write_text("<?xml version=\"1.0\"?>\n<note>An .xml without a .bin is no model.</note>\n")


def tensorflow_files():
    import tensorflow as tf

    class AddOne(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 16], tf.float32, name="x")])
        def __call__(self, x):
            return {"y": x + 1.0}

    module = AddOne()
    folder = DATA / "frameworks"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        tf.saved_model.save(module, work, signatures=module.__call__.get_concrete_function())
        target = folder / "add_one_tensorflow"
        target.mkdir(exist_ok=True)
        shutil.copy(pathlib.Path(work) / "saved_model.pb", target)
        converter = tf.lite.TFLiteConverter.from_saved_model(work)
        (folder / "add_one_lite.tflite").write_bytes(converter.convert())


def paddle_files():
    import paddle

    class AddOne(paddle.nn.Layer):
        def forward(self, x):
            return x + 1.0

    folder = DATA / "frameworks"
    folder.mkdir(exist_ok=True)
    # As Paddle 2 does; of what Paddle 3 writes by itself (.json) OpenVINO 2026.4 reads nothing.
    paddle.set_flags({"FLAGS_enable_pir_api": False})
    paddle.jit.save(AddOne(), str(folder / "add_one_paddle"),
                    input_spec=[paddle.static.InputSpec([None, 16], "float32", "x")])


for make in (openvino_files, tensorflow_files, paddle_files):
    try:
        make()
    except ImportError as why:
        print(f"{make.__name__}: left out, {why}", file=sys.stderr)
