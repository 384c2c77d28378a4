"""The series of /metrics: their names are a promise, and docs/metrics.md explains each of them."""

import os
import re

import pytest
from bascule import DATA, ROOT, Server

GOLDEN = ROOT / "tests" / "golden" / "metrics.txt"
PAGE = ROOT / "docs" / "metrics.md"
FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = DATA / "pictures/fruit_101_0000.jpg"
ADD_ONE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [3, 16], "data": [0.5] * 48}]}
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \| (?P<meaning>[^|]+) \|$", re.M)


@pytest.fixture(scope="module")
def busy():
    """A server that has done a bit of everything once: answered, refused, failed to load a file."""
    with Server(FRUIT, DATA / "general/add_one.onnx", DATA / "hostile/unknown_op.onnx") as server:
        assert server.predict("fruit", PICTURE.read_bytes()).status == 200
        assert server.infer("add_one", ADD_ONE).status == 200
        assert server.infer("add_one", {"inputs": []}).status == 400
        assert server.get("/nowhere").status == 404
        yield server


def families(text: str) -> dict[str, str]:
    """Name -> "type label,label", as /metrics shows them."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    labels: dict[str, set[str]] = {name: set() for name in types}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series = re.match(r"([a-z_]+)(?:\{(.*)\})? ", line)
        name = series[1]
        if name not in types:
            name = re.sub(r"_(bucket|sum|count)$", "", name)
            assert types[name] == "histogram", line
        labels[name] |= set(re.findall(r'(\w+)="', series[2] or "")) - {"le"}
    return {name: f"{kind} {','.join(sorted(labels[name]))}".rstrip() for name, kind in types.items()}


def test_names_types_and_labels(busy):
    """`UPDATE_GOLDEN=1` records what is shown now."""
    shown = families(busy.get("/metrics").body.decode())
    lines = "".join(f"{name} {rest}\n" for name, rest in sorted(shown.items()))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(lines)
    assert lines == GOLDEN.read_text()


def test_the_page_explains_every_series():
    rows = {m["name"]: f"{m['type']} {m['labels'].replace('`', '').replace(' ', '')}".rstrip() for m in ROW.finditer(PAGE.read_text())}
    golden = dict(line.split(" ", 1) for line in GOLDEN.read_text().splitlines())
    assert rows == golden


def test_every_series_has_a_help_line(busy):
    text = busy.get("/metrics").body.decode()
    for name in families(text):
        assert re.search(rf"^# HELP {name} \S", text, re.M), name


def test_counters_agree_with_what_was_asked():
    with Server(DATA / "general/add_one.onnx") as server:
        label = '{model="add_one",version="1"}'
        assert server.metrics()[f"nv_inference_count{label}"] == 0
        for _ in range(5):
            assert server.infer("add_one", ADD_ONE).status == 200
        assert server.infer("add_one", {"inputs": []}).status == 400
        assert server.infer("no_such_model", ADD_ONE).status == 404
        series = server.metrics()
        assert series[f"nv_inference_request_success{label}"] == 5
        assert series[f"nv_inference_count{label}"] == 15
        assert series[f"nv_inference_exec_count{label}"] == 5
        assert series['nv_inference_request_failure{model="add_one",reason="OTHER",version="1"}'] == 1
        assert series['nv_inference_request_failure{model="add_one",reason="BACKEND",version="1"}'] == 0
        assert not any("no_such_model" in name for name in series)
        stages = [series[f"nv_inference_{s}_duration_us{label}"] for s in ("queue", "compute_input", "compute_infer", "compute_output")]
        assert stages[2] > 0
        assert sum(stages) <= series[f"nv_inference_request_duration_us{label}"]
        assert series[f'bascule_model_file_bytes{label}'] == (DATA / "general/add_one.onnx").stat().st_size
        assert series["process_resident_memory_bytes"] == pytest.approx(server.memory_kb() * 1024, rel=0.2)


def test_a_picture_shows_all_its_stages(busy):
    series = busy.metrics()
    for stage in ("prepare", "run", "finish"):
        assert series[f'bascule_stage_seconds_sum{{dialect="ultralytics",model="fruit",stage="{stage}",version="1"}}'] > 0
    for stage in ("queue", "prepare", "run", "finish"):
        assert series[f'bascule_stage_seconds_count{{dialect="ultralytics",model="fruit",stage="{stage}",version="1"}}'] == 1


def test_open_descriptors_come_back(busy):
    """Many short connections leave nothing behind."""
    before = busy.metrics()["process_open_fds"]
    for _ in range(200):
        assert busy.get("/v2/health/live").status == 200
    assert busy.metrics()["process_open_fds"] <= before + 5
