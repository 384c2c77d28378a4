"""One client after the other against several at once: what all cores for a lone request gain, and cost."""

from __future__ import annotations

from common import BUS, FRUIT, TRAY, Bench, Part, Row, Skip, median, multipart, spread
from pipeline import check_answer

NAME = "lone"
TITLE = "One client alone"
HOW = """The fruit detector, asked with JPEGs at 640 by one client, by two and by eight without a pause (`wrk`, which shares all cores with
the server), beside the same server with `--lone-threads 1`, which computes each request on one core, by turns. What is gained for one client is
not to be lost for many: their requests come while others run, and are computed by one core each in both servers."""

CLIENTS = (1, 2, 8)
GAIN = 1.15  # for one client
LOSS = 0.95  # for many
STEADY = {GAIN: 0.3, LOSS: 0.1}  # rounds further apart decide nothing
WARM_S = 3  # until the model is loaded once more, and both ways were tried


def run(bench: Bench, part: Part) -> None:
    cores = bench.all_cores
    if len(cores) == 1:
        raise Skip("there is one core only")
    body, content_type = multipart(bench.folder, BUS if BUS.exists() else TRAY, imgsz=640)
    load = lambda server, clients, seconds: bench.wrk(f"{server.url}/models/fruit/predict", clients, seconds, body, content_type,
                                                      cores=cores)["per_second"]
    with bench.server(FRUIT, cores=cores) as lone, bench.server(FRUIT, "--lone-threads", 1, cores=cores) as usual:
        for server in (lone, usual):
            check_answer(server, body, content_type)
            load(server, 1, bench.options.seconds if bench.options.smoke else WARM_S)
        for clients in CLIENTS[: 1 if bench.options.smoke else None]:
            rates = [(load(lone, clients, bench.options.seconds), load(usual, clients, bench.options.seconds)) for _ in bench.rounds()]
            ratios = [one / other for one, other in rates]
            ratio, low_high, goal = median(ratios), spread(ratios), GAIN if clients == 1 else LOSS
            rate, other = (median([pair[i] for pair in rates]) for i in (0, 1))
            part.add(Row(f"{clients} client{'s' if clients > 1 else ''}, {len(cores)} cores",
                         f"{ratio:.2f} of the answers with one core each ({low_high[0]:.2f} to {low_high[1]:.2f})   {rate:.1f} requests/s, "
                         f"with one core each {other:.1f}", f">= {goal:g}", ratio >= goal, low_high[1] - low_high[0] <= STEADY[goal],
                         {"ratio": ratio, "range": low_high, "per_second": rate, "usual_per_second": other}))
        part.add(Row("resident memory", f"{lone.resident_mb():.0f} MB, with one core each {usual.resident_mb():.0f} MB", "", None, True,
                     {"mb": lone.resident_mb(), "usual_mb": usual.resident_mb()}))
