"""Makes tickets.onnx, a model that takes sentences as they are: which desk is a customer's message for?

The tokenizer and the vocabulary are operators of the graph, so that whoever serves the file needs no Python:

    text -> lower case -> Tokenizer -> LabelEncoder (word to row) -> Gather (embedding) -> mean over the words
         -> scores -> label, probabilities, embedding

Run: python3 make.py [FOLDER]     (needs the packages onnx and numpy)
"""

import pathlib
import re
import sys

import numpy as np
from onnx import TensorProto as T
from onnx import checker, helper, numpy_helper, save

HERE = pathlib.Path(__file__).parent
WORD = "[a-z0-9]+"
WIDTH = 16  # numbers of an embedding
PADDING = "<none>"  # what the tokenizer fills short rows with


def train(rows, vocabulary, classes):
    """Embeddings and a linear classifier on their mean, by plain gradient descent."""
    random = np.random.default_rng(1)
    table = random.normal(0, 0.1, (len(vocabulary) + 1, WIDTH))
    table[0] = 0  # unknown words and padding
    weights = random.normal(0, 0.1, (WIDTH, len(classes)))
    bias = np.zeros(len(classes))
    bags = np.zeros((len(rows), len(vocabulary) + 1))
    for row, (_, words) in enumerate(rows):
        for word in words:
            bags[row, vocabulary[word]] += 1 / len(words)
    wanted = np.eye(len(classes))[[classes.index(label) for label, _ in rows]]
    for _ in range(2000):
        mean = bags @ table
        scores = np.exp(mean @ weights + bias)
        error = (scores / scores.sum(1, keepdims=True) - wanted) / len(rows)
        table -= 5 * bags.T @ (error @ weights.T)
        table[0] = 0
        weights -= 5 * (mean.T @ error + 1e-3 * weights)
        bias -= 5 * error.sum(0)
    return table.astype(np.float32), weights.astype(np.float32), bias.astype(np.float32)


def build(table, weights, bias, vocabulary, classes):
    node = helper.make_node
    constants = {
        "table": table, "weights": weights, "bias": bias, "zero": np.int64(0), "words_axis": np.array([1], np.int64),
        "least": np.float32(1), "classes": np.array(classes, dtype=object),
    }
    nodes = [
        node("StringNormalizer", ["text"], ["lower"], case_change_action="LOWER", is_case_sensitive=1, locale="C"),
        node("Tokenizer", ["lower"], ["words"], domain="com.microsoft", mark=0, mincharnum=1, pad_value=PADDING,
             tokenexp=WORD),
        node("LabelEncoder", ["words"], ["rows"], domain="ai.onnx.ml", keys_strings=list(vocabulary),
             values_int64s=list(vocabulary.values()), default_int64=0),
        node("Gather", ["table", "rows"], ["vectors"], axis=0),
        node("Greater", ["rows", "zero"], ["known"]),
        node("Cast", ["known"], ["known_number"], to=T.FLOAT),
        node("ReduceSum", ["known_number", "words_axis"], ["count"], keepdims=1),
        node("Max", ["count", "least"], ["divisor"]),
        node("ReduceSum", ["vectors", "words_axis"], ["sum"], keepdims=0),
        node("Div", ["sum", "divisor"], ["embedding"]),
        node("Gemm", ["embedding", "weights", "bias"], ["scores"]),
        node("Softmax", ["scores"], ["probabilities"], axis=1),
        node("ArgMax", ["probabilities"], ["best"], axis=1, keepdims=0),
        node("Gather", ["classes", "best"], ["label"], axis=0),
    ]
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "tickets", [tensor("text", T.STRING, ["n"])],
        [tensor("label", T.STRING, ["n"]), tensor("probabilities", T.FLOAT, ["n", len(classes)]),
         tensor("embedding", T.FLOAT, ["n", WIDTH])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=9, opset_imports=opsets)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    lines = [line.split("\t") for line in (HERE / "tickets.tsv").read_text().splitlines()]
    rows = [(label, re.findall(WORD, text.lower())) for label, text in lines]
    classes = sorted({label for label, _ in rows})
    vocabulary = {word: number + 1 for number, word in enumerate(sorted({w for _, words in rows for w in words}))}
    model = build(*train(rows, vocabulary, classes), vocabulary, classes)
    save(model, folder / "tickets.onnx")
    (folder / "tickets.yaml").write_text(f"labels: [{', '.join(classes)}]\n")
    print(f"{folder / 'tickets.onnx'}: {len(vocabulary)} words, {len(classes)} classes, {len(rows)} sentences")


if __name__ == "__main__":
    main()
