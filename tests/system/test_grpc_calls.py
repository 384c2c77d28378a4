"""gRPC calls that end otherwise than with their answer: cancelled, late, or when the server stops."""

from __future__ import annotations

import random
import threading
import time

import grpc
import numpy as np
import pytest
from bascule import DATA, Server
from tritonclient.grpc import service_pb2

ADD_ONE = DATA / "general" / "add_one.onnx"
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
CLIENTS = 32
ENDS = {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}


@pytest.fixture(params=[0, 200], ids=["run where they are read", "gathered and run by workers"])
def server(request):
    with Server(ADD_ONE, "--grpc-port", 0, "--max-queue-delay-microseconds", request.param) as running:
        yield running


def message(value: float) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name="add_one")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 16])
    request.raw_input_contents.append(np.full(16, value, np.float32).tobytes())
    return request


def own_channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def infer_of(channel: grpc.Channel):
    return channel.unary_unary(INFER, request_serializer=service_pb2.ModelInferRequest.SerializeToString,
                               response_deserializer=service_pb2.ModelInferResponse.FromString)


def is_answer(response: service_pb2.ModelInferResponse, value: float) -> bool:
    return np.frombuffer(response.raw_output_contents[0], np.float32).tolist() == [value + 1] * 16


class Clients:
    """Threads that ask, each by a connection of its own, and sometimes cancel, or give too little time."""

    def __init__(self, address: str, count: int, calls: int) -> None:
        self.ends: list[grpc.StatusCode] = []
        self.wrong = 0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(address, number, calls)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, address: str, seed: int, calls: int) -> None:
        dice = random.Random(seed)
        with own_channel(address) as channel:
            infer = infer_of(channel)
            for number in range(calls):
                value = seed * 1000 + number
                future = infer.future(message(value), timeout=dice.choice([30, 30, 30, 0.0005, 0.002]))
                if dice.random() < 0.2:
                    time.sleep(dice.choice([0, 0, 0.0005]))  # cancelled before, while and after it is answered
                    future.cancel()
                code = grpc.StatusCode.CANCELLED if future.cancelled() else future.code()
                self.ends.append(code)
                if code == grpc.StatusCode.OK and not is_answer(future.result(), value):
                    self.wrong += 1
                if self.stop.is_set():
                    return

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        assert self.wrong == 0 and set(self.ends) <= ENDS, set(self.ends)


def test_cancelled_and_late_calls_disturb_no_others(server):
    clients = Clients(server.grpc_address(), CLIENTS, 60)
    clients.join()
    assert {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED} <= set(clients.ends)
    with own_channel(server.grpc_address()) as channel:
        assert is_answer(infer_of(channel)(message(7), timeout=10), 7)


def test_the_end_under_load(server):
    clients = Clients(server.grpc_address(), CLIENTS, 1_000_000)
    while clients.ends.count(grpc.StatusCode.OK) < 200:
        time.sleep(0.01)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 10
    clients.stop.set()
    clients.join()
    assert grpc.StatusCode.UNAVAILABLE in clients.ends


def test_the_end_with_busy_streams(server):
    ends: list[grpc.StatusCode] = []
    answered = threading.Semaphore(0)

    def ask(seed: int) -> None:
        stop = threading.Event()

        def requests():
            value = 0.0
            while not stop.is_set():
                yield message(value)
                value += 1

        with own_channel(server.grpc_address()) as channel:
            stream = channel.stream_stream(
                STREAM, request_serializer=service_pb2.ModelInferRequest.SerializeToString,
                response_deserializer=service_pb2.ModelStreamInferResponse.FromString)(requests(), timeout=60)
            try:
                for number, response in enumerate(stream):
                    assert is_answer(response.infer_response, number)
                    answered.release()
                    if seed % 4 == 0 and number == 50:
                        stream.cancel()
                ends.append(stream.code())
            except grpc.RpcError as error:
                ends.append(error.code())
            finally:
                stop.set()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(500):
        assert answered.acquire(timeout=30)
    server.stop()
    for thread in threads:
        thread.join(60)
    assert len(ends) == 8 and set(ends) <= ENDS, ends


def test_a_watch_of_the_health_is_told_of_the_end():
    with Server(ADD_ONE, "--grpc-port", 0) as server, own_channel(server.grpc_address()) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        known, unknown = watch(b"", timeout=60), watch(b"\x0a\x03any", timeout=60)
        assert (next(known), next(unknown)) == (b"\x08\x01", b"\x08\x03")
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 5
        assert list(known) == [b"\x08\x02"] and list(unknown) == []
