"""The house rules that a machine can check: tidy.py RULE… [--root FOLDER]; without a rule all of them.

One sentence per violation, exit code 1 where there is one. Standard library only.
"""

import argparse
import os
import sys

import rules_cpp
import rules_repo
from source import Tree

RULES = {rule.__name__.replace("_", "-"): rule for rule in rules_cpp.RULES + rules_repo.RULES}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rules", nargs="*", metavar="RULE", help=", ".join(RULES))
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--list", action="store_true", help="print the names of the rules")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(RULES))
        return 0
    unknown = [name for name in arguments.rules if name not in RULES]
    if unknown:
        parser.error(f"there is no rule '{unknown[0]}'; there are {', '.join(RULES)}")
    tree = Tree(arguments.root)
    if not tree.files:
        print(f"There are no files in {tree.root}.")
        return 1
    violations = 0
    for name in arguments.rules or RULES:
        for sentence in RULES[name](tree):
            print(f"{name}: {sentence}")
            violations += 1
    if violations:
        print(f"{violations} violations.")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
