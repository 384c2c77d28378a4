"""What applications deliver to and take frames from, as processes that are killed and begun again: the webhook receiver of
examples/factory, mosquitto with a subscriber, GStreamer's RTSP server.

Each keeps its port over its restarts, and ends only what it started.
"""

from __future__ import annotations

import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time

from bascule import ROOT

LIMIT_S = 30
ALERT = re.compile(r"^[A-Z]+ (\S+): (.+) on frame (\d+) \(.*\)$")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_text(file: pathlib.Path, text: str, offset: int = 0, limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while text.encode() not in file.read_bytes()[offset:]:
        assert time.monotonic() < end, f"after {limit_s} s {file.name} has no {text!r}:\n{file.read_text()[-2000:]}"
        time.sleep(0.01)


class Child:
    """A process that is begun by `start`, and again after `kill`. What it prints goes behind what it printed before."""

    def __init__(self, log: pathlib.Path) -> None:
        self.log = log
        self.log.touch()
        self._offset = 0  # of what the process that runs has printed
        self._process: subprocess.Popen | None = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def words(self) -> list:
        raise NotImplementedError

    def start(self) -> None:
        self._offset = self.log.stat().st_size
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(list(map(str, self.words())), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait_for(self, text: str) -> None:
        wait_for_text(self.log, text, self._offset)


class Receiver(Child):
    """The webhook receiver of examples/factory: it prints each alert, and keeps its picture by the event's id."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder / "alerts.txt")
        self.folder = folder / "alerts"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/alert"

    def words(self) -> list:
        return [sys.executable, ROOT / "examples" / "factory" / "receiver.py", self.port, self.folder]

    def start(self) -> None:
        super().start()
        self.wait_for("Receiver on ")

    def ids(self) -> set[str]:
        return {picture.stem for picture in self.folder.glob("*.jpg")}

    def alerts(self) -> list[tuple[str, int]]:
        """Rule and frame of each delivery, doubles too, in their order."""
        matches = map(ALERT.match, self.log.read_text().splitlines())
        return [(match.group(2), int(match.group(3))) for match in matches if match]


class Broker(Child):
    """mosquitto, which has on its disk what it has changed.

    It acknowledges a message a moment before that is on its disk, but only once it has written it to a subscriber that is
    there. So with `subscriber`, the name of one whose session it keeps, it is killed only while that one is there.
    """

    def __init__(self, folder: pathlib.Path, subscriber: str = "", more: str = "allow_anonymous true\n") -> None:
        super().__init__(folder / "mosquitto.log")
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._subscriber = subscriber
        self._file = folder / "mosquitto.conf"
        # As root it would change to a user who cannot read the test's files.
        self._file.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            "autosave_interval 1\nautosave_on_changes true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
            f"log_dest stderr\nlog_type all\n{more}")

    def words(self) -> list:
        return ["mosquitto", "-c", self._file]

    def start(self) -> None:
        super().start()
        self.wait_for("running")

    def kill(self) -> None:
        if self._process is not None and self._subscriber:
            self.wait_for(f"Sending CONNACK to {self._subscriber} ")
            time.sleep(0.05)
        super().kill()


class Subscriber(Child):
    """mosquitto_sub with a session that the broker keeps, which takes everything below a topic."""

    def __init__(self, broker: Broker, folder: pathlib.Path, topic: str, name: str = "alarms") -> None:
        super().__init__(folder / "mqtt.txt")
        self._broker, self._topic, self._name = broker, topic, name

    def words(self) -> list:
        return ["mosquitto_sub", "-h", "127.0.0.1", "-p", self._broker.port, "-i", self._name, "-c", "-q", "1",
                "-t", f"{self._topic}/#", "-F", "%t %x"]

    def start(self) -> None:
        super().start()
        self._broker.wait_for(f"Sending SUBACK to {self._name}")

    def messages(self) -> list[tuple[str, bytes]]:
        """Topic and payload of each, doubles too, in their order."""
        lines = [line for line in self.log.read_text().split("\n")[:-1] if line.startswith(self._topic)]
        return [(topic, bytes.fromhex(payload)) for topic, _, payload in (line.partition(" ") for line in lines)]


class RtspServer(Child):
    """GStreamer's RTSP server with a looped clip of 320 x 240 at 10 frames per second."""

    def __init__(self, folder: pathlib.Path, pictures: pathlib.Path, codec: str = "jpeg") -> None:
        super().__init__(folder / "rtsp.log")
        self.port = free_port()
        self.url = f"rtsp://viewer:hidden@127.0.0.1:{self.port}/line"
        self.shown_url = f"rtsp://127.0.0.1:{self.port}/line"
        self._pictures, self._codec = pictures, codec

    def words(self) -> list:
        return ["/usr/bin/python3", ROOT / "tests" / "system" / "rtsp_server.py", self._pictures, 320, 240, 10, self.port,
                "viewer", "hidden", self._codec]

    def start(self) -> None:
        super().start()
        self.wait_for(f"{self.port}\n")  # scripts/setup.sh --tests brings GStreamer's RTSP server


class Outages(threading.Thread):
    """Kills each of these in turn, and begins it again, in an order and at moments of this seed, until `end`."""

    def __init__(self, seed: int, *children: Child) -> None:
        super().__init__()
        self._moment = random.Random(seed)
        self._children = children
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self.times: dict[str, int] = {type(child).__name__: 0 for child in children}

    def run(self) -> None:
        try:
            turns: list[Child] = []
            while not self._ended.wait(self._moment.uniform(0.2, 1.5)):
                if not turns:
                    turns = self._moment.sample(self._children, len(self._children))
                child = turns.pop()
                child.kill()
                time.sleep(self._moment.uniform(0, 1))
                child.start()
                self.times[type(child).__name__] += 1
        except BaseException as error:  # told by `end`
            self._error = error

    def end(self) -> None:
        self._ended.set()
        self.join()
        if self._error is not None:
            raise self._error
