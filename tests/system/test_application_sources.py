"""Applications in the real server: where their frames come from, what the API shows, and what a kill leaves."""

from __future__ import annotations

import collections
import csv
import http.client
import json
import pathlib
import random
import shutil
import struct
import subprocess
import time

import pytest
from bascule import DATA, ROOT, Server
from receivers import Broker, RtspServer

FRUIT = ROOT / "examples" / "checkout" / "fruit.onnx"
TRAYS = DATA / "labelled" / "trays"
BELTS = DATA / "labelled" / "belts" / "labels"
PICTURE = DATA / "pictures" / "fruit_101_0000.jpg"
NAMES = ["apple", "banana", "orange"]
LIMIT_S = 30


def write_file(folder: pathlib.Path, *applications: dict) -> pathlib.Path:
    file = folder / "apps.yaml"
    file.write_text(json.dumps({"applications": applications}))  # JSON is YAML
    return file


def wait_for(ask, wanted, limit_s: float = LIMIT_S):
    """What `ask()` gives once `wanted` of it holds."""
    end = time.monotonic() + limit_s
    while True:
        got = ask()
        if wanted(got):
            return got
        assert time.monotonic() < end, f"after {limit_s} s it is still {got}"
        time.sleep(0.02)


def app(server: Server, name: str) -> dict:
    return json.loads(server.get(f"/apps/{name}").body)


