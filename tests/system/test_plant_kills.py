"""A plant whose processes die: the server, the receivers, the broker, the camera. What was decided arrives, and nothing else.

A seed gives the order and the moments of the deaths; how far everybody has come by then is the machine's affair.
"""

from __future__ import annotations

import json
import pathlib
import random
import subprocess
import time

import pytest
from bascule import BINARY, ROOT, Server
from PIL import Image
from receivers import Broker, Outages, Receiver, RtspServer, Subscriber
from test_application_sources import FRUIT, app, clip, ended, events_of, wait_for, write_file  # noqa: F401

BELT = ROOT / "examples" / "checkout" / "belt.jpg"
TOPIC = "plant/line"
KILLS = 20
BACK_S = 120  # on a machine that others use, a camera is opened again only after several tries
RUN = ("app", "run")  # as docs/frame_sources.md says


def sinks(receiver: Receiver, broker: Broker) -> dict:
    return {
        "log": {"jsonl": "events.jsonl"},
        "alarm": {"webhook": receiver.url, "allow_private": True, "picture": True},
        "bus": {"mqtt": f"{broker.url}/{TOPIC}"},
    }


def belt(folder: pathlib.Path, **more: object) -> pathlib.Path:
    """The belt at half its size, past the model: what crosses the line, and where much lies."""
    folder.mkdir()
    with Image.open(BELT) as picture:
        picture.reduce(2).save(folder / "belt.png")
    return write_file(
        folder,
        {
            "name": "line",
            "source": {"belt": "belt.png", "window": 640, "speed": 10},
            "model": str(FRUIT),
            "track": True,
            "lines": {"exit": [[0.3, 0], [0.3, 1]]},
            "rules": [{"name": "something", "when": ".results | length > 0", "cooldown": "400 ms"},
                      {"name": "crossed", "when": ".crossings | length > 0"},
                      {"name": "much", "when": ".results | length > 5", "for": "3 of 5 frames", "cooldown": "100 ms"}],
            **more,
        },
    )


def begin_and_kill(file: pathlib.Path, after_s: float) -> None:
    """A life that may end before it serves."""
    words = [BINARY, *RUN, file, "--http-port", "0", "--metrics-port", "off", "--grpc-port", "off"]
    process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    process.kill()
    process.wait()


