"""Models that the bench makes for itself, from fixed seeds. They need the packages of bench/requirements.txt."""

from __future__ import annotations

import pathlib

from common import FRUIT, Bench, Skip


def needs_onnx():
    try:
        import numpy
        import onnx
    except ImportError as missing:
        raise Skip(f"{missing.name} is missing; scripts/setup.sh --bench installs it") from None
    return onnx, numpy


def save(bench: Bench, name: str, nodes: list, inputs: list, outputs: list, weights: dict) -> pathlib.Path:
    onnx, _ = needs_onnx()
    value = lambda text, shape: onnx.helper.make_tensor_value_info(text, onnx.TensorProto.FLOAT, shape)
    graph = onnx.helper.make_graph(
        nodes, name, [value(*one) for one in inputs], [value(*one) for one in outputs],
        [onnx.numpy_helper.from_array(array, text) for text, array in weights.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    path = bench.folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def matmul_chain(bench: Bench, name: str, layers: int) -> pathlib.Path:
    """1 x 128 x 128 floats through `layers` products with 1,024 x 1,024 weights: 0.27 GFLOP each."""
    onnx, numpy = needs_onnx()
    dice = numpy.random.default_rng(1)
    node = onnx.helper.make_node
    weights = {
        "first": dice.standard_normal((128, 1024), dtype=numpy.float32) / 11,
        "middle": dice.standard_normal((1024, 1024), dtype=numpy.float32) / 32,
        "last": dice.standard_normal((1024, 16), dtype=numpy.float32) / 32,
    }
    nodes = [node("MatMul", ["x", "first"], ["h0"])]
    nodes += [node("MatMul", [f"h{i}", "middle"], [f"h{i + 1}"]) for i in range(layers)]
    nodes.append(node("MatMul", [f"h{layers}", "last"], ["y"]))
    return save(bench, name, nodes, [("x", [1, 128, 128])], [("y", [1, 128, 16])], weights)


def matmul_of(bench: Bench, wanted_ms: float) -> pathlib.Path:
    """A chain whose run takes about that long on one core of this machine."""
    took = lambda path: bench.bare(bench.server_cores, "bare_engine", "--model", path, "--shape", "1,128,128",
                                   "--seconds", 0.3)["p50_us"] / 1000
    few, many = took(matmul_chain(bench, "calibrate2", 2)), took(matmul_chain(bench, "calibrate6", 6))
    each = max((many - few) / 4, 0.01)
    layers = max(1, min(200, round((wanted_ms - few) / each) + 2))
    return matmul_chain(bench, "matmul", layers)


def two_layers(bench: Bench, name: str, hidden: int) -> pathlib.Path:
    """512 floats -> hidden -> 64 with a ReLU between: `hidden` 1,024 is 2.4 MB of weights."""
    onnx, numpy = needs_onnx()
    dice = numpy.random.default_rng(2)
    node = onnx.helper.make_node
    weights = {
        "w0": dice.standard_normal((512, hidden), dtype=numpy.float32) / 23,
        "w1": dice.standard_normal((hidden, 64), dtype=numpy.float32) / 32,
    }
    nodes = [node("MatMul", ["x", "w0"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "w1"], ["y"])]
    return save(bench, name, nodes, [("x", ["batch", 512])], [("y", ["batch", 64])], weights)


def slow_to_load(bench: Bench, products: int) -> bytes:
    """The fruit detector with the same answers, whose load computes that many products of 1,024 x 1,024 constants."""
    onnx, numpy = needs_onnx()
    model = onnx.load(FRUIT)
    graph = model.graph
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    seed = numpy.random.default_rng(3).standard_normal((1024, 1024), dtype=numpy.float32) / 32
    graph.initializer.extend([constant(seed, "slow0"), constant(numpy.zeros((1024, 1), numpy.float32), "slow_zeros"),
                              constant(numpy.array([0], numpy.int64), "slow_first"),
                              constant(numpy.array([1], numpy.int64), "slow_end")])
    output = graph.output[0].name
    for one in graph.node:
        one.output[:] = ["slow_answer" if text == output else text for text in one.output]
        one.input[:] = ["slow_answer" if text == output else text for text in one.input]
    graph.node.extend([node("MatMul", [f"slow{i}", "slow0"], [f"slow{i + 1}"], name=f"slow_{i}") for i in range(products)])
    graph.node.extend([
        node("MatMul", [f"slow{products}", "slow_zeros"], ["slow_column"]),
        node("Slice", ["slow_column", "slow_first", "slow_end", "slow_first"], ["slow_zero"]),
        node("Add", ["slow_answer", "slow_zero"], [output]),
    ])
    return model.SerializeToString()