def events_of(file: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def ended(got: dict) -> bool:
    """The source has no more, and every event is where it goes."""
    return got["state"] == "ended" and all(sink["waiting"] == 0 for sink in got["sinks"])


def test_a_folder_is_watched_and_its_pictures_are_judged_once(tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    shutil.copy(PICTURE, incoming / "a.jpg")
    file = write_file(
        tmp_path,
        {
            "name": "till",
            "source": {"folder": "incoming"},
            "model": str(FRUIT),
            "rules": [{"name": "seen", "when": ".results | length > 0"}],
            "sinks": {"log": {"jsonl": "events.jsonl"}, "shots": {"pictures": "shots"}},
        },
    )
    log = tmp_path / "events.jsonl"
    with Server("--config", file) as server:
        wait_for(lambda: events_of(log), lambda events: len(events) == 1)
        state = wait_for(lambda: app(server, "till"), lambda got: got["frames"]["handled"] == 1)
        assert state["state"] == "running", state
        assert state["scene"]["results"], state
        frame = server.get("/apps/till/frame")
        assert frame.status == 200 and frame.body.startswith(b"\xff\xd8")
        (incoming / ".b.jpg").write_bytes(PICTURE.read_bytes())
        (incoming / ".b.jpg").rename(incoming / "b.jpg")
        wait_for(lambda: events_of(log), lambda events: len(events) == 2)
        metrics = wait_for(
            server.metrics, lambda got: got['bascule_application_deliveries_total{app="till",outcome="delivered",sink="log"}'] == 2)
        assert metrics['bascule_application_handled_frames_total{app="till"}'] == 2
        assert metrics['bascule_application_waiting_events{app="till",sink="log"}'] == 0
        assert metrics['bascule_application_rule_runs_total{app="till",rule="seen"}'] == 2
        assert 0 < metrics['bascule_application_rule_seconds_total{app="till",rule="seen"}'] < LIMIT_S
    shutil.copy(PICTURE, incoming / "0.jpg")  # would be the first by its name
    with Server("--config", file):
        events = wait_for(lambda: events_of(log), lambda got: len(got) >= 3)
    assert [event["frame"] for event in events] == [1, 2, 3]
    assert len({event["id"] for event in events}) == 3
    assert len(list((tmp_path / "shots").glob("*.jpg"))) == 3


def test_frames_are_pushed_and_events_streamed(tmp_path):
    file = write_file(
        tmp_path,
        {
            "name": "till",
            "source": {"push": True},
            "model": str(FRUIT),
            "rules": [{"name": "every", "when": "true"}],
        },
    )
    with Server("--config", file) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
        connection.request("GET", "/apps/till/events", headers={"Accept": "text/event-stream"})
        stream = connection.getresponse()
        assert stream.status == 200 and stream.getheader("Content-Type") == "text/event-stream"
        for number in range(1, 4):
            reply = server.call("POST", "/apps/till/frames", PICTURE.read_bytes(), {"Content-Type": "image/jpeg"})
            assert reply.status == 202, reply.body
            assert json.loads(reply.body) == {"app": "till", "frame": number}
            lines = [stream.readline().decode() for _ in range(3)]
            assert json.loads(lines[1].removeprefix("data: "))["frame"] == number
        assert server.call("POST", "/apps/till/frames", b"no picture", {}).status == 202
        state = wait_for(lambda: app(server, "till"), lambda got: got["frames"]["failed"] == 1)
        assert state["frames"]["handled"] == 3
        assert server.call("POST", "/apps/till/stop", b"", {}).status == 200
        wait_for(lambda: app(server, "till"), lambda got: got["state"] == "stopped")
        assert server.call("POST", "/apps/till/frames", PICTURE.read_bytes(), {}).status == 503
        assert server.call("POST", "/apps/till/start", b"", {}).status == 200
        wait_for(lambda: app(server, "till"), lambda got: got["state"] in ("running", "starting"))
        # The stream does not hold up the end.


def test_labels_take_the_place_of_a_model(tmp_path):
    file = write_file(
        tmp_path,
        {
            "name": "trays",
            "source": {"labels": str(TRAYS)},
            "names": NAMES,
            "rules": [{"name": "counted", "when": "true"}],
            "sinks": {"log": {"jsonl": "events.jsonl"}},
        },
    )
    with Server("--config", file) as server:
        wait_for(lambda: app(server, "trays"), ended)
        log = tmp_path / "events.jsonl"
        labels = sorted((TRAYS / "images").iterdir())
        events = wait_for(lambda: events_of(log), lambda got: len(got) == len(labels))
    for event, picture in zip(events, labels):
        text = (TRAYS / "labels" / f"{picture.stem}.txt").read_text().split("\n")
        wanted = sorted(NAMES[int(line.split()[0])] for line in text if line)
        assert sorted(result["name"] for result in event["results"]) == wanted, picture


def blank_belt(file: pathlib.Path, width: int, height: int) -> None:
    size = 3 * width * height
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + size, 0, 0, 54, 40, width, height, 1, 24, 0, size, 0, 0, 0, 0)
    file.write_bytes(head + bytes(size))


def belt_file(folder: pathlib.Path) -> pathlib.Path:
    blank_belt(folder / "belt.bmp", 5760, 72)
    shutil.copy(sorted(BELTS.glob("*.txt"))[0], folder / "belt.txt")
    return write_file(
        folder,
        {
            "name": "belt",
            "source": {"belt": "belt.bmp", "labels": "belt.txt", "speed": 20, "drop_every": 4, "fps": 25},
            "names": NAMES,
            "track": True,
            "lines": {"exit": [[0.3, 0], [0.3, 1]]},
            "rules": [{"name": "crossed", "when": ".crossings | length > 0"},
                      {"name": "busy", "when": ".results | length > 1", "for": "3 of 5 frames", "cooldown": "2s"}],
            "sinks": {"log": {"jsonl": "events.jsonl"}},
        },
    )


def counts_of(server: Server, name: str) -> collections.Counter:
    """What is told by day, over all days."""
    table = server.get(f"/apps/{name}/days?format=csv")
    assert table.status == 200, table.body
    counts: collections.Counter = collections.Counter()
    for row in csv.DictReader(table.body.decode().splitlines()):
        counts[row["what"], row["rule"], row["class"]] += int(row["count"])
    return counts


def test_kills_lose_nothing_and_decide_nothing_else(tmp_path):
    """The oracle is a run of the same belt without kills."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    with Server("--config", belt_file(whole)) as server:
        state = wait_for(lambda: app(server, "belt"), ended)
        counts = counts_of(server, "belt")
    wanted = events_of(whole / "events.jsonl")
    crossings = [crossing["name"] for event in wanted if event["rule"] == "crossed" for crossing in event["crossings"]]
    labels = (killed / "belt.txt") if (killed / "belt.txt").exists() else (whole / "belt.txt")
    assert sorted(crossings) == sorted(NAMES[int(line.split()[0])] for line in labels.read_text().split("\n") if line)
    assert counts["frames", "", ""] == state["frames"]["handled"]
    assert {key[2]: count for key, count in counts.items() if key[0] == "objects"} == collections.Counter(crossings)
    assert counts["events", "crossed", ""] == sum(event["rule"] == "crossed" for event in wanted)
    assert counts["events_with", "busy", "apple"] == sum(
        event["rule"] == "busy" and any(one["name"] == "apple" for one in event["results"]) for event in wanted)
    file = belt_file(killed)
    moment = random.Random(7)
    for _ in range(8):
        server = Server("--config", file)
        time.sleep(moment.uniform(0, 0.1))
        server.kill()
    with Server("--config", file) as server:
        state = wait_for(lambda: app(server, "belt"), ended)
        assert state["frames"]["failed"] == 0
        assert counts_of(server, "belt") == counts
    got = {event["id"]: event for event in events_of(killed / "events.jsonl")}
    assert list(got) == [event["id"] for event in wanted]
    for event in wanted:
        assert got[event["id"]]["results"] == event["results"]


@pytest.fixture()
def clip(tmp_path):
    """Frames as JPEG, from one of our pictures, as RTP carries them: with the standard Huffman tables."""
    folder = tmp_path / "clip"
    folder.mkdir()
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-loop", "1", "-i", PICTURE, "-vf", "scale=320:240", "-frames:v", "10",
         "-pix_fmt", "yuvj420p", "-huffman", "default", "-start_number", "0", folder / "%03d.jpg"],
        check=True)
    return folder


@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_a_camera_comes_back(tmp_path, clip, codec):
    camera = RtspServer(tmp_path, clip, codec)
    file = write_file(
        tmp_path,
        {
            "name": "line",
            "source": {"camera": camera.url},
            "model": str(FRUIT),
            "rules": [{"name": "seen", "when": ".results | length > 0", "cooldown": "1s"}],
            "sinks": {"log": {"jsonl": "events.jsonl"}},
        },
    )
    with camera, Server("--config", file) as server:
        wait_for(lambda: app(server, "line"), lambda got: got["frames"]["handled"] >= 5 and got["state"] == "running")
        words = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert "concat" in words and "rtsp://viewer" not in words.replace(str(file), "")
        camera.kill()
        state = wait_for(lambda: app(server, "line"), lambda got: got["state"] == "waiting")
        assert f"'{camera.shown_url}'" in state["source"]["error"], state
        seen = state["frames"]["last"]
        camera.start()
        state = wait_for(lambda: app(server, "line"), lambda got: got["frames"]["last"] > seen + 5)
        assert state["state"] == "running" and state["source"]["reconnects"] >= 1, state
        metrics = server.get("/metrics").body.decode()
        assert 'bascule_application_state{app="line",state="running"} 1' in metrics
        assert "hidden" not in server.log() + metrics + json.dumps(state)
        assert server.alive()
    assert events_of(tmp_path / "events.jsonl")


def publish(broker: Broker, topic: str, *more: object) -> None:
    subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-u", "line", "-P", "s3cret", "-q", "1", "-t", topic,
         *map(str, more)], check=True, timeout=LIMIT_S)


def test_pictures_come_from_a_broker_that_is_killed(tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "line", "s3cret"], check=True)
    (tmp_path / "password.txt").write_text("s3cret\n")
    broker = Broker(tmp_path, more=f"allow_anonymous false\npassword_file {passwords}\n")
    file = write_file(
        tmp_path,
        {
            "name": "line",
            "source": {"mqtt": f"{broker.url}/cam/1", "user": "line", "password_file": "password.txt"},
            "model": str(FRUIT),
            "rules": [{"name": "every", "when": "true"}],
            "sinks": {"log": {"jsonl": "events.jsonl"}},
        },
    )

    def frames(number: int) -> dict:
        state = wait_for(lambda: app(server, "line"),
                         lambda got: sum(got["frames"][key] for key in ("handled", "failed", "dropped")) == number)
        return state["frames"]

    with broker, Server("--config", file) as server:
        broker.wait_for("cam/1 (QoS ")
        publish(broker, "cam/1", "-f", PICTURE)
        assert frames(1)["handled"] == 1
        publish(broker, "cam/1", "-m", "no picture")
        publish(broker, "cam/2", "-f", PICTURE)  # of another camera
        assert frames(2)["failed"] == 1
        broker.kill()
        state = wait_for(lambda: app(server, "line"), lambda got: got["state"] == "waiting")
        assert f"127.0.0.1:{broker.port}" in state["source"]["error"], state
        broker.start()
        broker.wait_for("cam/1 (QoS ")
        for _ in range(20):
            publish(broker, "cam/1", "-f", PICTURE)  # each with a connection of its own
        counts = frames(22)
        assert counts["failed"] == 1 and counts["handled"] >= 2, counts
        state = wait_for(lambda: app(server, "line"), lambda got: all(sink["waiting"] == 0 for sink in got["sinks"]))
        assert state["state"] == "running" and state["source"]["reconnects"] >= 1, state
        assert "s3cret" not in server.log() + json.dumps(state)
        seen = json.loads(server.call("POST", "/models/fruit/predict", PICTURE.read_bytes(), {}).body)
    events = events_of(tmp_path / "events.jsonl")
    assert len(events) == counts["handled"] and events[0]["frame"] == 1
    wanted = [result["name"] for result in seen["images"][0]["results"]]
    assert wanted and all([result["name"] for result in event["results"]] == wanted for event in events)
