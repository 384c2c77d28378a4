"""`bascule tune`: what it finds, keeps, says, and what serve makes of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import xml.etree.ElementTree

import pytest
from bascule import DATA, ROOT, SHARED, Server, run_cli

GOLDEN = ROOT / "tests/golden/tune.txt"
PICTURES = DATA / "pictures"
BFLOAT = "avx512_bf16" in open("/proc/cpuinfo").read() or "amx_bf16" in open("/proc/cpuinfo").read()
long = pytest.mark.skipif(not os.environ.get("BASCULE_LONG"), reason="takes minutes; scripts/release-check.sh sets BASCULE_LONG")


@pytest.fixture
def detector(tmp_path):
    return shutil.copy(DATA / "yolo/yolo26n.onnx", tmp_path / "yolo26n.onnx")


def tune(model, *options):
    done = run_cli("tune", model, *options, "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def chosen(report: dict) -> dict:
    (row,) = [row for row in report["rows"] if row["chosen"]]
    return row


def masked(text: str) -> str:
    """The form of what is printed: figures are #, and of the rows there are the default and the chosen one."""
    lines = []
    for line in text.splitlines():
        row = re.match(r"([* ]) (onnxruntime|openvino) ", line)
        if row and row[1] == " " and any("onnxruntime f32" in other for other in lines):
            continue
        line = re.sub(r"^(\S+ on ).*", r"\1MACHINE", line)
        line = re.sub(r"[▏▎▍▌▋▊▉█]+$", "BAR", line)
        if row:  # what stands in front of the figures belongs to this machine
            line = re.sub(r"\d+(\.\d+)?", "#", re.sub(r"^(.) \S+ \S+, \d+ x \d+ threads?", r"\1 ENGINE", line))
            line = "  " + re.sub(r" +", " ", line.lstrip("* "))  # whether the default is chosen, too
        lines.append(re.sub(r"^(Chosen: |Kept in ).*", r"\1…", line).rstrip())
    first = [i for i, line in enumerate(lines) if "ENGINE" in line][:1]
    return "\n".join(line for i, line in enumerate(lines) if "ENGINE" not in line or i in first) + "\n"


def test_the_table_is_as_recorded(detector, tmp_path):
    done = run_cli("tune", detector, "--samples", PICTURES, "--seconds", 2, "--svg", tmp_path / "plot.svg")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\* (?:onnxruntime|openvino) ", done.stdout, re.M)) == 1
    text = re.sub(r"served by +", "served by ", masked(done.stdout))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    drawn = xml.etree.ElementTree.parse(tmp_path / "plot.svg").getroot()
    assert drawn.tag.endswith("svg") and any("onnxruntime f32" in (e.text or "") for e in drawn.iter())


def test_serve_uses_what_was_found(detector):
    report = tune(detector, "--samples", PICTURES, "--seconds", 2)
    row = chosen(report)
    assert row["drop"] <= 0.01
    assert {r["engine"] for r in report["rows"]} == {"onnxruntime", "openvino"}
    told = run_cli("inspect", detector)
    for key in ("engine", "precision", "instances", "threads"):
        assert re.search(rf"^{key} +{row[key]}  \(yolo26n.tune.yaml\)", told.stdout, re.M), told.stdout
    lone = max(row["instances"], row["threads"])
    assert re.search(rf"^lone_threads +{lone}  \(yolo26n.tune.yaml\)", told.stdout, re.M), told.stdout
    with Server(detector) as server:
        platform = server.get("/v2/models/yolo26n").json()["platform"]
        assert platform == f"{row['engine']}_onnx"
        assert server.predict("yolo26n", (PICTURES / "fruit_101_0003.jpg").read_bytes(), imgsz=320).status == 200
    # What a user says of the model goes before it.
    told = run_cli("inspect", detector, "--engine", "onnxruntime", "--precision", "f32")
    assert re.search(r"^engine +onnxruntime 1\.", told.stdout, re.M)
    # One of a pair takes the other along: what was found for another engine does not contradict it.
    for said in (["--engine", "onnxruntime"], ["--engine", "openvino"], ["--precision", "f32"], ["--threads", 1]):
        told = run_cli("inspect", detector, *said)
        assert told.returncode == 0, told.stderr
        other = {"--engine": "precision", "--precision": "engine", "--threads": "instances"}[said[0]]
        assert re.search(rf"^{other} +\S+  \(default\)", told.stdout, re.M), told.stdout
        if said[0] == "--threads":
            assert re.search(r"^lone_threads +auto: 1  \(default\)", told.stdout, re.M), told.stdout


