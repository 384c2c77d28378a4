"""Sums JUnit files of ctest and pytest into one line: "N passed, N failed, N skipped".

    count_tests.py [--broken PHASE]… FILE.xml…

A broken phase (a build that failed, a runner that ended badly without naming a test) counts as one failure where the files
name none for it, so that it can never end in "0 failed". Exits 1 where something failed or nothing ran.
"""

import argparse
import os
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """'passed', 'failed' or 'skipped' for a <testcase>."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    status = case.get("status", "run")
    if status == "disabled":
        return "skipped"
    skipped = case.find("skipped")
    if skipped is not None or status == "notrun":
        # ctest writes <skipped> for a program that is missing, too; only a test that skipped itself says SKIP_….
        if status == "notrun" and not (skipped.get("message", "") if skipped is not None else "").startswith("SKIP_"):
            return "failed"
        return "skipped"
    return "failed" if status == "fail" else "passed"


def outcomes(path):
    """Outcome by test, the worst one where a test is named twice (pytest: body and teardown)."""
    rank = {"passed": 0, "skipped": 1, "failed": 2}
    found = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        key = (case.get("classname"), case.get("name"))
        found[key] = max(found.get(key, "passed"), outcome(case), key=rank.get)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--broken", action="append", default=[])
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()

    count = {"passed": 0, "failed": 0, "skipped": 0}
    failed_in = set()
    for path in arguments.files:
        if not os.path.exists(path):  # an unexpanded *.xml: nothing was written
            continue
        runner = os.path.splitext(os.path.basename(path))[0]
        try:
            found = outcomes(path)
        except ElementTree.ParseError as error:
            print(f"test: {path} is no JUnit file: {error}.")
            count["failed"] += 1
            failed_in.add(runner)
            continue
        for (_, name), result in sorted(found.items(), key=str):
            count[result] += 1
            if result == "failed":
                failed_in.add(runner)
                print(f"  failed: {runner}: {name}")
    for phase in arguments.broken:
        if phase not in failed_in:
            count["failed"] += 1
            print(f"  failed: {phase}, without naming a test")

    line = f"{count['passed']} passed, {count['failed']} failed"
    if count["skipped"]:
        line += f", {count['skipped']} skipped"
    print(line)
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
