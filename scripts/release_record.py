"""Writes what came of one part of scripts/release-check.sh into its section of docs/release-check.md.

    release_record.py PART --log FILE --status N --seconds N --commit TEXT --command TEXT [--page FILE]

PART is one of PARTS. FILE: what the part printed; the lines of it that tell the result are kept, and where the part failed
its last ones, too. The other sections stay as they are; a part without one gets a section that says that it has not run.
"""

import argparse
import datetime
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MOST_LINES = 40
LAST_LINES = 10

# What each part is, in the order of the page.
PARTS = {
    "tidy": "clang-tidy with the thread-safety analysis",
    "tsan": "The unit tests under ThreadSanitizer",
    "fuzz": "Fuzzing of each reader of bytes from outside",
    "clients": "Other people's clients; [compatibility.md](compatibility.md) has their rows",
    "tune": "`bascule tune` on real models",
    "int8": "An 8-bit file, made and measured",
}
# Lines that tell a part's result. Where none is found, the last ones do.
TELLING = {
    "tsan": r"release-check: the tests of|\d+% tests passed|\s+\d+ - .+ \(\w[\w ]*\)$|(WARNING|SUMMARY): ThreadSanitizer",
    "fuzz": r"target +inputs|\w+ +[\d?]+ +[\d?]+  |fuzz: \d+ targets",
    "clients": r"compatibility: .*\| failed|compatibility: \d+ rows|.*\d+ (passed|failed).* in [\d.]+s",
    "tune": r"(FAILED|ERROR) |.*\d+ (passed|failed).* in [\d.]+s",
}
HEAD = """# What the checks before a release said

`scripts/release-check.sh` runs them; each part replaces its section here when it has ended, so that a section says when its part
ran last, on what, and how. `--only PART` runs one.
"""
NOT_RUN = "No result is kept here yet."


def findings(lines):
    """clang-tidy's: how many files it looked at, and each finding once: one in a header comes with every file that includes it."""
    found = [line for line in dict.fromkeys(lines) if re.match(r"\S+:\d+:\d+: (warning|error): ", line)]
    files = sum(re.match(r"\[ *\d+/\d+\]\[", line) is not None for line in lines)
    return [f"{files} files, {len(found)} findings", *found]


def result(part, lines, failed):
    """The lines of a part's output that the page shows."""
    if part == "tidy":
        kept = findings(lines)
    else:
        kept = [line for line in lines if part in TELLING and re.match(TELLING[part], line)]
    kept = kept[:MOST_LINES]
    if failed or not kept:
        kept += [line for line in lines[-LAST_LINES:] if line not in kept]
    return kept


def without_places(text):
    """No folder of this machine: it says nothing elsewhere."""
    text = text.replace(f"{ROOT}/", "").replace(str(ROOT), ".")
    return text.replace(tempfile.gettempdir() + "/", "…/").replace(f"{pathlib.Path.home()}/", "~/")


def duration(seconds):
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h {seconds % 3600 // 60} min"


def section(options, today):
    log = without_places(pathlib.Path(options.log).read_text(encoding="utf-8", errors="replace"))
    log = re.sub(r"\x1b\[[0-9;]*m", "", log)
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    number, _, rest = options.commit.partition(" ")
    commit = f"`{number}`{' ' + rest if rest else ''}"
    outcome = "Failed" if options.status else "Passed"
    return "\n".join([
        f"{outcome} on {today}, commit {commit}, after {duration(options.seconds)}: `{options.command}`", "",
        "```text", *(line.replace("```", "'''") for line in result(options.part, lines, options.status != 0)), "```"])


def sections(page):
    """The text below each part's title, by part."""
    found = dict(re.findall(r"^## (\w+)\n\n.*?\n\n(.*?)\n*(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    return {part: found.get(part, NOT_RUN) for part in PARTS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    for name, kind in (("log", str), ("status", int), ("seconds", int), ("commit", str), ("command", str)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "release-check.md")
    options = parser.parse_args()
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    texts = sections(options.page.read_text(encoding="utf-8") if options.page.exists() else "")
    texts[options.part] = section(options, today)
    body = "".join(f"\n## {part}\n\n{PARTS[part]}.\n\n{text}\n" for part, text in texts.items())
    written = options.page.with_suffix(".new")
    written.write_text(HEAD + body, encoding="utf-8")
    written.replace(options.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
