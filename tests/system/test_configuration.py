"""docs/configuration.md says what the binary says, and its example is read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request

import pytest
from bascule import BINARY, DATA, ROOT, Server

PAGE = (ROOT / "docs/configuration.md").read_text()
ADD_ONE = DATA / "general" / "add_one.onnx"


def config(*arguments: str) -> str:
    return subprocess.run([BINARY, "config", *arguments], capture_output=True, text=True, check=True, timeout=20).stdout


def test_the_reference_is_what_the_binary_prints():
    assert PAGE.endswith(config()), "docs/configuration.md is stale: replace its table by what `bascule config` prints"


def test_the_schema_knows_every_key_of_the_reference():
    schema = json.loads(config("--schema"))
    keys = re.findall(r"^\| `--[a-z-]+` \| `([a-z_]+)`", PAGE, re.M)
    assert keys and set(schema["properties"]) == {*keys, "models", "applications"}
    assert schema["additionalProperties"] is False
    assert schema["properties"]["metrics_port"]["anyOf"] == [
        {"type": "integer", "minimum": 0, "maximum": 65535}, {"enum": ["off"]}
    ]


def test_the_example_of_the_page_serves(tmp_path):
    example = re.search(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S).group(1)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    file = tmp_path / "bascule.yaml"
    file.write_text(example)
    # The flag wins over the file's port.
    with Server("--config", file) as server:
        models = json.load(urllib.request.urlopen(server.url + "/v2/models", timeout=10))
        assert models == {"models": ["defects", "fruit"]}
        assert server.port != 8080
        lines = [json.loads(line) for line in server.log().splitlines()]
        assert any("fruit" in line["message"] for line in lines)


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, "serve", *map(str, arguments)], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **variables})


@pytest.mark.parametrize(("yaml", "words"), [
    ("http_prot: 1\n", ["bascule.yaml:1", "did you mean 'http_port'"]),
    ("host: a\nhost: b\n", ["bascule.yaml:2", "twice"]),
    ("http_port: many\n", ["bascule.yaml:1", "'many'", "65535"]),
    ("models: [{path: a.onnx, name: a/b}]\n", ["a.onnx"]),
    ("http_port: [\n", ["bascule.yaml:"]),
    ("metrics_port: shut\n", ["bascule.yaml:1", "'shut'", "0 to 65535, or off"]),
    ("warm_up: [a.json]\n", ["bascule.yaml:1", "'warm_up' is said of one model"]),
    ("models:\n  - path: a.onnx\n    max_queue_sizes: 1\n", ["bascule.yaml:3", "did you mean 'max_queue_size'?"]),
    ("models: [{path: a.onnx, letterbox: round}]\n", ["bascule.yaml:1: letterbox: 'round' is not one of rect, square"]),
])
def test_a_wrong_file_is_one_sentence_and_usage(tmp_path, yaml, words):
    file = tmp_path / "bascule.yaml"
    file.write_text(yaml)
    done = run("--config", file)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


def test_a_variable_sets_and_is_named_when_it_is_wrong():
    done = run(ADD_ONE, BASCULE_MAX_PIXELS="lots")
    assert done.returncode == 2
    assert "BASCULE_MAX_PIXELS: 'lots' is not a whole number" in done.stderr


def test_a_name_needs_one_model():
    done = run(DATA / "general", "--name", "x")
    assert done.returncode == 2
    assert "can only be given to one" in done.stderr