def is_jpeg(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")


def once(things: list) -> list:
    return list(dict.fromkeys(things))


def told_ids(messages: list[tuple[str, bytes]]) -> list[str]:
    return [json.loads(payload)["id"] for topic, payload in messages if topic == TOPIC]


def wait_for_last(subscriber: Subscriber, wanted: list[dict]) -> None:
    """The broker has everything by now; the subscriber may still be writing it down."""
    wait_for(subscriber.messages, lambda got: got[-1][0] == f"{TOPIC}/picture" and wanted[-1]["id"] in told_ids(got))


def check_receivers(wanted: list[dict], receiver: Receiver, subscriber: Subscriber) -> str:
    """That each event is at both, with its picture, in the order of the decisions; says how often they came twice."""
    ids = [event["id"] for event in wanted]
    assert ids and len(set(ids)) == len(ids)
    assert receiver.ids() == set(ids)
    assert all(is_jpeg(picture.read_bytes()) for picture in receiver.folder.glob("*.jpg"))
    alerts = receiver.alerts()
    assert once(alerts) == [(event["rule"], event["frame"]) for event in wanted]
    messages = subscriber.messages()
    told = told_ids(messages)
    assert once(told) == ids
    assert {topic for topic, _ in messages} == {TOPIC, f"{TOPIC}/picture"}
    pictures = [payload for topic, payload in messages if topic == f"{TOPIC}/picture"]
    assert len(pictures) >= len(ids) and all(map(is_jpeg, pictures))
    return f"{len(ids)} events, {len(alerts) - len(ids)} doubles at the webhook and {len(told) - len(ids)} at the broker"


def test_twenty_kills_and_receivers_that_die_lose_nothing(tmp_path, figure):
    """The oracle is a run of the same belt without kills, and without receivers."""
    began = time.monotonic()
    with Server(belt(tmp_path / "whole", sinks={"log": {"jsonl": "events.jsonl"}}), command=RUN) as server:
        wait_for(lambda: app(server, "line"), ended, 60)
    whole_s = time.monotonic() - began
    wanted = events_of(tmp_path / "whole" / "events.jsonl")

    seed = random.randrange(1 << 32)
    moment = random.Random(seed)
    killed = tmp_path / "killed"
    receiver, broker = Receiver(tmp_path), Broker(tmp_path, subscriber="alarms")
    subscriber = Subscriber(broker, tmp_path, TOPIC)
    file = belt(killed, sinks=sinks(receiver, broker))
    outages = Outages(seed, receiver, broker)
    with receiver, broker, subscriber:
        outages.start()
        try:
            for kill in range(KILLS):
                after_s = moment.uniform(0, whole_s / 12)
                if kill % 5 == 4:
                    begin_and_kill(file, after_s)
                    continue
                server = Server(file, command=RUN)
                time.sleep(after_s)
                server.kill()
            decided = len(events_of(killed / "events.jsonl"))
            with Server(file, command=RUN) as server:
                wait_for(lambda: app(server, "line"), lambda got: got["state"] == "ended", 60)
                wait_for(lambda: min(outages.times.values()), lambda least: least >= 3, 60)  # however fast the machine
                outages.end()
                state = wait_for(lambda: app(server, "line"), ended, 60)
                wait_for_last(subscriber, wanted)
        finally:
            outages.end()
        assert state["frames"]["failed"] == 0 and all(sink["refused"] == 0 for sink in state["sinks"]), state
        assert once([event["id"] for event in events_of(killed / "events.jsonl")]) == [event["id"] for event in wanted], seed
        told = check_receivers(wanted, receiver, subscriber)
    figure(f"plant: seed {seed}, killed {KILLS} times, {decided} of the events decided by then, outages {outages.times}: {told}; "
           f"{time.monotonic() - began:.0f} s")


@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_a_camera_whose_alerts_arrive_whatever_dies(tmp_path, clip, codec, figure):  # noqa: F811
    """What was decided stands in the log of events, which is written from the same outbox."""
    began = time.monotonic()
    seed = random.randrange(1 << 32)
    moment = random.Random(seed)
    camera, receiver, broker = RtspServer(tmp_path, clip, codec), Receiver(tmp_path), Broker(tmp_path, subscriber="alarms")
    subscriber = Subscriber(broker, tmp_path, TOPIC)
    file = write_file(
        tmp_path,
        {
            "name": "line",
            "source": {"camera": camera.url},
            "model": str(FRUIT),
            "rules": [{"name": "seen", "when": ".results | length > 0", "cooldown": "150 ms"}],
            "sinks": sinks(receiver, broker),
        },
    )

    def more_alerts() -> None:
        """Until each of them has got some that were decided only now: the numbers of frames go on over the server's lives."""
        frame = max(app(server, "line")["frames"]["last"], *(event["frame"] for event in events_of(tmp_path / "events.jsonl")), 0)

        def far() -> tuple[int, int, dict]:
            numbers = [json.loads(payload)["frame"] for topic, payload in subscriber.messages() if topic == TOPIC]
            return max((alert[1] for alert in receiver.alerts()), default=0), max(numbers, default=0), app(server, "line")

        wait_for(far, lambda got: min(got[0], got[1]) > frame, BACK_S)

    deaths = [[camera], [receiver], [broker], [], [camera, receiver, broker], [camera]]
    moment.shuffle(deaths)
    with camera, receiver, broker, subscriber:
        server = Server(file, command=RUN)
        try:
            more_alerts()
            for death in deaths:
                for child in death:
                    child.kill()
                if not death or moment.random() < 0.3:
                    server.kill()
                    server = Server(file, command=RUN)
                time.sleep(moment.uniform(0, 1))
                for child in death:
                    child.start()
                more_alerts()
            camera.kill()
            state = wait_for(lambda: app(server, "line"),
                             lambda got: got["state"] == "waiting" and all(sink["waiting"] == 0 for sink in got["sinks"]))
            assert all(sink["refused"] == 0 for sink in state["sinks"]), state
            server.stop()
        finally:
            server.kill()
        wanted = list({event["id"]: event for event in events_of(tmp_path / "events.jsonl")}.values())
        wait_for_last(subscriber, wanted)
        told = check_receivers(wanted, receiver, subscriber)
    figure(f"camera, {codec}: seed {seed}, {told}; {time.monotonic() - began:.0f} s")
