"""Reloads of a 10 MB detector while several clients ask it: no request fails, whatever the file is, and memory rests."""

import pathlib
import shutil
import threading
import time

import pytest
from bascule import DATA, ROOT, Server, has_sanitizer, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = next((ROOT / "examples/checkout/pictures").glob("*.jpg")).read_bytes()
CLIENTS = 4
RELOADS = 20
PAUSE_S = 0.05  # between two requests of a client, so that the machine is not full


class Clients:
    """Ask until told to stop; `failures` holds every reply that is no answer."""

    def __init__(self, server: Server) -> None:
        self.asked, self.failures, self.found = 0, [], set()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(server,)) for _ in range(CLIENTS)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, server: Server) -> None:
        while not self._stop.wait(PAUSE_S):
            reply = server.predict("fruit", PICTURE)
            with self._lock:
                self.asked += 1
                if reply.status != 200:
                    self.failures.append(reply)
                else:
                    self.found.add(len(reply.json()["images"][0]["results"]))


@pytest.fixture
def file(tmp_path) -> pathlib.Path:
    return pathlib.Path(shutil.copy(FRUIT, tmp_path / "fruit.onnx"))


def reload(server: Server):
    return server.call("POST", "/v2/repository/models/fruit/load")


def test_twenty_reloads_lose_nothing(file, figure):
    with Server(file) as server:
        resident = []
        with Clients(server) as clients:
            for number in range(RELOADS):
                if number == RELOADS // 2:
                    good = file.read_bytes()
                    file.write_bytes(good[: len(good) // 2])
                    reply = reload(server)
                    assert reply.status == 400 and "failed to load 'fruit'" in reply.json()["error"], reply
                    index = server.post_json("/v2/repository/index", {}).json()[0]
                    assert index["state"] == "READY" and "last reload failed" in index["reason"], index
                    file.write_bytes(good)
                reply = reload(server)
                assert reply.status == 200, reply
                resident.append(server.memory_kb())
        assert not clients.failures, clients.failures[:3]
        assert clients.asked > RELOADS and len(clients.found) == 1, "all answers are those of the one model"
        metrics = server.metrics()
        assert metrics['bascule_model_loads_total{model="fruit"}'] == RELOADS + 1
        assert metrics['bascule_model_load_failures_total{model="fruit"}'] == 1
        # How far it grows while two are in memory depends on the moment; that it does not go on growing does not.
        time.sleep(0.5)
        after, middle = server.memory_kb(), max(resident[: RELOADS // 2])
        figure(f"{RELOADS} reloads: {clients.asked} requests, {after / 1024:.0f} MB after, {middle / 1024:.0f} before")
        if not has_sanitizer():
            assert after < middle * 1.25, resident


def until(server: Server, series: str, value: float) -> None:
    end = time.monotonic() + 60
    while server.metrics().get(series, 0) < value:
        assert time.monotonic() < end, server.log()
        time.sleep(0.1)


def test_a_watched_file_is_replaced_under_load(file):
    loads = 'bascule_model_loads_total{model="fruit"}'
    failures = 'bascule_model_load_failures_total{model="fruit"}'
    with Server(file, "--watch") as server, Clients(server) as clients:
        good = file.read_bytes()
        file.write_bytes(good)  # in place, as cp does
        until(server, loads, 2)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(good)
        fresh.rename(file)
        until(server, loads, 3)
        file.write_bytes(good[:1000])
        until(server, failures, 1)
        file.write_bytes(good)
        until(server, loads, 4)
        file.unlink()
        end = time.monotonic() + 60
        while server.get("/v2/models/fruit/ready").status != 404:
            assert time.monotonic() < end, server.log()
            time.sleep(0.1)
    refused = [reply for reply in clients.failures if reply.status != 404]
    assert not refused, refused[:3]


def test_what_a_model_reads_beside_its_file_is_watched_too(tmp_path, file):
    for name in ("yolo26n.xml", "yolo26n.bin"):
        shutil.copy(DATA / "openvino_ir" / name, tmp_path / name)
    (tmp_path / "yolo26n.yaml").write_text("warm_up: [samples/tray.jpg]\n")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/tray.jpg").write_bytes(PICTURE)
    weights, sample = tmp_path / "yolo26n.bin", tmp_path / "samples/tray.jpg"
    with Server(tmp_path / "yolo26n.xml", file, "--watch") as server:
        loads = 'bascule_model_loads_total{model="yolo26n"}'
        weights.write_bytes(weights.read_bytes())
        until(server, loads, 2)
        sample.write_bytes(PICTURE)
        until(server, loads, 3)
        weights.write_bytes(weights.read_bytes()[:1000])
        until(server, 'bascule_model_load_failures_total{model="yolo26n"}', 1)
        weights.write_bytes(b"")  # in place, below the model that serves
        assert server.predict("yolo26n", PICTURE).status == 200, "what served goes on"
        # A tune file that appears, changes and goes.
        loads = 'bascule_model_loads_total{model="fruit"}'
        assert server.metrics()[loads] == 1
        assert run_cli("tune", file, "--seconds", 1).returncode == 0
        until(server, loads, 2)
        file.with_suffix(".tune.yaml").unlink()
        until(server, loads, 3)
        time.sleep(1.5)  # two looks: nothing else is a change
        assert server.metrics()[loads] == 3 and server.get("/v2/models/yolo26n/ready").status == 200


def test_a_tune_file_that_the_start_wrote_is_no_change(file):
    with Server(file, "--watch", "--tune", "quick") as server:
        assert file.with_suffix(".tune.yaml").exists()
        time.sleep(1.5)
        assert server.metrics()['bascule_model_loads_total{model="fruit"}'] == 1, server.log()
