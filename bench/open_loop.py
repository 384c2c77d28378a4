#!/usr/bin/env python3
"""An open-loop load generator: requests leave at times fixed beforehand, however slow the answers are.

A generator that waits for an answer before it asks again slows down with the server, and so hides what a user of
an overloaded server meets. Here each request has a planned time, its latency counts from then, and the generator
checks itself: `late_ms` says how late requests left, and a run whose generator was late is not `valid`.
`--closed N` is the other kind, for measuring the capacity: N clients, each asks as soon as it is answered.

  bench/open_loop.py http://127.0.0.1:8000/v2/models/m/infer --body body.json --rate 200 --seconds 5

Bounded: --max-outstanding requests at once (more are counted as unsent), and --grace seconds after the last one.
An answer of 429 counts as refused; with --retries it is asked again when the server said, its latency still counted
from the first planned time. Ctrl-C ends the load early and reports. Standard library only: one thread, non-blocking sockets, epoll.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import random
import resource
import signal
import sys
import urllib.parse

from generator import Ask, Generator

LATE_LIMIT_MS = 5.0  # of the 99th percentile; beyond it the load was not what was asked for


def quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    at = lambda q: round(1000 * ordered[min(int(q * len(ordered)), len(ordered) - 1)], 3)
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": round(1000 * ordered[-1], 3)}


def summary(asks: list[Ask], options: argparse.Namespace) -> dict:
    """What happened between the warm-up and the end of the planned load."""
    first, last = options.warmup, options.warmup + options.seconds
    inside = [ask for ask in asks if first <= ask.planned < last]
    answered = [ask for ask in asks if ask.status == 200 and first <= ask.done < last]
    good_s = options.good_ms / 1000 if options.good_ms else float("inf")
    by_status = collections.Counter(str(ask.status) for ask in inside if ask.status)
    failed = collections.Counter(ask.why or "unanswered" for ask in inside if not ask.status)
    late = quantiles([ask.late for ask in inside if ask.why != "unsent"])
    done = sorted(ask.done for ask in answered)
    rate = (len(done) - 1) / (done[-1] - done[0]) if len(done) > 1 and done[-1] > done[0] else 0.0
    return {
        "planned": len(inside), "seconds": options.seconds, "offered_per_second": round(len(inside) / options.seconds, 2),
        "by_status": dict(by_status), "failed": dict(failed), "failures": sum(failed.values()),
        "answered_per_second": round(rate, 3),  # between the first and the last answer
        "good_per_second": round(sum(ask.done - ask.planned <= good_s for ask in answered) / options.seconds, 3),
        "latency_ms": quantiles([ask.done - ask.planned for ask in inside if ask.status == 200]),
        "refusal_ms": quantiles([ask.done - ask.sent for ask in inside if ask.status == 429]),
        "late_ms": late, "valid": late.get("p99", 0.0) <= LATE_LIMIT_MS and "unsent" not in failed,
    }


def planned_times(options: argparse.Namespace) -> list[float]:
    if options.closed:
        return []
    total = options.warmup + options.seconds
    if options.poisson is None:
        return [i / options.rate for i in range(int(total * options.rate))]
    dice, when, times = random.Random(options.poisson), 0.0, []
    while (when := when + dice.expovariate(options.rate)) < total:
        times.append(when)
    return times


def request_bytes(url: urllib.parse.SplitResult, options: argparse.Namespace) -> bytes:
    body = options.body.read_bytes()
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"POST {path} HTTP/1.1", f"Host: {url.netloc}", f"Content-Type: {options.content_type}",
             f"Content-Length: {len(body)}", *options.header]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--body", type=pathlib.Path, required=True, help="file that each request carries")
    parser.add_argument("--content-type", default="application/json")
    parser.add_argument("--header", action="append", default=[], help="one more, such as 'Name: value'")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--rate", type=float, help="requests a second")
    kind.add_argument("--closed", type=int, default=0, help="a closed loop of this many clients instead")
    parser.add_argument("--poisson", type=int, metavar="SEED", help="gaps of a Poisson process; else they are equal")
    parser.add_argument("--seconds", type=float, default=5, help="measured time (5)")
    parser.add_argument("--warmup", type=float, default=0, help="seconds of the same load before (0)")
    parser.add_argument("--grace", type=float, default=10, help="seconds that answers may take after the end (10)")
    parser.add_argument("--connections", type=int, default=0, help="at most so many; requests wait for one (no limit)")
    parser.add_argument("--max-outstanding", type=int, default=3500, help="requests under way at once (3500)")
    parser.add_argument("--retries", type=int, default=0, help="times that a 429 is asked again when it said (0)")
    parser.add_argument("--good-ms", type=float, default=0, help="an answer counts as good up to this latency")
    parser.add_argument("--answers", type=pathlib.Path, help="file for one JSON line per request")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    url = urllib.parse.urlsplit(options.url)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    payload = request_bytes(url, options)
    generator = Generator((url.hostname or "127.0.0.1", url.port or 80), payload, options)
    signal.signal(signal.SIGINT, lambda *_: setattr(generator, "stopped", True))
    asks = generator.run(planned_times(options))
    if asks and not options.closed:
        options.seconds = min(options.seconds, max(asks[-1].planned - options.warmup, 0.0) + 1 / options.rate)
    result = {**summary(asks, options), "connections_opened": generator.opened, "started": generator.start}
    if options.answers:
        with options.answers.open("w") as out:
            for ask in asks:
                out.write(json.dumps({name: getattr(ask, name) for name in Ask.__slots__}) + "\n")
    print(json.dumps(result))
    return 0 if result["valid"] else 3


if __name__ == "__main__":
    sys.exit(main())
