"""What the rules look at: the files of the project, and C++ text without its comments and strings."""

import os
import re
import subprocess

CPP = (".cc", ".h")
SKIPPED_FOLDERS = {".git", ".deps", ".venv", "build", "__pycache__", ".pytest_cache"}


class Tree:
    """The project's files: what git tracks or would track, or all but build outputs where there is no git."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.files = sorted(self._git() or self._walk())

    def _git(self):
        if not os.path.exists(os.path.join(self.root, ".git")):
            return None
        command = ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        try:
            done = subprocess.run(command, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        names = done.stdout.decode().split("\0")
        return {n for n in names if n and os.path.isfile(os.path.join(self.root, n))}

    def _walk(self):
        found = set()
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in SKIPPED_FOLDERS]
            for name in files:
                found.add(os.path.relpath(os.path.join(folder, name), self.root))
        return found

    def under(self, *folders, endings=CPP):
        return [f for f in self.files if f.endswith(endings) and f.startswith(tuple(d + "/" for d in folders))]

    def size(self, name):
        return os.path.getsize(os.path.join(self.root, name))

    def text(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8") as file:
            return file.read()

    def has(self, name):
        return os.path.exists(os.path.join(self.root, name))

    def is_text(self, name):
        with open(os.path.join(self.root, name), "rb") as file:
            start = file.read(8192)
        return b"\0" not in start


def table(tree, name):
    """The lines of a table of this folder, without comments and empty lines, each with its number."""
    for number, line in enumerate(tree.text(f"tests/tidy/{name}").splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def room_of(name):
    """The room of a file: the folder below src/ ('backend/fake' for a leaf of backend/), else 'tests', 'bench', …"""
    parts = name.split("/")
    if parts[0] != "src":
        return parts[0]
    if len(parts) > 3 and parts[1] == "backend":
        return f"backend/{parts[2]}"
    return parts[1]


def is_test(name):
    return name.endswith("_test.cc") or name.startswith("tests/")


TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)" | "(?:\\.|[^"\\\n])*" | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'""",
    re.VERBOSE | re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text, strings=True):
    """`text` with comments blanked, and with strings=False the insides of literals too; lines stay where they are."""

    def replace(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return _blank(token)
        return token if strings else '"' + _blank(token[1:-1]) + '"'

    return TOKEN.sub(replace, text)


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def includes(text):
    """(line, quoted, name) of each #include that is no comment."""
    text = without_comments(text)
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)