def test_what_was_found_is_for_this_file_and_machine(detector, tmp_path):
    tune(detector, "--seconds", 1)
    file = tmp_path / "yolo26n.tune.yaml"
    text = file.read_text()
    file.write_text(text.replace("machine: \"", "machine: \"Another "))
    assert "(yolo26n.tune.yaml)" not in run_cli("inspect", detector).stdout
    # Tuned again, the file holds both, and the entry of this machine counts.
    tune(detector, "--seconds", 1)
    assert file.read_text().count("model_sha256") == 2
    assert "(yolo26n.tune.yaml)" in run_cli("inspect", detector).stdout
    shutil.copy(DATA / "yolo/yolov8n.onnx", detector)
    assert "(yolo26n.tune.yaml)" not in run_cli("inspect", detector).stdout
    file.write_text("tuned:\n  - engine: steam\n")
    told = run_cli("inspect", detector)
    assert told.returncode == 1 and "yolo26n.tune.yaml:2" in told.stderr and "steam" in told.stderr


def test_less_than_it_may_differ(detector):
    """A bound that only f32 keeps leaves f32."""
    report = tune(detector, "--samples", PICTURES, "--seconds", 1, "--max-drop", 0)
    row = chosen(report)
    assert row["precision"] == "f32"
    others = [r for r in report["rows"] if r["precision"] != "f32"]
    assert others and all("per_second" not in r for r in others)
    if BFLOAT:
        assert any("0 is allowed" in r["verdict"] for r in others)


def test_labels_judge_the_answers(tmp_path):
    model = shutil.copy(DATA / "yolo/yolo26n.onnx", tmp_path)
    done = run_cli("tune", model, "--samples", DATA / "labelled/trays", "--labels", "--seconds", 1, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "mean average precision" in done.stdout


def test_fixed_shapes_are_tried_and_kept(detector, tmp_path):
    """On the best lines of OpenVINO, where the samples become few shapes; what was made up shows none."""
    report = tune(detector, "--samples", PICTURES / "fruit_101_0003.jpg", "--seconds", 1, "--dry-run")
    tried = [row for row in report["rows"] if row["shapes"]]
    assert {row["engine"] for row in tried} <= {"openvino"}
    measured = [row for row in report["rows"] if row["engine"] == "openvino" and "score" in row and row["max_batch_size"] == 0]
    assert tried or not measured
    assert all(row["shapes"] == tried[0]["shapes"] and re.fullmatch(r"1x3x\d+x640|1x3x640x\d+", row["shapes"][0]) for row in tried)
    assert all(row["drop"] <= 0.01 for row in tried if "score" in row)
    assert not any(row["shapes"] for row in tune(detector, "--seconds", 1)["rows"])
    # Serve compiles the model for what the file says.
    file = tmp_path / "yolo26n.tune.yaml"
    kept = re.sub(r"engine: .*", "engine: openvino\n    shapes: [1x3x256x320, 1x3x64x64]", file.read_text())
    file.write_text(re.sub(r"precision: .*", "precision: f32", kept))
    told = run_cli("inspect", detector)
    assert re.search(r"^shapes +1x3x256x320, 1x3x64x64  \(yolo26n.tune.yaml\)", told.stdout, re.M), told.stdout + told.stderr
    assert "it is compiled for inputs of [1,3,64,64], too" in told.stdout


def test_tables_and_tensors_are_tuned_too(tmp_path):
    for name in ("wine_classifier", "add_one", "sms_spam"):
        model = shutil.copy(DATA / f"general/{name}.onnx", tmp_path)
        row = chosen(tune(model, "--seconds", 1))
        assert row["engine"] in ("onnxruntime", "openvino") and row["drop"] <= 0.01
    # Its engine cannot load that file; the table says why.
    report = tune(tmp_path / "wine_classifier.onnx", "--seconds", 1, "--dry-run")
    assert any("TreeEnsembleClassifier" in row["verdict"] for row in report["rows"])
    assert report["file"] == ""


def test_the_rows_of_a_table_are_samples(tmp_path):
    model = shutil.copy(ROOT / "examples/table/wine.onnx", tmp_path / "wine.onnx")
    shutil.copy(ROOT / "examples/table/wine.yaml", tmp_path / "wine.yaml")
    head, *rows = (ROOT / "examples/table/wines.csv").read_text().splitlines()
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "few.csv").write_text("\n".join([head, *rows[:3]]) + "\n")
    (folder / "many.csv").write_text("\n".join([head, *(rows * 1000)[:1000]]) + "\n")
    for samples in (folder / "few.csv", folder):
        done = run_cli("tune", model, "--samples", samples, "--seconds", 1, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "Chosen: " in done.stdout and "No samples were given" not in done.stdout
    # A row that the model cannot take, and a file that is no table.
    (folder / "few.csv").write_text(head.replace("ash", "dust", 1) + "\n" + rows[0] + "\n")
    done = run_cli("tune", model, "--samples", folder / "few.csv", "--seconds", 1)
    assert done.returncode == 1 and "ash" in done.stderr, done.stderr
    (folder / "few.csv").write_text(head + "\n1,2\n")
    done = run_cli("tune", model, "--samples", folder / "few.csv", "--seconds", 1)
    assert done.returncode == 1 and "few.csv" in done.stderr, done.stderr


def test_a_folder_that_cannot_be_written_to(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    folder = tmp_path / "models"
    folder.mkdir()
    model = shutil.copy(DATA / "general/add_one.onnx", folder)
    folder.chmod(0o555)
    report = tune(model, "--seconds", 1, "--state-dir", tmp_path / "state")
    assert report["file"].startswith(str(tmp_path / "state"))


def test_at_the_start_of_the_server(tmp_path):
    model = shutil.copy(DATA / "general/add_one.onnx", tmp_path)
    with Server(model, "--tune", "quick") as server:
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 16], "data": [1.0] * 16}]}
        assert server.infer("add_one", body).json()["outputs"][0]["data"] == [2.0] * 16
        assert "trying engines and settings" in server.log()
    assert (tmp_path / "add_one.tune.yaml").exists()
    with Server(model, "--tune", "quick") as server:
        assert "trying engines and settings" not in server.log()


