"""Videos: frame by frame through the predict call, as one answer and as JSON lines, and through `bascule predict`."""

from __future__ import annotations

import base64
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from bascule import DATA, ROOT, Server, multipart, run_cli

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")

FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = DATA / "pictures/fruit_101_0003.jpg"
PATH = "/models/fruit/predict"
LINES = "application/x-ndjson"
SIZE = "320"
LIMIT_S = 60


def ffmpeg(*words: object) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-y", "-loglevel", "error", *map(str, words)], check=True, timeout=60)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> pathlib.Path:
    """tray.mp4: six frames of a tray that moves; long.mkv: many of a test picture; sound.mkv: none."""
    folder = tmp_path_factory.mktemp("clips")
    ffmpeg("-loop", 1, "-framerate", 5, "-i", PICTURE, "-vf", "scale=800:600,crop=640:480:n*16:n*8", "-frames:v", 6,
           "-c:v", "libx264", "-pix_fmt", "yuv420p", folder / "tray.mp4")
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=640x480:rate=25:duration=40", "-c:v", "mpeg4", folder / "long.mkv")
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", "-c:a", "flac", folder / "sound.mkv")
    return folder


@pytest.fixture(scope="module")
def taking():
    with Server(FRUIT, "--max-video-frames", 2000) as server:
        yield server


@pytest.fixture(scope="module")
def expected(taking, clips):
    """What the model finds on each frame as OpenCV reads it, sent as a picture without loss."""
    cv2 = pytest.importorskip("cv2")
    capture = cv2.VideoCapture(str(clips / "tray.mp4"))
    results = []
    while True:
        there, frame = capture.read()
        if not there:
            break
        reply = taking.predict("fruit", cv2.imencode(".png", frame)[1].tobytes(), imgsz=SIZE)
        assert reply.status == 200, reply
        results.append(reply.json()["images"][0]["results"])
    assert len(results) == 6 and all(results) and results[0] != results[5]
    return results


def ask(server: Server, clip: bytes, name: str = "clip.mp4", accept: str | None = None, **fields: object):
    body, content_type = multipart({"imgsz": SIZE, **fields}, clip, name)
    return server.call("POST", PATH, body, {"Content-Type": content_type, **({"Accept": accept} if accept else {})})


def children(server: Server) -> list[int]:
    """Processes that the server has started and not yet waited for."""
    tasks = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/children")
    found = []
    for task in tasks:
        try:
            found += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread that ended meanwhile
    return found


def wait_for(condition) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_frame_is_answered_as_a_picture_is(taking, clips, expected):
    before = taking.metrics()['nv_inference_count{model="fruit",version="1"}']
    reply = ask(taking, (clips / "tray.mp4").read_bytes())
    assert reply.status == 200 and reply.headers["content-type"] == "application/json", reply
    answer = reply.json()
    assert set(answer) == {"images", "metadata"}
    assert [image["results"] for image in answer["images"]] == expected
    assert all(image["shape"] == [480, 640] for image in answer["images"])
    assert answer["metadata"]["imageCount"] == 6 and answer["metadata"]["task"] == "detect"
    assert taking.metrics()['nv_inference_count{model="fruit",version="1"}'] == before + 6
    assert not children(taking)


def test_every_so_manyth_frame(taking, clips, expected):
    clip = (clips / "tray.mp4").read_bytes()
    for stride in (2, 3, 6):
        answer = ask(taking, clip, vid_stride=stride).json()
        assert [image["results"] for image in answer["images"]] == expected[stride - 1 :: stride]
    assert ask(taking, clip, vid_stride=7).status == 400


