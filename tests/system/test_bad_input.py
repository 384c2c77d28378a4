"""What comes from outside and is wrong: the right status, one sentence, a counter, bounded memory, and the
server goes on."""

import json
import math
import re
import struct
import zlib

import pytest
from bascule import DATA, Server, has_sanitizer, multipart, split_response

MiB = 1 << 20
PICTURE = (DATA / "pictures" / "steel_104_0000.jpg").read_bytes()


@pytest.fixture(scope="module")
def server():
    """One of its own, so that memory figures are this file's."""
    with Server(DATA / "yolo" / "yolo26n.onnx", DATA / "general") as running:
        # Warm: the first answers load what stays.
        for _ in range(3):
            running.predict("yolo26n", PICTURE)
            running.infer("add_one", request(inputs=[x()]))
        yield running


@pytest.fixture
def refused(server):
    """check(reply, status, words…): status, sentence, counter; alive and small at the end."""
    before = server.error_count()
    count = 0

    def check(reply, status, *words):
        nonlocal count
        count += 1
        statuses = status if isinstance(status, tuple) else (status,)
        assert reply.status in statuses, reply
        error = reply.json()
        assert set(error) == {"error"}, reply
        assert len(error["error"]) > 15, f"not a sentence: {error}"
        for word in words:
            assert str(word) in error["error"], f"{word!r} is not in {error['error']!r}"

    yield check
    assert server.alive(), server.log()
    assert server.get("/v2/health/ready").status == 200
    assert server.error_count() >= before + count, "a refusal was not counted"


class peak_within:
    """The server's peak stays under six times the body, plus what a request may cost whatever its size."""

    SLACK = 16 * MiB

    def __init__(self, server, body_bytes):
        self.server, self.limit = server, 6 * body_bytes + self.SLACK

    def __enter__(self):
        self.server.reset_peak()
        self.before = self.server.memory_kb("VmRSS")

    def __exit__(self, failure, *_):
        if failure or has_sanitizer():
            return
        used = (self.server.memory_kb("VmHWM") - self.before) * 1024
        assert used <= self.limit, f"the server took {used / MiB:.1f} MiB, the limit is {self.limit / MiB:.1f} MiB"


