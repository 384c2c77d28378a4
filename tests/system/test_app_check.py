"""`bascule app check`: what a file of applications says, and what would fire on pictures of a folder."""

import json
import pathlib
import re

import pytest
from bascule import DATA, ROOT, SHARED, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
STEEL = ROOT / "examples/factory/steel.onnx"
TRAYS = DATA / "labelled/trays"
NAMES = ["apple", "banana", "orange"]
NEEDS_SHARED = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared data beside the repository")

TILL = f"""
applications:
  - name: till-1
    source: {{folder: incoming, fps: 2}}
    model: {FRUIT}
    confidence: {{default: 0.25, banana: 0.3}}
    zones:
      left: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
      right: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]
    rules:
      - name: bananas
        when: '[.results[] | select(.name == "banana")] | select(length >= 2) | length'
        cooldown: 5s
        sinks: [log]
      - name: oranges on the left
        when: any(.results[]; .name == "orange" and .zone == "left")
        for: 1 of 2 frames
        severity: info
    sinks:
      log: {{jsonl: events.jsonl}}
      alarm: {{webhook: "http://127.0.0.1:9000/alert", allow_private: true}}
"""


@pytest.fixture
def till(tmp_path):
    file = tmp_path / "till.yaml"
    file.write_text(TILL)
    return file


def replay(file, folder, *args):
    done = run_cli("app", "check", file, "--replay", folder, "--json", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def boxes(labels: pathlib.Path):
    return [line.split() for line in labels.read_text().splitlines()]


def test_it_says_what_would_be_run(till):
    done = run_cli("app", "check", till)
    assert done.returncode == 0, done.stderr
    for part in ("till-1", "folder incoming", str(FRUIT), "0.3 for banana", "zones    left, right", "cooldown 5 s",
                 "to log", "for 1 of 2 frames", "jsonl events.jsonl", "webhook http://127.0.0.1:9000/alert"):
        assert part in done.stdout, (part, done.stdout)


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("select(length >= 2)", "select(length >=> 2)"), 12, "the rule 'bananas' does not compile"),
        (("cooldown: 5s", "cooldwon: 5s"), 13, "did you mean 'cooldown'?"),
        (("sinks: [log]", "sinks: [lag]"), 14, "did you mean 'log'?"),
        (("{folder: incoming", "{foldr: incoming"), 4, "did you mean 'folder'?"),
        (("[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]", "[[0, 0], [0.5, 0]]"), 8, "at least 3"),
    ],
)
def test_what_is_wrong_has_its_line(till, change, line, said):
    assert change[0] in TILL
    till.write_text(TILL.replace(*change))
    done = run_cli("app", "check", till)
    assert done.returncode == 2
    assert f"{till}:{line}:" in done.stderr and said in done.stderr, done.stderr
    if "compile" in said:
        assert "syntax error" in done.stderr and "select(length >=> 2)" in done.stderr


def test_wrong_usage(till, tmp_path):
    for args in (["check"], ["chek", till], ["check", till, "--labels"], ["check", till, "--fps", "0"]):
        assert run_cli("app", *args).returncode == 2, args
    (tmp_path / "none.yaml").write_text("models: [a.onnx]\n")
    done = run_cli("app", "check", tmp_path / "none.yaml")
    assert done.returncode == 2 and "no applications" in done.stderr
    done = run_cli("app", "check", till, "--replay", tmp_path / "nothing")
    assert done.returncode == 1


def test_labels_in_place_of_the_model(till):
    frames = replay(till, TRAYS, "--labels")
    assert [pathlib.Path(f["picture"]).name for f in frames] == [f"fruit_101_{n}.jpg" for n in ("0001", "0002", "0011")]
    for frame in frames:
        name = pathlib.Path(frame["picture"]).stem
        labelled = boxes(TRAYS / f"labels/{name}.txt")
        results = frame["scene"]["results"]
        assert sorted(r["name"] for r in results) == sorted(NAMES[int(row[0])] for row in labelled)
        for result in results:
            assert result["zone"] == ("left" if result["box"]["x1"] + result["box"]["x2"] < 1280 else "right")
            assert result["track_id"] is None and 0 < result["area_fraction"] < 1
    # Three bananas, none, two: one a second, the rule may fire again after five.
    fired = [[e["rule"] for e in f["events"]] for f in frames]
    assert [r.count("bananas") for r in fired] == [1, 0, 0]
    assert frames[0]["events"][0]["value"] == 3
    assert [r.count("bananas") for r in [[e["rule"] for e in f["events"]] for f in replay(till, TRAYS, "--labels", "--fps", "0.2")]] == [1, 0, 1]
    assert frames[-1]["scene"]["app_state"]["counts"]["frames"] == 3


def test_the_same_frames_give_the_same_events(till):
    first = [e["id"] for f in replay(till, TRAYS, "--labels") for e in f["events"]]
    assert first and first == [e["id"] for f in replay(till, TRAYS, "--labels") for e in f["events"]]
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in first) and len(set(first)) == len(first)


