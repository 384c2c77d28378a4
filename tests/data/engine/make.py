"""Makes the small ONNX files of this folder and of ../hostile. Run: python3 tests/data/engine/make.py

Needs the Python package onnx. The files are committed; this says how they came to be.
"""
import pathlib

import onnx
from onnx import TensorProto as T
from onnx import helper

HERE = pathlib.Path(__file__).parent
HOSTILE = HERE.parent / "hostile"


def info(name, shape, dtype=T.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def save(path, nodes, inputs, outputs, initializers=(), opsets=(("", 18),), metadata=None):
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, list(initializers))
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid(*o) for o in opsets])
    helper.set_model_props(model, metadata or {})
    path.write_bytes(model.SerializeToString())


def external(location, length=16):
    tensor = T(name="w", data_type=T.FLOAT, dims=[4], data_location=T.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def add_weights(path, location):
    """y = x + w, with w in another file."""
    save(path, [helper.make_node("Add", ["x", "w"], ["y"])], [info("x", ["n", 4])], [info("y", ["n", 4])],
         [external(location)])


def constant_weights(path, location):
    """The same, with w in a node's attribute."""
    node = helper.make_node("Constant", [], ["w"])
    attribute = node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
    attribute.t.CopyFrom(external(location))
    save(path, [node, helper.make_node("Add", ["x", "w"], ["y"])], [info("x", ["n", 4])], [info("y", ["n", 4])])


def classifier(path):
    """What Triton's example repository calls densenet_onnx, with 1000 classes that differ by colour alone."""
    mix = [((k * (c + 3) * 37) % 101 - 50) / 10 for c in range(3) for k in range(1000)]
    nodes = [helper.make_node("GlobalAveragePool", ["data_0"], ["mean"]),
             helper.make_node("Flatten", ["mean"], ["colour"]),
             helper.make_node("MatMul", ["colour", "mix"], ["rows"]),
             helper.make_node("Reshape", ["rows", "shape"], ["fc6_1"])]
    save(path, nodes, [info("data_0", [1, 3, 224, 224])], [info("fc6_1", [1, 1000, 1, 1])],
         [helper.make_tensor("mix", T.FLOAT, [3, 1000], mix), helper.make_tensor("shape", T.INT64, [4], [1, 1000, 1, 1])])


def detector(path, batch):
    """A detector of brightness: 64 x 64 pictures, three classes, anchors at strides 8, 16 and 32.

    Each anchor's box lies around its cell and is as wide as the cell is bright; its classes are its colours.
    """
    nodes, weights, parts = [], [], []
    for stride in (8, 16, 32):
        cells = 64 // stride
        centers = [(i + 0.5) * stride for i in range(cells)]
        grid = [x for _ in centers for x in centers] + [y for y in centers for _ in centers]
        name = f"s{stride}"
        mix = [[0, 0, 0], [0, 0, 0], [stride, stride, stride], [stride, stride, stride], [9, 0, 0], [0, 9, 0], [0, 0, 9]]
        weights += [
            helper.make_tensor(f"{name}_mix", T.FLOAT, [7, 3, 1, 1], [float(v) for row in mix for v in row]),
            helper.make_tensor(f"{name}_bias", T.FLOAT, [7], [0, 0, 4, 4, -4, -4, -4]),
            helper.make_tensor(f"{name}_grid", T.FLOAT, [1, 2, cells * cells], grid),
            helper.make_tensor(f"{name}_flat", T.INT64, [3], [0, 7, cells * cells]),
        ]
        nodes += [
            helper.make_node("AveragePool", ["images"], [f"{name}_mean"], kernel_shape=[stride] * 2, strides=[stride] * 2),
            helper.make_node("Conv", [f"{name}_mean", f"{name}_mix", f"{name}_bias"], [f"{name}_all"]),
            helper.make_node("Reshape", [f"{name}_all", f"{name}_flat"], [f"{name}_rows"]),
            helper.make_node("Split", [f"{name}_rows", "sizes"], [f"{name}_zero", f"{name}_wh", f"{name}_logits"], axis=1),
            helper.make_node("Add", [f"{name}_zero", f"{name}_grid"], [f"{name}_xy"]),
            helper.make_node("Sigmoid", [f"{name}_logits"], [f"{name}_classes"]),
            helper.make_node("Concat", [f"{name}_xy", f"{name}_wh", f"{name}_classes"], [name], axis=1),
        ]
        parts.append(name)
    nodes.append(helper.make_node("Concat", parts, ["output0"], axis=2))
    weights.append(helper.make_tensor("sizes", T.INT64, [3], [2, 2, 3]))
    metadata = {"task": "detect", "stride": "32", "imgsz": "[64, 64]", "names": "{0: 'red', 1: 'green', 2: 'blue'}"}
    save(path, nodes, [info("images", [batch, 3, 64, 64])], [info("output0", [batch, 7, 84])], weights,
         metadata=metadata)


def main():
    # The same detector with a batch that is fixed, as exports without dynamic axes have it, and with an open one.
    detector(HERE / "detector_batch4.onnx", 4)
    detector(HERE / "detector_open.onnx", "batch")
    classifier(HERE / "classifier_1000.onnx")
    # A fixed first dimension that is no batch: every row has its own weight.
    place = helper.make_tensor("w", T.FLOAT, [4, 1], [1, 2, 3, 4])
    save(HERE / "place_matters.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], [info("x", [4, 2])],
         [info("y", [4, 2])], [place])

    # Weights outside the model's folder.
    add_weights(HOSTILE / "external_parent.onnx", "../general/add_one.onnx")
    add_weights(HOSTILE / "external_far.onnx", "../../etc/passwd")
    add_weights(HOSTILE / "external_absolute.onnx", "/etc/passwd")
    add_weights(HOSTILE / "external_link.onnx", "link.bin")  # the test makes the link
    add_weights(HOSTILE / "external_missing.onnx", "weights.bin")
    constant_weights(HOSTILE / "external_constant.onnx", "../../../etc/passwd")

    # Weights beside the model, as large exports have them: 1, 2, 3, 4.
    add_weights(HERE / "external_beside.onnx", "external_beside.bin")
    (HERE / "external_beside.bin").write_bytes(b"\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40")

    # A sequence whose parts have unequal shapes for an odd number of rows: two rows each.
    two = helper.make_tensor("two", T.INT64, [], [2])
    parts = helper.make_tensor_sequence_value_info("parts", T.FLOAT, ["k", 2])
    save(HERE / "sequence_pairs.onnx", [helper.make_node("SplitToSequence", ["x", "two"], ["parts"], axis=0)],
         [info("x", ["n", 2])], [parts], [two])
    # A sequence of strings.
    words = helper.make_tensor_sequence_value_info("words", T.STRING, ["n"])
    save(HERE / "sequence_strings.onnx", [helper.make_node("SequenceConstruct", ["x", "x"], ["words"])],
         [info("x", ["n"], T.STRING)], [words])

    # Probabilities under whole numbers, and an output that already has the name the labels would get.
    maps = helper.make_value_info("p", helper.make_sequence_type_proto(
        helper.make_map_type_proto(T.INT64, helper.make_tensor_type_proto(T.FLOAT, []))))
    save(HERE / "zipmap_int64.onnx",
         [helper.make_node("ZipMap", ["x"], ["p"], domain="ai.onnx.ml", classlabels_int64s=[30, 10, 20]),
          helper.make_node("Identity", ["x"], ["p_labels"])],
         [info("x", ["n", 3])], [maps, info("p_labels", ["n", 3])], opsets=(("", 18), ("ai.onnx.ml", 3)))

    # Outputs that are an input and a constant of the file, in no memory of their own.
    weights = helper.make_tensor("w", T.FLOAT, [2], [5, 6])
    save(HERE / "passthrough.onnx", [helper.make_node("Neg", ["x"], ["y"])], [info("x", ["n"])],
         [info("x", ["n"]), info("w", [2]), info("y", ["n"])], [weights], metadata={"task": "none", "empty": ""})
    # An input without a shape, and an output declared empty.
    save(HERE / "no_shape.onnx", [helper.make_node("Identity", ["x"], ["y"])], [info("x", None)],
         [info("y", [0, 4])])
    # Two inputs that must agree in a dimension only the run knows.
    save(HERE / "add_two.onnx", [helper.make_node("Add", ["a", "b"], ["c"])], [info("a", ["n"]), info("b", ["m"])],
         [info("c", ["k"])])
    # What cannot be served: a type that v2 lacks, an input that is a sequence.
    save(HERE / "complex.onnx", [helper.make_node("Identity", ["x"], ["y"])], [info("x", ["n"], T.COMPLEX64)],
         [info("y", ["n"], T.COMPLEX64)])
    save(HERE / "sequence_in.onnx", [helper.make_node("SequenceLength", ["s"], ["n"])],
         [helper.make_tensor_sequence_value_info("s", T.FLOAT, ["n"])], [info("n", [], T.INT64)])
    # Files that are whole but need what this engine lacks.
    save(HOSTILE / "unknown_op.onnx", [helper.make_node("NoSuchOp", ["x"], ["y"])], [info("x", ["n"])],
         [info("y", ["n"])])
    save(HOSTILE / "unknown_domain.onnx", [helper.make_node("Magic", ["x"], ["y"], domain="acme.example")],
         [info("x", ["n"])], [info("y", ["n"])], opsets=(("", 18), ("acme.example", 1)))
    future = onnx.load(HOSTILE / "unknown_op.onnx")
    future.ir_version = 99
    (HOSTILE / "future_ir.onnx").write_bytes(future.SerializeToString())


main()