def x(**changes):
    tensor = {"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [1] * 16}
    tensor.update(changes)
    return {k: v for k, v in tensor.items() if v is not None}


def request(**parts):
    return parts


def identity(server, kind, datatype, data):
    return server.infer(
        f"identity_{kind}",
        request(inputs=[{"name": "INPUT0", "shape": [1, len(data)], "datatype": datatype, "data": data}]),
    )


@pytest.mark.parametrize(
    "method,path",
    [
        ("POST", "/v2"),
        ("POST", "/v2/health/live"),
        ("DELETE", "/v2/health/ready"),
        ("GET", "/v2/models/add_one/infer"),
        ("PUT", "/v2/models/add_one/infer"),
        ("GET", "/predict"),
        ("GET", "/models/yolo26n/predict"),
        ("DELETE", "/v2/models/add_one"),
        ("POST", "/metrics"),
    ],
)
def test_wrong_method(server, refused, method, path):
    refused(server.call(method, path, b"{}" if method in ("POST", "PUT") else None), 405, method)


@pytest.mark.parametrize("path", ["/nothing", "/v2/", "/v2/models/add_one/inferr", "/v1/models/a:predict", "/v2/%00"])
def test_unknown_route(server, refused, path):
    refused(server.get(path), (400, 404))


def test_unknown_model_or_version(server, refused):
    body = request(inputs=[x()])
    refused(server.infer("nobody", body), 404, "nobody")
    refused(server.post_json("/v2/models/add_one/versions/99/infer", body), 404, "99")
    refused(server.post_json("/v2/models/add_one/versions/latest/infer", body), (400, 404), "latest")
    refused(server.get("/v2/models/nobody"), 404, "nobody")
    refused(server.predict("nobody", PICTURE), 404, "nobody")
    refused(server.infer("..%2f..%2fetc%2fpasswd", body), (400, 404))


def test_wrong_inputs(server, refused):
    refused(server.infer("add_one", request(inputs=[])), 400, "x")
    refused(server.infer("add_one", request()), 400, "inputs")
    refused(server.infer("scalar_in", request(inputs=[{"name": "a", "shape": [], "datatype": "FP32", "data": [1]}])), 400, "b")
    refused(server.infer("add_one", request(inputs=[x(), x(name="extra")])), 400, "extra")
    refused(server.infer("add_one", request(inputs=[x(), x()])), 400, "x")
    refused(server.infer("add_one", request(inputs=[x(datatype="INT64")])), 400, "INT64", "FP32")
    refused(server.infer("add_one", request(inputs=[x(datatype="FP31")])), 400, "FP31")
    refused(server.infer("add_one", request(inputs=[x(name=None)])), 400, "name")
    refused(server.infer("add_one", request(inputs=[x(shape=None)])), 400, "shape")
    refused(server.infer("add_one", request(inputs=[x(data=None)])), 400, "data")
    refused(server.infer("add_one", request(inputs=[x()], outputs=[{"name": "z"}])), 400, "z")
    refused(server.infer("add_one", request(inputs=[x()], outputs=[{"name": "y"}, {"name": "y"}])), 400, "y")
    refused(server.infer("add_one", request(inputs="x")), 400, "array")
    refused(server.infer("add_one", [1, 2]), 400)


def test_shapes(server, refused):
    refused(server.infer("add_one", request(inputs=[x(data=[1] * 15)])), 400, 15, 16)
    refused(server.infer("add_one", request(inputs=[x(data=[1] * 17)])), 400, 16)
    refused(server.infer("add_one", request(inputs=[x(shape=[1, 8], data=[1] * 8)])), 400, 8, 16)
    refused(server.infer("add_one", request(inputs=[x(shape=[16])])), 400, 16)
    refused(server.infer("add_one", request(inputs=[x(shape=[-1, 16])])), 400, -1)
    refused(server.infer("add_one", request(inputs=[x(shape=[1.5, 16])])), 400)
    refused(server.infer("add_one", request(inputs=[x(shape=["1", 16])])), 400)
    huge = [2**62, 2**62]
    refused(server.infer("identity_fp32", request(inputs=[x(name="INPUT0", shape=huge)])), 400)
    with peak_within(server, 1000):
        wide = [1, 2**40]
        refused(server.infer("identity_fp32", request(inputs=[x(name="INPUT0", shape=wide)])), (400, 413))
    refused(server.infer("static_batch4", request(inputs=[x(shape=[5, 8], data=[1] * 40)])), 400, 4, 5)


@pytest.mark.parametrize(
    "kind,datatype,value",
    [
        ("int8", "INT8", 128),
        ("int8", "INT8", -129),
        ("uint8", "UINT8", 256),
        ("uint8", "UINT8", -1),
        ("int16", "INT16", 32768),
        ("uint16", "UINT16", 65536),
        ("int32", "INT32", 2**31),
        ("uint32", "UINT32", 2**32),
        ("int64", "INT64", 2**63),
        ("uint64", "UINT64", 2**64),
        ("uint64", "UINT64", -1),
        ("int32", "INT32", 1.5),
        ("fp32", "FP32", 1e39),
        ("fp32", "FP32", "1"),
        ("bool", "BOOL", 2),
        ("bool", "BOOL", "true"),
        ("int32", "INT32", True),
        ("string", "BYTES", 5),
        ("fp32", "FP32", None),
    ],
)
def test_values_out_of_range_or_of_another_type(server, refused, kind, datatype, value):
    refused(identity(server, kind, datatype, [value]), 400)


def test_fp64_beyond_its_range(server, refused):
    body = '{"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP64","data":[1e400]}]}'
    refused(server.call("POST", "/v2/models/identity_fp64/infer", body), 400)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_nan_as_json_input_is_refused_with_the_way_out(server, refused, token):
    body = '{"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP32","data":[%s]}]}' % token
    refused(server.call("POST", "/v2/models/identity_fp32/infer", body), 400, "binary")


def binary_infer(server, model, head, tail, header_length=None):
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text) if header_length is None else header_length)}
    return server.call("POST", f"/v2/models/{model}/infer", text + tail, headers)


