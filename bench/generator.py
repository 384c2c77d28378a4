"""The engine of open_loop.py: one thread, non-blocking sockets, epoll."""

from __future__ import annotations

import argparse
import collections
import errno
import gc
import heapq
import re
import select
import socket
import time

CLOCK = time.monotonic
READ = 1 << 18
KEEP = re.compile(rb'"model_version"\s*:\s*"(\d*)"')


class Ask:
    """One request: when it was planned, sent and answered, in seconds since the start, and its status."""

    __slots__ = ("planned", "due", "sent", "done", "status", "why", "late", "retries", "version")

    def __init__(self, planned: float) -> None:
        self.planned, self.due = planned, planned
        self.sent = self.done = self.late = 0.0
        self.status, self.why, self.retries, self.version = 0, "", 0, ""


class Connection:
    __slots__ = ("socket", "out", "data", "ask", "fresh")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.out, self.data, self.ask, self.fresh = memoryview(b""), bytearray(), None, True
        code = self.socket.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")


def parse_answer(data: bytearray) -> tuple[int, bytes, bytes] | None:
    """Status, head and body, once all of it is there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    length = re.search(rb"\r\ncontent-length: *(\d+)", head)
    size = int(length.group(1)) if length else 0
    if len(data) < end + 4 + size:
        return None
    return int(head[9:12]), head, bytes(data[end + 4 : end + 4 + size])


class Generator:
    """Sends `payload` at the planned times, or from `clients` closed loops where there are no times."""

    def __init__(self, address: tuple[str, int], payload: bytes, options: argparse.Namespace) -> None:
        self.address, self.payload, self.options = address, memoryview(payload), options
        self.epoll = select.epoll()
        self.by_fd: dict[int, Connection] = {}
        self.idle: list[Connection] = []
        self.waiting: collections.deque[Ask] = collections.deque()  # for a connection
        self.again: list[tuple[float, int, Ask]] = []
        self.asks: list[Ask] = []
        self.opened = 0
        self.start = 0.0
        self.stopped = False  # nothing more is planned

    def now(self) -> float:
        return CLOCK() - self.start

    def run(self, times: list[float]) -> list[Ask]:
        gc.collect()
        gc.disable()
        self.asks = [Ask(when) for when in times]
        self.start = CLOCK() + 0.05
        end = self.options.warmup + self.options.seconds
        if not times:
            for _ in range(self.options.closed):
                self.next_closed(end)
        upcoming = 0
        while True:
            now = self.now()
            if self.stopped:
                del times[upcoming:], self.asks[upcoming:]
                self.stopped, end = False, now
            while upcoming < len(times) and times[upcoming] <= now:
                self.dispatch(self.asks[upcoming], now)
                upcoming += 1
            while self.again and self.again[0][0] <= now:
                self.dispatch(heapq.heappop(self.again)[2], now)
            busy = len(self.by_fd) - len(self.idle)
            if upcoming == len(times) and not busy and not self.waiting and not self.again and now >= 0:
                break
            if now > end + self.options.grace:
                break
            wake = min(times[upcoming] if upcoming < len(times) else now + 0.1,
                       self.again[0][0] if self.again else now + 0.1)
            # select() takes microseconds, epoll's own wait only milliseconds
            select.select([self.epoll], [], [], max(0.0, min(wake - now, 0.1)))
            for fd, events in self.epoll.poll(0):
                self.on_event(self.by_fd[fd], events)
        gc.enable()
        return self.asks

    def next_closed(self, end: float) -> None:
        now = max(self.now(), 0.0)
        if now >= end:
            return
        ask = Ask(now)
        self.asks.append(ask)
        self.dispatch(ask, now)

    def dispatch(self, ask: Ask, now: float) -> None:
        if len(self.by_fd) - len(self.idle) + len(self.waiting) >= self.options.max_outstanding:
            ask.why = "unsent"
            return
        ask.late = max(now - ask.due, 0.0)
        connection = None
        if self.idle:
            connection = self.idle.pop()
        elif len(self.by_fd) < (self.options.connections or self.options.max_outstanding):
            connection = self.connect(ask)
            if connection is None:
                return
        if connection is None:
            self.waiting.append(ask)
        else:
            self.send(connection, ask)

    def connect(self, ask: Ask) -> Connection | None:
        try:
            connection = Connection(self.address)
        except OSError as error:
            self.finish(ask, 0, errno.errorcode.get(error.errno or 0, "connect"))
            return None
        self.opened += 1
        fd = connection.socket.fileno()
        self.by_fd[fd] = connection
        self.epoll.register(fd, select.EPOLLIN)
        return connection

    def send(self, connection: Connection, ask: Ask) -> None:
        ask.sent = self.now()
        connection.ask, connection.out = ask, self.payload
        connection.data.clear()
        self.push(connection)

    def push(self, connection: Connection) -> None:
        try:
            while connection.out:
                connection.out = connection.out[connection.socket.send(connection.out) :]
            self.epoll.modify(connection.socket.fileno(), select.EPOLLIN)
        except BlockingIOError:
            self.epoll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        except OSError as error:
            if error.errno in (errno.ENOTCONN, errno.EALREADY):
                self.epoll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
                return
            # The server closed in the middle of the request; what it said before may still be read.
            self.epoll.modify(connection.socket.fileno(), select.EPOLLIN)

    def on_event(self, connection: Connection, events: int) -> None:
        if events & ~select.EPOLLOUT:
            self.pull(connection)
        elif connection.out:
            self.push(connection)

    def pull(self, connection: Connection) -> None:
        why = ""
        try:
            read = connection.socket.recv(READ)
            connection.data += read
            why = "" if read else "closed"
        except BlockingIOError:
            return
        except OSError as error:
            why = errno.errorcode.get(error.errno or 0, "error").lower()
        ask = connection.ask
        answer = parse_answer(connection.data) if ask is not None else None
        if answer is None and not why:
            return
        if answer is None:
            self.drop(connection)
            if ask is None:
                return
            if not connection.fresh and not connection.data and why in ("closed", "econnreset", "epipe"):
                fresh = self.connect(ask)  # an idle connection that the server had closed: any client asks again
                return self.send(fresh, ask) if fresh else None
            return self.finish(ask, 0, why)
        status, head, body = answer
        # What was answered before it was read cannot be followed by another request on this connection.
        if connection.out or why or b"\r\nconnection: close" in head:
            self.drop(connection)
        else:
            connection.ask, connection.fresh = None, False
            self.idle.append(connection)
        if found := KEEP.search(body[:4096]):
            ask.version = found.group(1).decode()
        self.answered(ask, status, head)

    def answered(self, ask: Ask, status: int, head: bytes) -> None:
        wait = re.search(rb"\r\nretry-after-ms: *(\d+)", head)
        if status == 429 and wait and ask.retries < self.options.retries:
            ask.retries += 1
            ask.due = self.now() + int(wait.group(1)) / 1000
            heapq.heappush(self.again, (ask.due, id(ask), ask))
            self.serve_waiting()
            return
        self.finish(ask, status, "")

    def drop(self, connection: Connection) -> None:
        if connection in self.idle:
            self.idle.remove(connection)
        del self.by_fd[connection.socket.fileno()]
        connection.socket.close()

    def finish(self, ask: Ask, status: int, why: str) -> None:
        ask.done, ask.status, ask.why = self.now(), status, why
        if self.options.closed:
            self.next_closed(self.options.warmup + self.options.seconds)
        self.serve_waiting()

    def serve_waiting(self) -> None:
        if self.waiting and (self.idle or len(self.by_fd) < self.options.connections):
            waited = self.waiting.popleft()
            connection = self.idle.pop() if self.idle else self.connect(waited)
            if connection:
                self.send(connection, waited)
