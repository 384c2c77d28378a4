#!/usr/bin/env python3
"""Makes fuzz/corpus/: a few valid inputs for each target that has no files of its own in tests/data.

    python fuzz/make_seeds.py        # needs tritonclient[grpc]

What a run found lies beside them, named after what it was.
"""

import gzip
import json
import struct
import zlib
from pathlib import Path

from tritonclient.grpc import service_pb2 as pb

CORPUS = Path(__file__).resolve().parent / "corpus"

INFER = [
    {"id": "1", "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2.5, -3e-7, 4]}]},
    {"inputs": [{"name": "s", "shape": [2], "datatype": "BYTES", "data": ["a", "\u00e9\n"]}], "parameters": {"timeout": 1000},
     "outputs": [{"name": "y", "parameters": {"classification": 3}}]},
    {"inputs": [{"name": "n", "shape": [2, 2], "datatype": "INT64", "data": [[1, 2], [3, 4]]},
                {"name": "b", "shape": [1], "datatype": "BOOL", "data": [True], "parameters": {"p": 1}}],
     "parameters": {"sequence_id": 7, "sequence_start": True, "sequence_end": False, "priority": 2}},
    {"inputs": [{"name": "m", "shape": [4], "datatype": "FP32", "parameters": {
        "shared_memory_region": "r", "shared_memory_offset": 8, "shared_memory_byte_size": 16}}]},
]
CONFIG = '''name: "m"
platform: "onnxruntime_onnx"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1, -1 ] format: FORMAT_NCHW } ]
output [ { name: "y" data_type: TYPE_FP32 dims: 10 label_filename: "l.txt" reshape { shape: [ ] } } ]
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
version_policy: { latest { num_versions: 2 } }
model_warmup [ { name: "w" batch_size: 1 inputs { key: "x" value { data_type: TYPE_FP32 dims: 4 zero_data: true } } } ]
parameters { key: "k" value: { string_value: "v" } }
'''
SEQUENCES = '''max_batch_size: 0
sequence_batching { max_sequence_idle_microseconds: 5000000 direct { }
  control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 1 ] } ] },
                  { name: "ID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] } ]
  state [ { input_name: "i" output_name: "o" data_type: TYPE_FP32 dims: [ 1 ] } ] }
'''


def binary(header: dict, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<H", len(text)) + text + data


def form(*parts: tuple[str, str, bytes]) -> bytes:
    body = b"".join(b"--b\r\nContent-Disposition: form-data; name=\"" + name.encode() + b"\"" +
                    (f'; filename="{file}"\r\nContent-Type: image/png'.encode() if file else b"") + b"\r\n\r\n" + data + b"\r\n"
                    for name, file, data in parts)
    return body + b"--b--\r\n"


def messages() -> list[bytes]:
    infer = pb.ModelInferRequest(model_name="m", model_version="1", id="9")
    tensor = infer.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    tensor.contents.fp32_contents.extend([1, 2])
    infer.outputs.add(name="y").parameters["classification"].int64_param = 2
    infer.parameters["sequence_id"].string_param = "s"
    raw = pb.ModelInferRequest(model_name="m")
    raw.inputs.add(name="x", datatype="BYTES", shape=[2])
    raw.raw_input_contents.append(struct.pack("<I1sI2s", 1, b"a", 2, b"bc").replace(b"\0\0\0\0", b"\0\0\0\0"))
    load = pb.RepositoryModelLoadRequest(model_name="m")
    load.parameters["config"].string_param = '{"max_batch_size": 4}'
    load.parameters["file:1/model.onnx"].bytes_param = b"abc"
    region = pb.SystemSharedMemoryRegisterRequest(name="r", key="/k", offset=0, byte_size=64)
    log = pb.LogSettingsRequest()
    log.settings["log_info"].bool_param = True
    trace = pb.TraceSettingRequest(model_name="m")
    trace.settings["trace_level"].value.append("OFF")
    made = [infer, pb.ModelReadyRequest(name="m", version="1"), pb.RepositoryIndexRequest(ready=True),
            pb.RepositoryModelUnloadRequest(model_name="m"), load, region, pb.SystemSharedMemoryStatusRequest(name="r"), log, trace]
    return [bytes([i]) + message.SerializeToString(deterministic=True) for i, message in enumerate(made)] + [b"\0" + raw.SerializeToString(deterministic=True)]


def seeds() -> dict[str, list[bytes]]:
    infer = [json.dumps(request).encode() for request in INFER]
    x = {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    s = {"name": "s", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 7}}
    config = json.dumps({"max_batch_size": 4, "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [1]}],
                         "instance_group": [{"count": 1}]}).encode()
    load = {"parameters": {"config": '{"max_batch_size":2}', "file:1/model.onnx": "YWJj"}}
    picture = b"\xff\xd8\xff\xe0\0\x10picture"
    fields = form(("file", "a.png", picture), ("conf", "", b"0.5"), ("imgsz", "", b"480,640"), ("classes", "", b"[0, 2]"))
    metadata = "{'names': {0: 'a', 1: \"b's\"}, 'imgsz': [640, 640], 'stride': 32, 'task': 'detect', 'end2end': False, 'x': None}"
    text = json.dumps(INFER[1]).encode()
    return {
        "v2_json": infer,
        "v2_binary": [binary({"inputs": [x]}, struct.pack("<ff", 1, 2)), binary({"inputs": [s, x]}, b"\3\0\0\0abc" + bytes(8)),
                      binary({"inputs": [x], "parameters": {"binary_data_output": True}}, bytes(8))],
        "v2_raw": [b"\0" + bytes(32), b"\1hello", b"\2" + bytes(9), b"\3" + bytes(8)],
        "v2_requests": [b"\0{\"ready\": true}", b"\1" + json.dumps(load).encode(), b"\2{\"key\":\"/k\",\"offset\":0,\"byte_size\":64}",
                        b"\3{\"log_verbose_level\":1,\"log_info\":true}", b"\4{\"trace_level\":[\"OFF\"]}", b"\0"],
        "v2_messages": messages(),
        "model_config": [b"\0" + CONFIG.encode(), b"\0" + SEQUENCES.encode(), b"\1" + config],
        "generate": [b"\0{\"text_input\":\"hi\",\"parameters\":{\"temperature\":0.5}}", b"\1{\"a\":[1,2],\"b\":[1,2],\"c\":true,\"id\":\"1\"}"],
        "predict": [b"\0" + fields, b"\1" + fields.replace(b"conf", b"model"), b"\2" + fields.replace(b'"file"', b'"image"'),
                    b"\3conf=0.5&iou=0.7&imgsz=%5B480%2C640%5D&bits=16", b"\6" + picture, b"\x0fnormalize=true&decimals=3"],
        "multipart": [b"multipart/form-data; boundary=b\n" + fields, b"multipart/form-data; boundary=\"a b\"; charset=x\n--a b--\r\n"],
        "csv": [b"\3a,b\r\n1,\"x,\"\"y\"\"\n\"\r\n2,z\r\n", b"\0\xef\xbb\xbfa\n1\n", b"\1a,b\n1\n"],
        "rows": [b"\0{\"rows\":[{\"a\":1.5,\"b\":2,\"c\":\"x\",\"d\":true},{\"d\":false,\"c\":\"\\u00e9\",\"b\":-3e0,\"a\":null}]}",
                 b"\0{\"instances\":[[1,2,\"x\",true]],\"signature_name\":\"s\"}", b"\1a,b,c,d\n1.5,2,x,true\nnan,3,,0\n",
                 b"\2a sentence", b"\3{\"text\":[\"a\",\"b\"]}"],
        "json": [text, b"[1e5,-0.0,\"\\ud83d\\ude00\",null,true,[],{}]", b"{\"a\":{\"a\":[[[1]]]}}"],
        "base64": [b"YWJj", b"YQ==", b"YWI=", b""],
        "percent": [b"a=1&b=%20+c&d", b"%zz=%4&=x"],
        "python": [metadata.encode(), b"(1, -2.5e3, [True, None], {'a': ('b',)})", b"{0: 'x', 1: 'y'}"],
        "inflate": [b"\0" + gzip.compress(text, mtime=0), b"\1" + zlib.compress(text), b"\1" + zlib.compress(bytes(4096))],
    }


def main() -> None:
    for target, made in seeds().items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for i, data in enumerate(made):
            (CORPUS / target / f"seed_{i}").write_bytes(data)


if __name__ == "__main__":
    main()
