"""Packed bodies, in and out, with clients as they are: tritonclient and urllib."""

import gzip
import json
import urllib.request
import zlib

import numpy as np
import pytest
import tritonclient.http as triton
from bascule import DATA, Server

MiB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general") as running:
        yield running


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("request_", [None, "gzip", "deflate"])
def test_tritonclient_packs_both_ways(server, request_, answer, binary):
    values = np.arange(64 * 16, dtype=np.float32).reshape(64, 16)
    tensor = triton.InferInput("x", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values, binary_data=binary)
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60.0) as client:
        result = client.infer(
            "add_one",
            [tensor],
            outputs=[triton.InferRequestedOutput("y", binary_data=binary)],
            request_compression_algorithm=request_,
            response_compression_algorithm=answer,
        )
    np.testing.assert_array_equal(result.as_numpy("y"), values + 1)


def test_a_scraper_gets_packed_metrics(server):
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        assert reply.headers["Vary"] == "Accept-Encoding"
        body = reply.read()
    assert int(reply.headers["Content-Length"]) == len(body)
    assert b"bascule_build_info" in gzip.decompress(body)


def test_a_bomb_costs_at_most_the_limit():
    bomb = gzip.compress(b" " * (512 * MiB), 9)
    assert len(bomb) < MiB
    with Server(DATA / "general", "--max-json-bytes", 8 * MiB, "--max-binary-bytes", 8 * MiB) as server:
        small = {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [1.0] * 16}]}
        assert server.infer("add_one", small).status == 200
        server.reset_peak()
        before = server.memory_kb("VmRSS")
        reply = server.call("POST", "/v2/models/add_one/infer", bomb, {"Content-Encoding": "gzip"})
        assert reply.status == 413, reply
        assert "8388608" in reply.json()["error"]
        # What came out while the last doubling of the memory was made, the outgrown blocks that the allocator keeps for the
        # next such body, and what came in.
        assert server.memory_kb("VmHWM") - before < (3 * 8 + 4) * 1024
        assert server.infer("add_one", small).status == 200


def test_damaged_bodies_are_refused_with_a_sentence(server):
    body = json.dumps({"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [1.0] * 16}]}).encode()
    raw = zlib.compressobj(wbits=-15)
    for name, packed in {
        "gzip": gzip.compress(body)[:-3],
        "deflate": raw.compress(body) + raw.flush(),  # no zlib header: RFC 9110 wants one
    }.items():
        reply = server.call("POST", "/v2/models/add_one/infer", packed, {"Content-Encoding": name})
        assert reply.status == 400, reply
        assert f"{name}-compressed" in reply.json()["error"]
