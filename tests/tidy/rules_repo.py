"""Rules on the repository as a whole. Each yields one sentence per violation."""

import os
import re
import shutil
import subprocess

from source import table

MAX_BLOB = 1_000_000
MAX_TOTAL = 48_000_000


def blobs(tree):
    """No large file outside the list of large_files.txt, and all files together within 48 MB."""
    allowed = [line.split()[0] for _, line in table(tree, "large_files.txt")]
    total = 0
    for name in tree.files:
        size = tree.size(name)
        total += size
        if size > MAX_BLOB and not name.startswith(tuple(allowed)):
            yield f"{name}: {size} bytes; over {MAX_BLOB} only below {', '.join(allowed)} (tests/tidy/large_files.txt)."
    if total > MAX_TOTAL:
        yield f"All files together have {total} bytes; the limit is {MAX_TOTAL}."


RELEASE = re.compile(r"^## (\d+)\.(\d+)\.(\d+) - \d{4}-\d{2}-\d{2}$")


def changelog(tree):
    """CHANGELOG.md: 'Unreleased' first, then falling versions with their day; entries are 'room: sentence.'."""
    if not tree.has("CHANGELOG.md"):
        yield "CHANGELOG.md is missing."
        return
    lines = tree.text("CHANGELOG.md").splitlines()
    if not lines or lines[0] != "# Changelog":
        yield "CHANGELOG.md:1: the first line is '# Changelog'."
    sections = [(n, line) for n, line in enumerate(lines, 1) if line.startswith("## ")]
    if not sections or sections[0][1] != "## Unreleased":
        yield "CHANGELOG.md: the first section is '## Unreleased'."
    before = None
    for number, line in sections[1:]:
        match = RELEASE.match(line)
        if not match:
            yield f"CHANGELOG.md:{number}: '{line}' is not '## X.Y.Z - YYYY-MM-DD'."
            continue
        version = tuple(int(v) for v in match.groups())
        if before and version >= before:
            yield f"CHANGELOG.md:{number}: versions fall from top to bottom."
        before = version
    first = sections[0][0] if sections else 0
    entries = re.split(r"\n(?=- |#|\n)", "\n".join(lines[first:]))
    for entry in (e.strip("\n") for e in entries):
        if entry.startswith("- ") and not re.match(r"- [a-z0-9_, /]+: .*\.$", entry, re.DOTALL):
            yield f"CHANGELOG.md: the entry '{entry[:60]}' is not '- room: sentence.'."


# In pieces, so that this file does not hold what it looks for.
PLACES = re.compile(
    r"(?<![\w.$}~-])/(?:" + "|".join(("work", "root", "tmp")) + r")/\w"
    r"|(?<![\w.$}~-])/home/[a-z]\w*/"
    r"|\b(?:" + "|".join(("pypi", "debian", "npmjs", "docker", "huggingface", "conda", "anaconda")) + r")\.(?:org|com|io|co)\b"
    r"|\b(?:files\.)?" + "python" + r"hosted\.org\b|\bghcr\.io\b|\bquay\.io\b"
)


def places(tree):
    """No path of one machine and no registry's host in a committed file."""
    for name in tree.files:
        if not tree.is_text(name) or name == "LICENSE":
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = PLACES.search(line)
            if found:
                yield f"{name}:{number}: '{found.group(0)}' is a place on one machine or a registry's host; leave it to the machine."


def scripts(tree):
    """Shell scripts parse, may be executed, and stop on unset names."""
    names = tree.under("scripts", "tests", "bench", "examples", endings=(".sh",))
    for name in names + [n for n in (".ci/run",) if n in tree.files]:
        path = os.path.join(tree.root, name)
        if not os.access(path, os.X_OK):
            yield f"{name}: is not executable; chmod +x it."
        if not tree.text(name).startswith("#!/usr/bin/env bash\n"):
            yield f"{name}: the first line is '#!/usr/bin/env bash'."
        if name.endswith(".sh") and not re.search(r"^set -e?uo pipefail", tree.text(name), re.MULTILINE):
            yield f"{name}: lacks 'set -euo pipefail'."
        done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{name}: does not parse: {done.stderr.strip()}"


def format(tree):  # the name of the ctest
    """clang-format has nothing to change."""
    program = shutil.which("clang-format-19")
    if program is None:
        yield "clang-format-19 is missing; scripts/setup.sh --tests installs it."
        return
    names = tree.under("src", "bench", "tests", "fuzz")
    if not names:
        yield "There is no C++ file to look at."
        return
    done = subprocess.run([program, "--dry-run", "-Werror", "--ferror-limit=1", *names], cwd=tree.root,
                          capture_output=True, text=True, check=False)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.MULTILINE)))
    for name in wrong:
        yield f"{name}: is not formatted; run clang-format-19 -i {name}."
    if done.returncode and not wrong:
        yield f"clang-format-19 failed: {done.stderr.strip()[:300]}"


RULES = (blobs, changelog, places, scripts, format)
