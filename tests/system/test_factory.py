"""The plant of examples/factory, as its README starts it."""

from __future__ import annotations

import csv
import json
import os
import subprocess

from bascule import BINARY, ROOT

FACTORY = ROOT / "examples" / "factory"


def test_the_plant_runs_in_one_command_and_alerts(tmp_path):
    done = subprocess.run(
        [FACTORY / "demo.sh", "--once"], env={**os.environ, "BASCULE": str(BINARY), "WORK": str(tmp_path), "PORT": "0"},
        capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    scratches = [event for event in events if event["rule"] == "scratch"]
    assert scratches, "plate_103_0002.jpg has three"
    for event in scratches:
        assert event["severity"] == "alert" and any(one["name"] == "scratches" for one in event["results"])
        assert (tmp_path / "alerts" / f"{event['id']}.jpg").read_bytes().startswith(b"\xff\xd8")
    assert done.stdout.count("ALERT plates: scratch") == len(scratches)
    with (tmp_path / "events.csv").open() as table:
        assert len(list(csv.DictReader(table))) == len(events)
    with (tmp_path / "days.csv").open(newline="") as table:
        counted = {(row["what"], row["rule"], row["class"]): int(row["count"]) for row in csv.DictReader(table)}
    found = {event["frame"]: event["results"] for event in events}
    wanted = sum(one["name"] == "scratches" for results in found.values() for one in results)
    assert counted["objects", "", "scratches"] >= wanted > 0  # outside of the zone, too
    assert counted["events_with", "scratch", "scratches"] == counted["events", "scratch", ""] == len(scratches)
    assert counted["frames", "", ""] == len(list((FACTORY / "pictures").glob("*.jpg")))
    assert ",objects,,scratches," in done.stdout
    assert (tmp_path / "last.jpg").read_bytes().startswith(b"\xff\xd8")
    parts = [json.loads(line) for line in (tmp_path / "parts.jsonl").read_text().splitlines()]
    assert [(event["frame"], event["value"]) for event in parts] == [
        (2, {"degrees": 4.3, "pixels": 6}), (3, {"degrees": 0.7, "pixels": 31}), (4, "a mark is missing")]
