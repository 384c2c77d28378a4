"""The series of /metrics: their names are a promise, and docs/metrics.md explains each of them."""

import json
import os
import re
import socket
import urllib.error
import urllib.request

import pytest
from bascule import DATA, ROOT, Server, run_cli

GOLDEN = ROOT / "tests" / "golden" / "metrics.txt"
PAGE = ROOT / "docs" / "metrics.md"
FRUIT = ROOT / "examples/checkout/fruit.onnx"
PICTURE = DATA / "pictures/fruit_101_0000.jpg"
ADD_ONE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [3, 16], "data": [0.5] * 48}]}
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \| (?P<meaning>[^|]+) \|$", re.M)


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A server that has done a bit of everything once: answered, refused, failed to load a file, run an application."""
    config = tmp_path_factory.mktemp("apps") / "apps.yaml"
    trays = {"name": "trays", "source": {"labels": str(DATA / "labelled/trays")}, "names": ["apple", "banana", "orange"],
             "rules": [{"name": "any", "when": ".results | length > 0"}], "sinks": {"log": {"jsonl": "events.jsonl"}}}
    config.write_text(json.dumps({"applications": [trays]}))  # JSON is YAML
    with Server(FRUIT, DATA / "general/add_one.onnx", DATA / "hostile/unknown_op.onnx", "--config", config) as server:
        assert server.predict("fruit", PICTURE.read_bytes()).status == 200
        assert server.infer("add_one", ADD_ONE).status == 200
        assert server.infer("add_one", {"inputs": []}).status == 400
        assert server.get("/nowhere").status == 404
        assert server.post_json("/models/fruit/predict", {"source": "http://pictures.example/a.jpg"}).status == 400
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


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


def test_a_second_port_says_the_same():
    with Server(DATA / "general/add_one.onnx", "--metrics-port", 0) as server:
        assert server.infer("add_one", ADD_ONE).status == 200
        url = server.metrics_url()
        assert url and url.endswith("/metrics") and f":{server.port}/" not in url
        own = [line for line in server.get("/metrics").body.decode().splitlines() if not line.startswith("process_")]
        assert [line for line in fetch(url).splitlines() if not line.startswith("process_")] == own
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(url.replace("/metrics", "/v2/models"))


def test_off_closes_the_second_port():
    with Server(DATA / "general/add_one.onnx", "--metrics-port", "off") as server:
        assert server.metrics_url() is None


@pytest.fixture
def taken():
    """Port 8002, held by this test or by somebody else."""
    with socket.socket() as holder:
        try:
            holder.bind(("127.0.0.1", 8002))
            holder.listen()
        except OSError:
            pass
        yield 8002


def test_the_default_port_is_left_out_when_taken(taken):
    with Server(DATA / "general/add_one.onnx", default_metrics_port=True) as server:
        assert server.metrics_url() is None
        assert "nv_inference_count" in server.get("/metrics").body.decode()
        lines = [line for line in server.log().splitlines() if str(taken) in line]
        assert len(lines) == 1 and "--metrics-port" in lines[0]


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(taken):
    done = run_cli("serve", DATA / "general/add_one.onnx", "--http-port", 0, "--metrics-port", taken)
    assert done.returncode == 1
    assert str(taken) in done.stderr and "--metrics-port" in done.stderr


@pytest.mark.parametrize("value", ["-1", "65536", "on", "8002x", ""])
def test_what_is_no_port_is_refused(value):
    done = run_cli("serve", DATA / "general/add_one.onnx", "--http-port", 0, f"--metrics-port={value}")
    assert done.returncode == 2
    assert "--metrics-port" in done.stderr
