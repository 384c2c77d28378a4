"""What an application does when its outbox is full: it waits, or drops the oldest; and what a stop then leaves."""

from __future__ import annotations

import http.server
import json
import pathlib
import random
import struct
import threading

import pytest
from bascule import Server
from test_application_sources import app, ended, wait_for, write_file

SIDE = 1600
FRAMES = 12  # of about 2.5 MB each once they are JPEG, where 16 MB may wait


class Receiver:
    """Takes events at /alert, and remembers their frames."""

    def __init__(self, port: int = 0) -> None:
        frames: list[int] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                start = body.index(b'{"id":')
                event, _ = json.JSONDecoder().raw_decode(body[start:body.index(b"\r\n", start)].decode())
                frames.append(event["frame"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_args) -> None:
                pass

        self.frames = frames
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture()
def free_port():
    receiver = Receiver()
    receiver.close()
    return receiver.port


def noisy_line(folder: pathlib.Path, port: int, **outbox) -> pathlib.Path:
    """An application whose every frame is an event with a picture that cannot be compressed."""
    for name in ("images", "labels"):
        (folder / "frames" / name).mkdir(parents=True)
    size = 3 * SIDE * SIDE
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + size, 0, 0, 54, 40, SIDE, SIDE, 1, 24, 0, size, 0, 0, 0, 0)
    noise = random.Random(3).randbytes(size)
    for number in range(FRAMES):
        (folder / "frames" / "images" / f"{number:02}.bmp").write_bytes(head + noise[number:] + noise[:number])
        (folder / "frames" / "labels" / f"{number:02}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    return write_file(
        folder,
        {
            "name": "line",
            "source": {"labels": "frames"},
            "names": ["part"],
            "rules": [{"name": "every", "when": "true"}],
            "sinks": {"alarm": {"webhook": f"http://127.0.0.1:{port}/alert", "picture": True, "allow_private": True}},
            "outbox": {"max_mb": 16, **outbox},
        },
    )


def test_a_full_outbox_waits_and_a_stop_loses_nothing(tmp_path, free_port):
    file = noisy_line(tmp_path, free_port)
    with Server("--config", file) as server:
        state = wait_for(lambda: app(server, "line"), lambda got: got["retries"] > 0)
        assert state["state"] == "waiting" and "would be over its limit of 16" in state["error"], state
        handled = state["frames"]["handled"]
        assert 2 <= handled < FRAMES
        assert state["sinks"][0]["waiting"] == handled
    receiver = Receiver(free_port)
    try:
        with Server("--config", file) as server:
            wait_for(lambda: app(server, "line"), ended, 60)
            days = json.loads(server.get("/apps/line/days").body)["days"]
    finally:
        receiver.close()
    assert receiver.frames == list(range(1, FRAMES + 1))
    assert sum(day["rules"]["every"]["events"] for day in days) == FRAMES
    assert sum(day["objects"]["part"] for day in days) == FRAMES


def test_a_full_outbox_drops_the_oldest_where_it_may(tmp_path, free_port):
    file = noisy_line(tmp_path, free_port, when_full="drop_oldest")
    with Server("--config", file) as server:
        state = wait_for(lambda: app(server, "line"), lambda got: got["state"] == "ended")
        assert state["retries"] == 0
        sink = state["sinks"][0]
        assert sink["dropped"] > 0 and sink["waiting"] + sink["dropped"] == FRAMES, sink
        assert sink["oldest_s"] >= 0
        dropped = server.metrics()['bascule_application_deliveries_total{app="line",outcome="dropped",sink="alarm"}']
        assert dropped == sink["dropped"]
        assert server.metrics()['bascule_application_waiting_events{app="line",sink="alarm"}'] == sink["waiting"]
        assert "there was no room" in server.log()
    receiver = Receiver(free_port)
    try:
        with Server("--config", file) as server:
            wait_for(lambda: app(server, "line"), ended, 60)
    finally:
        receiver.close()
    assert receiver.frames == list(range(sink["dropped"] + 1, FRAMES + 1))