def test_lines_come_as_they_are_made(taking, clips, expected):
    reply = ask(taking, (clips / "tray.mp4").read_bytes(), accept=f"text/html, {LINES};q=0.9")
    assert reply.status == 200 and reply.headers["content-type"] == LINES
    assert reply.headers["transfer-encoding"] == "chunked" and "content-length" not in reply.headers
    lines = [json.loads(line) for line in reply.body.decode().splitlines()]
    assert [line["results"] for line in lines[:-1]] == expected
    assert set(lines[-1]) == {"metadata"} and lines[-1]["metadata"]["imageCount"] == 6
    # A thousand frames: the first line is here while most are still to come, others are served meanwhile, and
    # the connection goes on afterwards.
    body, content_type = multipart({"imgsz": 32, "vid_stride": 10}, (clips / "long.mkv").read_bytes(), "x.mkv")
    connection = http.client.HTTPConnection("127.0.0.1", taking.port, timeout=LIMIT_S)
    connection.request("POST", PATH, body, {"Content-Type": content_type, "Accept": LINES})
    response = connection.getresponse()
    assert json.loads(response.readline())["shape"] == [480, 640]
    assert len(children(taking)) == 1
    assert taking.predict("fruit", PICTURE.read_bytes()).status == 200
    rest = response.read().decode().splitlines()
    assert len(rest) == 100 and json.loads(rest[-1])["metadata"]["imageCount"] == 100
    connection.request("GET", "/v2/health/live")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_client_of_http_1_0_gets_lines_up_to_the_end_of_the_connection(taking, clips):
    body, content_type = multipart({"imgsz": SIZE}, (clips / "tray.mp4").read_bytes(), "x.mp4")
    with socket.create_connection(("127.0.0.1", taking.port), timeout=LIMIT_S) as sock:
        sock.sendall(f"POST {PATH} HTTP/1.0\r\nContent-Type: {content_type}\r\nAccept: {LINES}\r\nConnection: keep-alive"
                     f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"chunked" not in head and b"Connection: close" in head
    assert [set(json.loads(line)) for line in rest.splitlines()] == [{"shape", "speed", "results"}] * 6 + [{"metadata"}]


def test_a_client_that_goes_away_ends_the_program(taking, clips):
    for accept in ({}, {"Accept": LINES}):
        body, content_type = multipart({"imgsz": 32}, (clips / "long.mkv").read_bytes(), "x.mkv")
        connection = http.client.HTTPConnection("127.0.0.1", taking.port, timeout=LIMIT_S)
        connection.request("POST", PATH, body, {"Content-Type": content_type, **accept})
        if accept:
            connection.getresponse().readline()
        wait_for(lambda: children(taking))
        (child,) = children(taking)
        connection.close()
        wait_for(lambda: not pathlib.Path(f"/proc/{child}").exists())
        assert taking.alive()
    # One that does not read is waited for no longer than any other, and the program waits with it.
    with Server(FRUIT, "--read-timeout-ms", 300, "--max-video-frames", 2000) as server:
        body, content_type = multipart({"imgsz": 32, "conf": 0.01}, (clips / "long.mkv").read_bytes(), "x.mkv")
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nAccept: {LINES}\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            sock.recv(1)
            wait_for(lambda: not children(server))


def test_a_video_may_be_named_in_source(taking, clips, expected):
    text = base64.b64encode((clips / "tray.mp4").read_bytes()).decode()
    for source in (text, "data:video/mp4;base64," + text):
        reply = taking.post_json(PATH, {"source": source, "imgsz": int(SIZE), "vid_stride": 3})
        assert [image["results"] for image in reply.json()["images"]] == expected[2::3]


def test_what_is_no_video_is_said(taking, clips):
    tray = (clips / "tray.mp4").read_bytes()
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    for clip, name, says in (
        (b"some text", "clip.mp4", "does not begin as"),
        (playlist, "clip.mp4", "does not begin as"),
        (b"\0\0\0\x18ftypisom" + playlist, "clip.mp4", "no frame that can be read"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "clip.mkv", "does not begin as"),
        (tray[: len(tray) // 2], "clip.mp4", "no frame that can be read"),
        ((clips / "sound.mkv").read_bytes(), "clip.mkv", "no frame that can be read"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 100, "clip.mp4", "no frame that can be read"),
    ):
        for accept in (None, LINES):
            reply = ask(taking, clip, name, accept)
            assert reply.status == 400 and says in reply.json()["error"], reply
            assert "/proc" not in reply.json()["error"] and "root:" not in reply.json()["error"]
    # What it is counts, not what it is called.
    assert len(ask(taking, tray, "clip.avi").json()["images"]) == 6
    assert len(ask(taking, tray, "picture.jpg").json()["images"]) == 6
    assert len(ask(taking, PICTURE.read_bytes(), "clip.mp4").json()["images"]) == 1
    assert not children(taking)


def test_limits(clips, expected):
    tray = (clips / "tray.mp4").read_bytes()
    with Server(FRUIT, "--max-video-frames", 4, "--max-pixels", 640 * 480) as server:
        reply = ask(server, tray)
        assert reply.status == 413 and "more than 4 frames" in reply.json()["error"], reply
        reply = ask(server, tray, accept=LINES)
        lines = [json.loads(line) for line in reply.body.splitlines()]
        assert reply.status == 200 and [line["results"] for line in lines[:-1]] == expected[:4]
        assert "more than 4 frames" in lines[-1]["error"]
        assert len(ask(server, tray, vid_stride=2).json()["images"]) == 3
        assert server.error_count() == 2
    with Server(FRUIT, "--max-pixels", 640 * 480 - 1) as server:
        reply = ask(server, tray)
        assert reply.status == 413 and "640 x 480 = 307200 pixels; the limit is 307199" in reply.json()["error"], reply
    with Server(FRUIT, "--max-video-seconds", 1, "--max-video-frames", 2000) as server:
        reply = ask(server, (clips / "long.mkv").read_bytes(), imgsz=1280)
        assert reply.status == 413 and "within 1 s" in reply.json()["error"], reply
        reply = ask(server, (clips / "long.mkv").read_bytes(), accept=LINES)
        assert "within 1 s" in json.loads(reply.body.splitlines()[-1])["error"]
        body, content_type = multipart({"imgsz": 1280}, (clips / "long.mkv").read_bytes(), "x.mkv")
        reply = server.call("POST", PATH, body, {"Content-Type": content_type, "Request-Timeout-Ms": "300"})
        assert reply.status == 503 and "time was over" in reply.json()["error"], reply
        assert not children(server)
    with Server(FRUIT, "--max-binary-bytes", 20_000) as server:  # of answers, too
        small = clips / "small.mkv"
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:rate=25:duration=20", "-c:v", "mpeg4", "-q:v", 31, small)
        if small.stat().st_size < 19_000:
            reply = ask(server, small.read_bytes(), imgsz=32)
            assert reply.status == 413 and f"Accept: {LINES}" in reply.json()["error"], reply


def test_without_the_program_it_is_said(clips):
    tray = (clips / "tray.mp4").read_bytes()
    with Server(FRUIT, "--ffmpeg", "/no/such/ffmpeg") as server:
        reply = ask(server, tray)
        assert reply.status == 400 and "apt-get install ffmpeg" in reply.json()["error"], reply
    with Server(FRUIT, env={"PATH": "/nowhere"}) as server:
        reply = ask(server, tray)
        assert reply.status == 400 and "'ffmpeg', which is not there" in reply.json()["error"], reply


def test_the_oldest_call_takes_pictures_alone(taking, clips):
    body, content_type = multipart({}, (clips / "tray.mp4").read_bytes(), "x.mp4")
    body = body.replace(b'name="file"', b'name="image"')
    reply = taking.call("POST", "/v1/predict/fruit", body, {"Content-Type": content_type})
    assert reply.status == 400 and "answers for one picture" in reply.json()["error"], reply


def test_on_the_command_line(clips, expected, tmp_path):
    clip = clips / "tray.mp4"
    done = run_cli("predict", FRUIT, clip, PICTURE, "--imgsz", SIZE, "--json", "--save", tmp_path)
    assert done.returncode == 0, done.stderr
    images = json.loads(done.stdout)["images"]
    assert [image.get("frame") for image in images] == [1, 2, 3, 4, 5, 6, None]
    assert [image["results"] for image in images[:6]] == expected
    assert len(done.stdout.splitlines()) == 9  # a line for each, and the two around them
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["fruit_101_0003.jpg", *(f"tray-{i:06}.jpg" for i in range(1, 7))]
    done = run_cli("predict", FRUIT, "-", "--vid-stride", 3, "--imgsz", SIZE, stdin=clip.read_bytes())
    assert done.returncode == 0 and "- frame 2" in done.stdout and "in 2 pictures" in done.stdout, done
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:5000])
    done = run_cli("predict", FRUIT, tmp_path / "cut.mp4")
    assert done.returncode == 1 and "no frame that can be read" in done.stderr
    done = run_cli("predict", FRUIT, clip, "--ffmpeg", "/no/such/ffmpeg")
    assert done.returncode == 1 and "--ffmpeg" in done.stderr