def fp32_binary(size, **changes):
    tensor = {"name": "INPUT0", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": size}}
    tensor.update(changes)
    return {"inputs": [tensor]}


def test_nan_in_an_output_is_written(server):
    values = struct.pack("<3f", math.nan, math.inf, -math.inf)
    reply = binary_infer(server, "identity_fp32", fp32_binary(12), values)
    assert reply.status == 200, reply
    assert b"NaN" in reply.body and b"-Infinity" in reply.body
    data = reply.json()["outputs"][0]["data"]
    assert math.isnan(data[0]) and data[1:] == [math.inf, -math.inf]


def test_binary_data_that_disagrees(server, refused):
    refused(binary_infer(server, "identity_fp32", fp32_binary(12), b"\0" * 11), 400, 12, 11)
    refused(binary_infer(server, "identity_fp32", fp32_binary(12), b"\0" * 13), 400, 1)
    refused(binary_infer(server, "identity_fp32", fp32_binary(8), b"\0" * 8), 400, 8, 12)
    refused(binary_infer(server, "identity_fp32", fp32_binary(-1), b"\0" * 12), 400)
    refused(binary_infer(server, "identity_fp32", fp32_binary(2**63), b"\0" * 12), 400)
    refused(binary_infer(server, "identity_fp32", fp32_binary(12, data=[1, 2, 3]), b"\0" * 12), 400)
    strings = {"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "BYTES", "parameters": {"binary_data_size": 9}}]}
    refused(binary_infer(server, "identity_string", strings, b"\x05\0\0\0hello"), 400)
    lying = struct.pack("<I", 0xFFFFFFFF) + b"hello"
    with peak_within(server, 100):
        refused(binary_infer(server, "identity_string", strings, lying), 400)
    # A byte that is neither 0 nor 1 is read as true or refused, and does no harm.
    odd = {"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "BOOL", "parameters": {"binary_data_size": 1}}]}
    assert binary_infer(server, "identity_bool", odd, b"\x02").status in (200, 400)


@pytest.mark.parametrize("length", ["100000", "-1", "abc", "18446744073709551616", "1.5", ""])
def test_header_length_beyond_the_body(server, refused, length):
    refused(binary_infer(server, "identity_fp32", fp32_binary(12), b"\0" * 12, length), 400)


def test_truncated_json(server, refused):
    whole = json.dumps(request(inputs=[x()])).encode()
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        refused(server.call("POST", "/v2/models/add_one/infer", whole[:end]), 400)
    refused(server.call("POST", "/v2/models/add_one/infer", whole + b"{}"), 400)
    refused(server.call("POST", "/v2/models/add_one/infer", b"\xff\xfe" + whole), 400)


def test_a_body_that_ends_early(server):
    """The client promises 1,000 bytes and goes away after 100."""
    before = server.error_count()
    answer = server.raw(
        b"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"{" * 100, True
    )
    if answer:
        assert split_response(answer).status == 400
    assert server.alive()
    assert server.error_count() > before


def test_json_nested_too_deep(server, refused):
    deep = '{"inputs":[],"more":' + "[" * 101 + "]" * 101 + "}"
    refused(server.call("POST", "/v2/models/add_one/infer", deep), 400, 100)
    fine = json.dumps({**request(inputs=[x()]), "parameters": {}})[:-1] + ',"more":' + "[" * 90 + "]" * 90 + "}"
    assert server.call("POST", "/v2/models/add_one/infer", fine).status == 200
    many = b'{"more":' + b"[" * (4 * MiB)
    with peak_within(server, len(many)):
        refused(server.call("POST", "/v2/models/add_one/infer", many), 400, 100)


def test_bodies_over_the_limit(server, refused):
    for size, headers in (
        (16 * MiB + 1, "Content-Type: application/json\r\n"),
        (64 * MiB + 1, "Content-Type: application/json\r\nInference-Header-Content-Length: 100\r\n"),
        (10**18, "Content-Type: application/json\r\n"),
    ):
        head = f"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n{headers}\r\n"
        with peak_within(server, 0):
            refused(split_response(server.raw(head.encode())), 413)  # refused before a byte of it was sent
    head = f"POST /models/yolo26n/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: {64 * MiB + 1}\r\n\r\n"
    with peak_within(server, 0):
        refused(split_response(server.raw(head.encode())), 413)


def test_a_chunked_body_over_the_limit(server, refused):
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    body = b"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + piece * 300
    with peak_within(server, 16 * MiB):
        refused(split_response(server.raw(body)), 413)


def test_a_large_honest_body_stays_within_six_times_its_size(server):
    count = 2 * MiB
    text = '{"inputs":[{"name":"INPUT0","shape":[1,%d],"datatype":"FP32","data":[%s]}]}' % (count, ",".join(["1"] * count))
    with peak_within(server, len(text)):
        reply = server.call("POST", "/v2/models/identity_fp32/infer", text)
    assert reply.status == 200, reply
    tail = b"\0" * (48 * MiB)
    head = fp32_binary(len(tail), shape=[1, len(tail) // 4])
    head["parameters"] = {"binary_data_output": True}
    with peak_within(server, len(tail)):
        reply = binary_infer(server, "identity_fp32", head, tail)
    assert reply.status == 200, reply


def test_http_that_is_none(server, refused):
    refused(split_response(server.raw(b"HELLO THERE\r\n\r\n")), 400)
    refused(split_response(server.raw(b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (128 * 1024) + b"\r\n\r\n")), (400, 431))
    refused(split_response(server.raw(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n")), 400)
    refused(split_response(server.raw(b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")), 400)
    both = b"POST /v2/models/add_one/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    refused(split_response(server.raw(both)), 400)


def test_a_boundary_of_100_kb(server, refused):
    boundary = "b" * 100_000
    with peak_within(server, 2 * len(boundary)):
        refused(
            server.call("POST", "/models/yolo26n/predict", b"--" + boundary.encode(),
                        {"Content-Type": f"multipart/form-data; boundary={boundary}"}),
            (400, 431),
        )


def test_multipart_that_is_none(server, refused):
    def post(body, content_type):
        return server.call("POST", "/models/yolo26n/predict", body, {"Content-Type": content_type})

    body, content_type = multipart({}, PICTURE)
    refused(post(body, "multipart/form-data"), 400, "boundary")
    refused(post(body, "multipart/form-data; boundary="), 400, "boundary")
    refused(post(body, "multipart/form-data; boundary=other"), 400)
    refused(post(body[:-40], content_type), 400)
    refused(post(b"", content_type), 400)
    no_file = b'--b\r\nContent-Disposition: form-data; name="conf"\r\n\r\n0.5\r\n--b--\r\n'
    refused(post(no_file, "multipart/form-data; boundary=b"), 400, "file")
    refused(post(body, "text/html"), (400, 415), "text/html")
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % i for i in range(5000)) + b"--b--\r\n"
    refused(post(parts, "multipart/form-data; boundary=b"), 400, 64)


def png(width, height, data=b"\0" * 4096):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def bmp(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + b"\0" * 900


def huge_jpeg():
    at = PICTURE.index(b"\xff\xc0") if b"\xff\xc0" in PICTURE else PICTURE.index(b"\xff\xc2")
    return PICTURE[: at + 5] + struct.pack(">HH", 60000, 60000) + PICTURE[at + 9 :]


def tiff(width, height, packing=4):
    """R, G, B in one strip that is not there, packed so that any size may be in it."""
    tags = {256: width, 257: height, 258: 1 if packing == 4 else 8, 259: packing, 262: 0, 273: 8, 277: 1, 278: height, 279: 40}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", 48) + bytes(40) + struct.pack("<H", len(tags)) + entries + bytes(4)


def gif(width, height):
    head = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = struct.pack("<HHHHB", 0, 0, width, height, 0)
    return b"GIF89a" + head + b"," + frame + b"\x02\x02\x4c\x01\x00;"


def with_sides(name, side):
    data = (DATA / "pictures_real" / name).read_bytes()
    return re.sub(rb"(ispe....)........", lambda found: found[1] + struct.pack(">II", side, side), data, flags=re.DOTALL)


HUGE = {
    "png": png(60000, 60000),
    "bmp": bmp(60000, 60000),
    "jpeg": huge_jpeg(),
    "tiff": tiff(60000, 60000),
    "gif": gif(60000, 60000),
    "avif": with_sides("steel.avif", 60000),
    "heic": with_sides("steel.heic", 60000),
}


# 9,000 x 9,000 is within the limit on pixels: what so few bytes cannot hold is refused before memory is taken.
@pytest.mark.parametrize(
    "picture",
    [png(9000, 9000), bmp(9000, 9000), tiff(9000, 9000, packing=1), tiff(9000, 9000, packing=5), gif(9000, 9000), (DATA / "pictures_broken/coded_huge.heic").read_bytes(),
     (DATA / "pictures_broken/grid_huge.heic").read_bytes(), (DATA / "pictures_broken/tiles_huge.tif").read_bytes()],
    ids=["png", "bmp", "tiff", "tiff lzw", "gif", "heic coded", "heic grid", "tiff tiles"],
)
def test_a_picture_of_81_megapixels_in_a_few_bytes(server, refused, picture):
    with peak_within(server, len(picture)):
        refused(server.predict("yolo26n", picture), 400)


@pytest.mark.parametrize("picture", HUGE.values(), ids=HUGE.keys())
def test_a_picture_of_3600_megapixels(server, refused, picture):
    assert len(picture) < 10_000
    # The first AVIF and HEIC load their libraries.
    server.predict("yolo26n", (DATA / "pictures_real/steel.avif").read_bytes())
    server.predict("yolo26n", (DATA / "pictures_real/steel.heic").read_bytes())
    with peak_within(server, len(picture)):
        refused(server.predict("yolo26n", picture), (400, 413), "60000")


def test_the_pixel_limit_is_a_flag():
    with Server(DATA / "yolo" / "yolo26n.onnx", "--max-pixels", 30000) as small:
        reply = small.predict("yolo26n", PICTURE)  # 200 x 200
        assert reply.status in (400, 413), reply
        assert "40000" in reply.json()["error"].replace(",", "") or "200" in reply.json()["error"]
        assert "30000" in reply.json()["error"].replace(",", "")


@pytest.mark.parametrize(
    "name,picture",
    [
        ("text", b"Dear Sir or Madam, this is a letter and not a picture.\n" * 30),
        ("truncated jpeg", PICTURE[: len(PICTURE) // 2]),
        ("header only", PICTURE[:20]),
        ("empty", b""),
        ("truncated png", png(64, 64, b"\0" * (64 * 193))[:60]),
        ("png with too little data", png(64, 64, b"\0" * 100)),
        ("gif", b"GIF89a" + b"\0" * 100),
        ("tiff head", b"II*\0" + b"\0" * 100),
        ("avif head", b"\0\0\0\x1cftypavif" + b"\0" * 100),
        ("heic head", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100),
        ("jpeg 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 100),
        ("webp head", b"RIFF\x64\0\0\0WEBPVP8 " + b"\0" * 92),
        ("one byte", b"\xff"),
    ],
)
def test_pictures_that_are_none(server, refused, name, picture):
    refused(server.predict("yolo26n", picture), (400, 415))
    if picture:
        raw = server.call("POST", "/models/yolo26n/predict", picture, {"Content-Type": "image/jpeg"})
        refused(raw, (400, 415))


@pytest.mark.parametrize(
    "fields,word",
    [
        ({"conf": 0}, "conf"),
        ({"conf": 1.5}, "1.5"),
        ({"conf": "often"}, "often"),
        ({"conf": "nan"}, "nan"),
        ({"iou": 1}, "iou"),
        ({"iou": -0.1}, "-0.1"),
        ({"imgsz": 16}, "32"),
        ({"imgsz": 5000}, "1280"),
        ({"imgsz": "1,2,3"}, "imgsz"),
        ({"decimals": 11}, "10"),
        ({"decimals": 2.5}, "decimals"),
        ({"normalize": "perhaps"}, "perhaps"),
    ],
)
def test_fields_out_of_range(server, refused, fields, word):
    refused(server.predict("yolo26n", PICTURE, **fields), 400, word)


def test_a_tensor_model_asked_for_a_picture(server, refused):
    refused(server.predict("add_one", PICTURE), (400, 501), "add_one")


def test_two_pictures_and_a_video_that_is_none(server, refused):
    refused(server.predict("yolo26n", PICTURE, source="http://example.com/a.jpg"), 400, "two pictures")
    video = b"\0\0\0\x18ftypmp42" + b"\0" * 100
    refused(server.predict("yolo26n", video), 400, "video")


def test_memory_is_given_back(server):
    """A thousand refusals of every kind leave the process as small as before."""
    if has_sanitizer():
        pytest.skip("memory figures mean nothing under AddressSanitizer")
    bad = [png(60000, 60000), PICTURE[:4000], b"text" * 100, bmp(60000, 60000)]

    def round_of(count):
        for number in range(count):
            server.predict("yolo26n", bad[number % len(bad)])
            server.infer("add_one", request(inputs=[x(data=[1] * (number % 15))]))

    round_of(100)
    before = server.memory_kb()
    round_of(400)
    assert server.memory_kb() - before < 8 * 1024
