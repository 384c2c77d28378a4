"""Raw tensors at saturation: the server's requests a second over the engine's runs a second."""

from __future__ import annotations

from common import FRUIT, Bench, Part, Row, binary_body, median, spread

NAME = "throughput"
TITLE = "Raw tensors at saturation"
HOW = """The fruit detector on 1 x 3 x 640 x 640 floats (4.9 MB a request, binary v2, the answer binary too). The worker, which computes,
is pinned to one core, and with it, in turns, the bare engine loop; the server's I/O thread and the clients have the
other core."""

CLIENTS = (1, 2, 4, 8)
GOAL = {1: 0.90, 4: 0.97, 8: 0.97}
STEADY_SPREAD = 0.1
FASTER = 1.05  # than the engine inside it a server cannot be; the two have their memory in other places


def run(bench: Bench, part: Part) -> None:
    body, head = binary_body(bench.folder, "fruit640", "images", [1, 3, 640, 640])
    extra = ["--content-type", "application/octet-stream", "--header", f"Inference-Header-Content-Length: {head}"]
    seconds = max(bench.options.seconds, 1 if bench.options.smoke else 3)  # 15 runs a second: fewer would be coarse
    with bench.server(FRUIT, "--queue-budget-ms", 0) as server:
        server.pin_threads("io", bench.driver_cores[0])
        url = f"{server.url}/v2/models/fruit/infer"
        engine = lambda: bench.bare(bench.server_cores, "bare_engine", "--model", FRUIT, "--shape", "1,3,640,640",
                                    "--seconds", seconds)["per_second"]
        bench.load(url, body, *extra, "--closed", 1, "--seconds", 0.5)  # warm
        for clients in CLIENTS if not bench.options.smoke else CLIENTS[:1]:
            ratios = []
            for _ in bench.rounds():
                before = engine()
                result = bench.load(url, body, *extra, "--closed", clients, "--seconds", seconds, "--warmup", 0.3)
                ratios.append(result["answered_per_second"] / ((before + engine()) / 2))
            ratio, low_high = median(ratios), spread(ratios)
            goal = GOAL.get(clients)
            part.add(Row(f"{clients} client{'s' if clients > 1 else ''}",
                         f"{ratio:.3f} of the bare engine ({low_high[0]:.3f} to {low_high[1]:.3f})",
                         f">= {goal}" if goal else "", ratio >= goal if goal else None,
                         low_high[1] - low_high[0] <= STEADY_SPREAD and ratio <= FASTER,
                         {"clients": clients, "ratio": ratio, "range": low_high}))