@pytest.mark.parametrize("words,said", [
    ([], "MODEL is required"),
    (["m.onnx", "--latency", "--throughput"], "two goals"),
    (["m.onnx", "--labels"], "There is no file"),
])
def test_wrong_usage(tmp_path, words, said):
    done = run_cli("tune", *words, cwd=tmp_path) if words else run_cli("tune")
    assert done.returncode in (1, 2)
    assert said in done.stderr


def test_samples_that_are_none(detector, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run_cli("tune", detector, "--samples", tmp_path / "empty")
    assert done.returncode == 1 and "holds no samples" in done.stderr
    done = run_cli("tune", detector, "--labels")
    assert done.returncode == 1 and "--samples" in done.stderr


# What takes minutes.


@long
def test_five_runs_choose_the_same(shared, tmp_path):
    model = shutil.copy(shared / "models/trained/fruit.onnx", tmp_path)
    os.chmod(model, 0o644)
    found = [chosen(tune(model, "--samples", shared / "data/trays/images", "--dry-run")) for _ in range(5)]
    ways = [(row["engine"], row["precision"], row["instances"], row["threads"]) for row in found]
    assert max(ways.count(way) for way in ways) >= 4, ways
    if BFLOAT:
        assert statistics.median(row["score"] for row in found) >= 1.5, found
        assert min(row["score"] for row in found) >= 1.2


@long
@pytest.mark.parametrize("name", ["fruit", "fruit-end2end", "steel"])
def test_the_winner_is_faster_on_pictures_it_did_not_see_and_answers_alike(shared, tmp_path, figure, name):
    """The demo detectors, from picture to answer (of which decoding is a third), on a processor with bf16."""
    model = shutil.copy(shared / f"models/trained/{name}.onnx", tmp_path)
    os.chmod(model, 0o644)
    seen, unseen = ("steel", "plates_small") if name == "steel" else ("trays", "fruit")
    row = chosen(tune(model, "--samples", shared / f"data/{seen}/images"))
    again = tune(model, "--samples", shared / f"data/{unseen}/images", "--dry-run")
    same = [r for r in again["rows"] if (r["engine"], r["precision"]) == (row["engine"], row["precision"])]
    figure(f"tune, {name}: score {row['score']:.2f}, drop {row['drop']:.4f}, unseen {same[0]['drop']:.4f}")
    assert same[0]["drop"] <= 0.01
    if BFLOAT:
        bound = 1.2 if name == "fruit-end2end" else 1.5
        scores = [row["score"]]
        if scores[0] < bound:  # of one run alone the noise is a tenth
            scores += [chosen(tune(model, "--samples", shared / f"data/{seen}/images", "--dry-run"))["score"] for _ in range(2)]
        assert statistics.median(scores) >= bound, scores


def all_models():
    return [] if not SHARED.exists() else sorted(
        path for folder in ("yolo", "general", "trained") for path in (SHARED / "models" / folder).glob("*.onnx"))


@long
@pytest.mark.parametrize("path", all_models(), ids=lambda path: path.stem)
def test_the_winner_is_never_slower_than_the_default(path, tmp_path, figure):
    """Measured anew: the winner and the default take turns."""
    model = shutil.copy(path, tmp_path)
    os.chmod(model, 0o644)
    row = chosen(tune(model, "--seconds", 8))
    key = lambda r: tuple(r[name] for name in ("engine", "precision", "instances", "threads", "max_batch_size", "letterbox", "decode", "shapes"))
    scores = []
    # What else the machine does takes from a score and never adds to it; a short run may leave the row out.
    for _ in range(3):
        again = tune(model, "--seconds", 8, "--dry-run")
        scores += [r["score"] for r in again["rows"] if key(r) == key(row) and "score" in r]
        if max(scores, default=0) >= 0.95:
            break
    figure(f"tune, {path.stem}: {key(row)}, score {row['score']:.2f}, again {', '.join(f'{score:.2f}' for score in scores)}")
    assert max(scores, default=0) >= 0.95, (row, scores)
