"""A request that has the server for itself is computed by all cores; one among others by its own."""

from __future__ import annotations

import http.client
import os
import pathlib
import threading

import pytest
from bascule import ROOT, Server, multipart, run_cli

FRUIT = ROOT / "examples" / "checkout" / "fruit.onnx"
PICTURE = ROOT / "examples" / "checkout" / "pictures" / "fruit_101_0008.jpg"
MOST = 200  # requests until a model that is loaded in the background has to be there
HELPED_MS = 5  # of a thread beside the worker: a wide run or two; where they gain nothing there are four

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


def ask(server: Server, times: int, answers: list[bytes] | None = None, until=lambda: False) -> None:
    """One request after the other, the picture as it is."""
    body, content_type = multipart({"imgsz": 640}, PICTURE.read_bytes())
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(times):
        connection.request("POST", "/models/fruit/predict", body, {"Content-Type": content_type})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        if answers is not None:
            answers.append(boxes(answer))
        if until():
            break
    connection.close()


def boxes(answer: bytes) -> bytes:
    """Without what differs from request to request."""
    return answer[answer.index(b'"results"'):answer.index(b'"speed"')] if b'"speed"' in answer else answer


def computed(server: Server, name: str = "") -> float:
    """Milliseconds of the server's threads whose names begin so."""
    total = 0
    for thread in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        try:
            if (thread / "comm").read_text().startswith(name):
                total += int((thread / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            pass  # it has ended
    return total / 1e6


def test_a_lone_client_has_all_cores_and_the_same_answers():
    alone: list[bytes] = []
    with Server(FRUIT, "--lone-threads", "1") as server:
        ask(server, 3, alone)
        ask(server, 20)
        assert computed(server, "engine") == pytest.approx(computed(server, "engine-maker"))
    answers: list[bytes] = []
    with Server(FRUIT) as server:
        before = computed(server, "engine")
        ask(server, MOST, answers, until=lambda: computed(server, "engine") > before + HELPED_MS)
        assert computed(server, "engine") > before + HELPED_MS, "no thread helped with a run"
        ask(server, 20, answers)
    assert set(answers) == set(alone), "other boxes"


def test_beside_others_a_run_has_its_own_core():
    with Server(FRUIT) as server:
        ask(server, MOST, until=lambda: computed(server, "engine") > HELPED_MS)
        ask(server, 20)
        helped, all_of_it = computed(server, "engine"), computed(server)
        clients = [threading.Thread(target=ask, args=(server, 15)) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        share = (computed(server, "engine") - helped) / (computed(server) - all_of_it)
        assert share < 0.2, "half of it, and more, where all cores compute each run"


def test_who_sets_threads_has_those():
    def lone(*options: str) -> str:
        done = run_cli("inspect", FRUIT, *options)
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("lone_threads")]
        return line.split()[1] if "auto:" not in line else line.split()[2]

    cores = min(len(os.sched_getaffinity(0)), 8)
    assert lone() == str(cores)
    assert lone("--threads", "1") == "1"
    assert lone("--instances", "1", "--threads", "2") == "2"
    assert lone("--threads", "1", "--lone-threads", "3") == "3"