def test_results_are_those_of_predict(tmp_path):
    file = tmp_path / "plain.yaml"
    file.write_text(f"applications: [{{name: plain, source: {{push: true}}, model: {FRUIT}}}]\n")
    predicted = json.loads(run_cli("predict", FRUIT, TRAYS / "images", "--json").stdout)["images"]
    frames = replay(file, TRAYS)
    assert len(frames) == len(predicted) == 3
    for frame, image in zip(frames, predicted):
        plain = [{k: v for k, v in r.items() if k not in ("track_id", "zone", "zones", "area_fraction")}
                 for r in frame["scene"]["results"]]
        assert plain == image["results"] and plain


def test_a_table_for_people(till):
    done = run_cli("app", "check", till, "--replay", TRAYS, "--labels")
    assert done.returncode == 0, done.stderr
    assert re.search(r"1 +0\.00 s +fruit_101_0001\.jpg +3 banana, 1 orange +bananas \(alert\)", done.stdout), done.stdout
    assert "3 frames, 10 objects" in done.stdout


def test_a_rule_that_fails_and_one_without_an_end(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(
        """
applications:
  - name: rules
    source: {labels: none}
    names: [apple, banana, orange]
    rules:
      - {name: broken, when: '.results[0].name + 1'}
      - {name: endless, when: 'if .frame == 2 then last(range(1e12)) else false end'}
      - {name: good, when: '.frame == 2'}
"""
    )
    frames = replay(file, TRAYS, "--labels")
    assert [f["stuck"] for f in frames] == [False, True, False]
    (event,) = frames[0]["events"]
    assert event["kind"] == "rule_failed" and "cannot be added" in event["error"] and event["severity"] == "warning"
    assert [e["rule"] for e in frames[1]["events"]] == ["good"]


def test_tiles_find_small_things_that_the_whole_frame_does_not_show(tmp_path):
    """Sixteen trays side by side, scaled into the model's input as one, and in tiles of a tray's width."""
    Image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "wide"
    folder.mkdir()
    tray = Image.open(TRAYS / "images/fruit_101_0011.jpg")
    wide = Image.new("RGB", (tray.width * 4, tray.height * 4))
    for i in range(16):
        wide.paste(tray, (tray.width * (i % 4), tray.height * (i // 4)))
    wide.save(folder / "wide.png")

    def count(extra):
        file = tmp_path / "wide.yaml"
        file.write_text(f"applications: [{{name: wide, source: {{push: true}}, model: {FRUIT}{extra}}}]\n")
        (frame,) = replay(file, folder)
        return len(frame["scene"]["results"])

    whole, tiled = count(""), count(", tiles: {size: 1280, overlap: 0.3}")
    one = len(json.loads(run_cli("predict", FRUIT, TRAYS / "images/fruit_101_0011.jpg", "--json").stdout)["images"][0]["results"])
    assert one == 5 and abs(tiled - 16 * one) <= 8, (whole, tiled)
    assert whole < tiled / 2


@NEEDS_SHARED
def test_every_item_of_the_belts(tmp_path):
    file = tmp_path / "belt.yaml"
    file.write_text(
        "applications: [{name: belt, source: {labels: belts}, names: [apple, banana, orange], track: true}]\n"
    )
    frames = replay(file, SHARED / "data/belts", "--labels")
    assert [len(f["scene"]["results"]) for f in frames] == [26, 26]
    assert {r["track_id"] for r in frames[0]["scene"]["results"]} == {str(n) for n in range(1, 27)}


@NEEDS_SHARED
def test_scratches_on_plates_of_twelve_megapixels(tmp_path, figure):
    """What is labelled on the plates and found in tiles, for the record; a scratch that is found lies in its zone."""
    file = tmp_path / "plates.yaml"
    file.write_text(
        f"""
applications:
  - name: line-3
    source: {{folder: incoming}}
    model: {STEEL}
    tiles: {{size: 400, overlap: 0.4}}
    zones: {{plate: [[0, 0], [1, 0], [1, 1], [0, 1]]}}
    rules:
      - name: scratch
        when: any(.results[]; .name == "scratches" and .zone == "plate")
"""
    )
    frames = replay(file, SHARED / "data/plates")
    assert len(frames) == 3
    found = labelled = 0
    for frame in frames:
        scene = frame["scene"]
        assert (scene["width"], scene["height"]) == (4000, 3000)
        for row in boxes(SHARED / f"data/plates/labels/{pathlib.Path(frame['picture']).stem}.txt"):
            x, y = float(row[1]) * 4000, float(row[2]) * 3000
            labelled += 1
            found += any(b["x1"] <= x <= b["x2"] and b["y1"] <= y <= b["y2"] for b in (r["box"] for r in scene["results"]))
        scratch = any(r["name"] == "scratches" for r in scene["results"])
        assert [e["rule"] for e in frame["events"]] == ["scratch"] * scratch
    figure(f"plates in tiles: {found} of {labelled} labelled defects found")
    assert found >= labelled * 0.6
