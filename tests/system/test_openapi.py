"""What /openapi.json says is what the server does: requests made from it by schemathesis find no contradiction."""

from __future__ import annotations

import json
import subprocess
import sys

import requests
from bascule import DATA, ROOT, Server

GOLDEN = ROOT / "tests" / "golden" / "openapi.json"
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Unloaded models answer 503 from then on, and there is no CUDA memory: 501. Both are as they should be.
NOT_ASKED = r"(/unload|/cudasharedmemory/region/\{region\}/register)$"


def test_the_document_is_the_recorded_one():
    with Server(DATA / "general" / "add_one.onnx") as server:
        document = requests.get(server.url + "/openapi.json", timeout=10).json()
    document["info"]["version"] = "0.0.0"
    assert document == json.loads(GOLDEN.read_text()), "record it: tests/golden/openapi.json has the version 0.0.0"


def test_requests_made_from_the_document(tmp_path):
    with Server(
        DATA / "general" / "add_one.onnx", ROOT / "examples" / "checkout" / "fruit.onnx", "--allow-client-shm"
    ) as server:
        done = subprocess.run(
            [*SCHEMATHESIS, "run", server.url + "/openapi.json", "--seed", "7", "--max-examples", "15", "--workers", "1",
             "--phases", "examples,coverage,fuzzing", "--checks", CHECKS, "--exclude-path-regex", NOT_ASKED,
             "--request-timeout", "20", "--no-color"],
            capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path,
        )
        said = "\n".join(line[:300] for line in done.stdout.splitlines()[-150:])
        assert server.alive(), said
        assert done.returncode == 0, said
        assert "generated" in done.stdout
