"""Every ```bash snippet of README.md, docs/ and the examples is run.

Snippets of one document run in order, in an empty folder that sees the repository's files. A snippet that
starts a server (its first word pair is `bascule serve`) is started on a free port and serves the snippets
after it; `:8000` in them means that port. A comment before a snippet says why the runner leaves it alone:
`<!-- tested by FILE -->`, where FILE exists and runs the same.
"""

import os
import pathlib
import re
import shlex
import subprocess

import pytest
from bascule import BINARY, ROOT, Server

DOCUMENTS = sorted(
    p for p in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")] if p.exists()
)
FENCE = re.compile(r"(?:^<!-- tested by (?P<by>\S+) -->\n+)?^```bash\n(?P<text>.*?)^```$", re.M | re.S)
LIMIT_S = 120


def snippets(document: pathlib.Path):
    text = document.read_text()
    for match in FENCE.finditer(text):
        yield text.count("\n", 0, match.start("text")) + 1, match.group("by"), match.group("text")


def is_server(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return re.match(r"(\S*/)?bascule serve\b", first) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_snippets(document, tmp_path):
    for entry in ROOT.iterdir():
        if entry.name != ".git":
            (tmp_path / entry.name).symlink_to(entry)
    env = {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    server = None
    try:
        for line, by, text in snippets(document):
            where = f"{document.relative_to(ROOT)}:{line}"
            if by:
                assert (ROOT / by).exists(), f"{where} names {by}, which is not there"
            elif is_server(text):
                if server:
                    server.stop()
                words = shlex.split(text.replace("\\\n", " "), comments=True)
                server = Server(*[ROOT / w if (ROOT / w).exists() else w for w in words[2:]])
            else:
                if server:
                    text = re.sub(r":8000\b", f":{server.port}", text)
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, env=env, timeout=LIMIT_S,
                    capture_output=True, text=True, check=False,
                )
                assert done.returncode == 0, f"{where}: exit code {done.returncode}\n{text}\n{done.stdout}\n{done.stderr}"
                assert "curl" not in text or '"error"' not in done.stdout, f"{where}: {done.stdout}"
    finally:
        if server:
            server.stop()


def test_the_readme_has_snippets_that_run():
    assert sum(by is None for _, by, _ in snippets(ROOT / "README.md")) >= 2
