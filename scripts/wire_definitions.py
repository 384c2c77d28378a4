#!/usr/bin/env python3
"""Writes the wire definitions of the Open Inference Protocol's gRPC service as a FileDescriptorSet.

    scripts/wire_definitions.py TRITONCLIENT.whl OUT.pb

The modules that protoc made for Python carry each .proto file as a serialised descriptor, the one argument of
AddSerializedFile. A FileDescriptorSet is these, one after the other, as field 1: nothing is run, nothing is parsed.
"""

from __future__ import annotations

import ast
import pathlib
import sys
import zipfile

MODULES = ("tritonclient/grpc/model_config_pb2.py", "tritonclient/grpc/service_pb2.py")


def descriptor(source: str, name: str) -> bytes:
    for node in ast.walk(ast.parse(source)):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if called and node.func.attr == "AddSerializedFile" and isinstance(node.args[0], ast.Constant):
            return node.args[0].value
    sys.exit(f"wire_definitions: {name} holds no descriptor")


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        files = [descriptor(wheel.read(name).decode(), name) for name in MODULES]
    pathlib.Path(sys.argv[2]).write_bytes(b"".join(b"\x0a" + varint(len(file)) + file for file in files))


if __name__ == "__main__":
    main()
