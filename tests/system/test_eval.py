"""`bascule eval`: the figures of the reference package, and what it says of data sets that are wrong.

The expected figures were made with tests/data/make_eval.py.
"""

import json
import shutil

import pytest
from bascule import DATA, ROOT, run_cli

STEEL = ROOT / "examples/factory/steel.onnx"
FRUIT = ROOT / "examples/checkout/fruit.onnx"
PLATES = DATA / "labelled/plates"
FIGURES = ("precision", "recall", "map50", "map50_95")
WITHIN = 0.005


def check(model, data, name, figure, *args):
    expected = json.loads((DATA / f"expected/eval/{name}.json").read_text())
    done = run_cli("eval", model, data, "--imgsz", expected["imgsz"], "--json", *args)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["instances"] == expected["instances"]
    assert [c["class"] for c in got["classes"]] == [c["class"] for c in expected["classes"]]
    worst = 0.0
    for ours, theirs in [(got, expected), *zip(got["classes"], expected["classes"])]:
        if "name" in theirs:
            assert {k: ours[k] for k in ("name", "images", "instances")} == {
                k: theirs[k] for k in ("name", "images", "instances")
            }
        worst = max([worst, *(abs(ours[k] - theirs[k]) for k in FIGURES)])
    assert worst <= WITHIN
    figure(f"eval, {name}: mAP50 {got['map50']:.4f}, mAP50-95 {got['map50_95']:.4f}; at most {worst:.5f} off")
    return got


@pytest.mark.parametrize("name,model", [("plates", STEEL), ("trays", FRUIT)])
def test_equals_the_reference(figure, name, model):
    got = check(model, DATA / f"labelled/{name}.yaml", name, figure)
    assert check(model, DATA / f"labelled/{name}", name, figure) == got  # a folder, or its description
    assert got["notes"] == []
    if name == "plates":
        assert (got["images"], got["backgrounds"]) == (12, 4)  # one of them without a label file


@pytest.mark.parametrize("name,model", [("steel", "steel"), ("fruit", "fruit"), ("fruit-end2end", "fruit-end2end")])
def test_equals_the_reference_on_more(shared, figure, name, model):
    check(shared / f"models/trained/{model}.onnx", shared / "data" / name.split("-")[0], name, figure)


def test_the_table():
    done = run_cli("eval", STEEL, PLATES)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["Class", "Images", "Instances", "P", "R", "mAP50", "mAP50-95"]
    assert lines[1][:3] == ["all", "12", "11"]
    assert [line[0] for line in lines[2:]] == ["inclusion", "patches", "pitted_surface", "scratches"]
    assert done.stderr == ""  # no progress where no one looks


def test_options_count():
    low = json.loads(run_cli("eval", STEEL, PLATES, "--json").stdout)
    high = json.loads(run_cli("eval", STEEL, PLATES, "--json", "--conf", "0.5").stdout)
    square = json.loads(run_cli("eval", STEEL, PLATES, "--json", "--letterbox", "square").stdout)
    one = json.loads(run_cli("eval", STEEL, PLATES, "--json", "--threads", "1").stdout)
    assert high["map50"] < low["map50"]
    assert square["map50_95"] != low["map50_95"]
    assert one == low
    few = json.loads(run_cli("eval", STEEL, PLATES, "--json", "--max-det", "1").stdout)
    assert few["recall"] < low["recall"]
    assert few["notes"] == ["a picture has 2 objects, but --max-det is 1; recall suffers"]


def test_boxes_of_segments_say_so():
    done = run_cli("eval", DATA / "yolo/yolo26n-seg-end2end.onnx", DATA / "labelled/trays", "--imgsz", "320")
    assert done.returncode == 0, done.stderr
    assert "note: a 'segment' model is judged by its boxes alone" in done.stdout
    assert "note: the data set" not in done.stdout  # it says no names


@pytest.fixture
def data(tmp_path):
    shutil.copytree(PLATES, tmp_path / "set")
    return tmp_path / "set"


def test_wrong_labels_are_named_by_file_and_line(data):
    (data / "labels/steel_104_0000.txt").write_text("2 .5 .5 .2 .2\n9 .5 .5 .2 .2\n")
    (data / "labels/steel_104_0001.txt").write_text("2 .5 .5 .2\n")
    done = run_cli("eval", STEEL, data)
    assert done.returncode == 1 and done.stdout == ""
    assert "labels/steel_104_0000.txt:2: there is no class 9; the data set has 0 to 5." in done.stderr
    assert "labels/steel_104_0001.txt:1: there are 4 numbers" in done.stderr
    assert "2 of 12 label files cannot be used" in done.stderr


def test_a_picture_that_cannot_be_read_is_told_and_left_out(data):
    (data / "images/steel_104_0000.jpg").write_bytes(b"not a picture")
    done = run_cli("eval", STEEL, data)
    assert done.returncode == 1
    assert "steel_104_0000.jpg" in done.stderr
    assert done.stdout.splitlines()[1].split()[1] == "11"
    assert "note: pictures that could not be read are left out" in done.stdout


def test_a_list_of_pictures_and_other_names(data, tmp_path):
    (data / "some.txt").write_text("images/steel_104_0000.jpg\n./images/steel_104_0007.jpg\n")
    (tmp_path / "d.yaml").write_text("path: set\ntest: some.txt\nnames: {0: a, 2: b, 5: c}\n")
    done = run_cli("eval", STEEL, tmp_path / "d.yaml", "--json", "--split", "test")
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert (got["images"], got["instances"], got["backgrounds"]) == (2, 2, 1)
    assert got["notes"] == ["the data set and the model name their classes differently; numbers count"]


@pytest.mark.parametrize(
    "args,code,says",
    [
        ([], 2, "required"),
        ([STEEL], 2, "Give a model and a data set"),
        ([STEEL, PLATES, PLATES], 2, "Give a model and a data set"),
        ([STEEL, "/no/such"], 1, "There is no '/no/such'"),
        ([STEEL, "/no/such.yaml"], 1, "/no/such.yaml"),
        ([STEEL, DATA / "labelled/plates.yaml", "--split", "test"], 1, "there is no 'test'"),
        ([STEEL, DATA / "general"], 1, "holds no pictures"),
        ([DATA / "general/add_one.onnx", PLATES], 1, "takes tensors, not pictures"),
        ([DATA / "yolo/yolo26n-obb.onnx", PLATES], 1, "is for 'obb'"),
    ],
    ids=str,
)
def test_refusals(args, code, says):
    done = run_cli("eval", *args)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert says in done.stderr
