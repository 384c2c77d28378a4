"""Rules on C++ text. Each yields one sentence per violation."""

import os
import re

from source import CPP, includes, is_test, room_of, table, without_comments

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_TEST_LINES = 100  # a test is often one long table


def room_table(tree):
    rooms = {}
    for number, line in table(tree, "rooms.txt"):
        name, colon, allowed = line.partition(":")
        if not colon:
            raise ValueError(f"tests/tidy/rooms.txt:{number}: '{line}' is no 'room: rooms'.")
        rooms[name.strip()] = set(allowed.split())
    return rooms


def public_headers(tree):
    """The headers that a room shows to others: those under HEADERS in its CMakeLists.txt."""
    found = set()
    for name in tree.under("src", endings=("CMakeLists.txt",)):
        for block in re.findall(r"\bHEADERS\s+([^)]*?)\s*(?:\b[A-Z_]{4,}\b|\))", tree.text(name)):
            found.update(os.path.join(os.path.dirname(name), header)[len("src/"):] for header in block.split())
    return found


def edge_refused(rooms, name, target):
    """Why the file `name` may not include the file `target` of src/, or None."""
    here, there = room_of(name), room_of("src/" + target)
    room, other = here.split("/")[0], there.split("/")[0]
    if room not in rooms:
        return f"the room '{room}' does not stand in tests/tidy/rooms.txt"
    if "*" in rooms[room] or here == there:
        return None
    if "/" in there and not (is_test(name) and there == "backend/fake"):
        return f"'{there}' is a leaf that only app/, tests/ and bench/ name"
    if other != room and other not in rooms[room] and there != "backend/fake":
        return f"{room}/ may include {', '.join(sorted(rooms[room])) or 'no other room'}, not {other}/"
    return None


def rooms(tree):
    """Every #include between rooms, and every CMake dependency, stands in rooms.txt."""
    allowed = room_table(tree)
    public = public_headers(tree)
    for name in tree.under("src", "tests", "bench", "fuzz"):
        for line, quoted, target in includes(tree.text(name)):
            if not quoted:
                continue
            if not name.startswith("src/") and tree.has(name.rsplit("/", 1)[0] + "/" + target):
                continue  # a helper beside its tests
            if not tree.has("src/" + target):
                yield f"{name}:{line}: \"{target}\" is no file below src/; project headers are included by that path."
            elif name.startswith("src/"):
                why = edge_refused(allowed, name, target)
                if not why and room_of(name) != room_of("src/" + target) and target not in public and not is_test(name):
                    why = "it is not under HEADERS in its room's CMakeLists.txt, so it is private to its room"
                if why:
                    yield f"{name}:{line}: \"{target}\" may not be included: {why}."
    for name in tree.under("src", endings=("CMakeLists.txt",)):
        room = room_of(name).split("/")[0]
        if room == "app":
            continue
        block = re.search(r"\bDEPS\s+([a-z_\s]+?)\s*(?:[A-Z_]{4,}|\))", tree.text(name))
        for dep in block.group(1).split() if block else []:
            if dep != room and dep not in allowed.get(room, set()):
                yield f"{name}: {room}/ may not depend on {dep}/; the edge is not in tests/tidy/rooms.txt."


def home_table(tree):
    homes, system = [], []
    for number, line in table(tree, "homes.txt"):
        prefix, colon, rest = line.partition(":")
        if not colon:
            raise ValueError(f"tests/tidy/homes.txt:{number}: '{line}' is no 'prefix: rooms'.")
        words = rest.split()
        if prefix == "system":
            system += words
        else:
            homes.append((prefix, {w for w in words if w != "+headers"}, "+headers" in words))
    return homes, tuple(system)


def homes(tree):
    """Each third-party header has one home room, and stays out of its public headers."""
    known, system = home_table(tree)
    public = public_headers(tree)
    for name in tree.under("src", "tests", "bench", "fuzz"):
        room = room_of(name)
        for line, quoted, target in includes(tree.text(name)):
            if quoted or ("/" not in target and "." not in target) or target.startswith(system):
                continue
            home = next((h for h in known if target.startswith(h[0])), None)
            if home is None:
                yield f"{name}:{line}: <{target}> has no home room; give it one in tests/tidy/homes.txt, with a decision record."
                continue
            _, where, in_headers = home
            outside = not name.startswith("src/")
            if not (outside or "*" in where or room in where or (is_test(name) and "tests" in where)):
                yield f"{name}:{line}: <{target}> may only be included in {', '.join(sorted(where))}."
            elif name[len("src/"):] in public and not in_headers and not outside:
                yield f"{name}:{line}: <{target}> may not stand in a public header; third-party types stay inside their room."


def banned(tree):
    """Names that are not written here, with what is written instead (banned.txt)."""
    rules = []
    for number, line in table(tree, "banned.txt"):
        parts = [part.strip() for part in line.split(" => ")]
        if len(parts) != 3:
            raise ValueError(f"tests/tidy/banned.txt:{number}: '{line}' is no 'regex => rooms => replacement'.")
        rules.append((re.compile(parts[0]), set(parts[1].split()), parts[2]))
    for name in tree.under("src", "tests", "bench", "fuzz"):
        room = room_of(name).split("/")[0]
        code = without_comments(tree.text(name), strings=False)
        for number, line in enumerate(code.splitlines(), 1):
            for pattern, where, instead in rules:
                if room in where or (is_test(name) and "tests" in where):
                    continue
                found = pattern.search(line)
                if found:
                    yield f"{name}:{number}: '{found.group(0).strip()}' is not written here; use {instead}."


BLOCK_OF_NAMES = re.compile(r"(?:^|\s)(?:namespace|class|struct|union|enum|extern)\b")


def functions(text):
    """(first line, number of lines) of each function body at namespace or class level: a brace heuristic."""
    code = without_comments(text, strings=False)
    code = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)
    names_only, start, found = [], 0, []
    for position, character in enumerate(code):
        if character == "{":
            header = code[start:position]
            outer = all(kind for kind, _, _ in names_only)
            is_names = "(" not in header and bool(BLOCK_OF_NAMES.search(header))
            first = start + len(header) - len(header.lstrip())
            names_only.append((is_names, outer and ")" in header and not header.rstrip().endswith("="), first))
            start = position + 1
        elif character == "}":
            if names_only:
                _, is_function, first = names_only.pop()
                if is_function:
                    line = code.count("\n", 0, first) + 1
                    found.append((line, code.count("\n", first, position) + 1))
            start = position + 1
        elif character == ";":
            start = position + 1
    return found


def sizes(tree):
    """No file over 600 lines; no function over 70 (a test: 100) but those of the ratchet, which may only shrink."""
    ratchet = {}
    for number, line in table(tree, "long_functions.txt"):
        parts = line.split()
        if len(parts) != 2 or not parts[1].isdigit():
            raise ValueError(f"tests/tidy/long_functions.txt:{number}: '{line}' is no 'file lines'.")
        ratchet.setdefault(parts[0], []).append(int(parts[1]))
    code = tree.under("src", "tests", "bench", "fuzz", "scripts", "cmake", endings=CPP + (".py", ".sh", ".cmake"))
    for name in code:
        lines = tree.text(name).count("\n")
        if lines > MAX_FILE_LINES:
            yield f"{name}: {lines} lines, the limit is {MAX_FILE_LINES}; split it along what its parts are about."
    for name in [n for n in code if n.endswith(CPP)]:
        known = sorted(ratchet.pop(name, []), reverse=True)
        limit = MAX_TEST_LINES if is_test(name) else MAX_FUNCTION_LINES
        long = sorted(((n, line) for line, n in functions(tree.text(name)) if n > limit), reverse=True)
        for index, (count, line) in enumerate(long):
            if index >= len(known):
                yield f"{name}:{line}: a function of {count} lines, the limit is {limit}; split it."
            elif count > known[index]:
                yield f"{name}:{line}: a long function grew from {known[index]} to {count} lines; split it."
            elif count < known[index]:
                yield f"{name}:{line}: a long function shrank to {count} lines; lower its {known[index]} in tests/tidy/long_functions.txt."
        if len(known) > len(long):
            yield f"{name}: {len(known) - len(long)} lines of tests/tidy/long_functions.txt are no longer needed; remove them."
    for name in ratchet:
        yield f"tests/tidy/long_functions.txt names {name}, which is not there; remove the line."


def listed(tree):
    """Every .cc file is listed in the CMakeLists.txt above it, so that no test lies unbuilt."""
    for name in tree.under("src", "tests", "bench", "fuzz", endings=(".cc",)):
        folder = os.path.dirname(name)
        while folder and not tree.has(f"{folder}/CMakeLists.txt"):
            folder = os.path.dirname(folder)
        if not folder:
            yield f"{name}: no CMakeLists.txt above it lists it."
            continue
        text = re.sub(r"#[^\n]*", "", tree.text(f"{folder}/CMakeLists.txt"))
        relative = os.path.relpath(name, folder)
        if not re.search(rf"(?<![\w./-]){re.escape(relative)}(?![\w./-])", text):
            yield f"{name}: {folder}/CMakeLists.txt does not list {relative}, so it is never built."


def dialects(tree):
    """No dialect's word outside protocol/, http/ and app/; comments and unit tests are exempt."""
    words = []
    for _, line in table(tree, "dialect_words.txt"):
        word, _, rest = line.partition("=>")
        where = set(rest.partition(":")[0].split())
        words.append((re.compile(rf"(?<![\w]){re.escape(word.strip())}(?![\w])", re.IGNORECASE), where))
    for name in tree.under("src"):
        room = room_of(name).split("/")[0]
        if room in ("protocol", "http", "app") or is_test(name):
            continue
        for number, line in enumerate(without_comments(tree.text(name)).splitlines(), 1):
            for pattern, where in words:
                found = pattern.search(line)
                if found and room not in where:
                    yield f"{name}:{number}: '{found.group(0)}' is a dialect's word; it belongs into protocol/."


CLASS = re.compile(r"^(?:template\s*<[^>\n][^\n]*>\n)?(?<!template <>\n)class\s+(?:BASCULE_TSA\(.*\)\s*|\[\[\w+\]\]\s*)?(\w+)[^;{]*\{", re.MULTILINE)


def thread_safety(tree):
    """Every class of a header says its thread-safety in the comment above it."""
    for name in tree.under("src", endings=(".h",)):
        text = tree.text(name)
        for match in CLASS.finditer(text):
            above = text[: match.start()].rstrip("\n").split("\n")
            comment = []
            while above and above[-1].startswith("//"):
                comment.append(above.pop())
            if not any("Thread-safety:" in line for line in comment):
                line = text.count("\n", 0, match.start(1)) + 1
                yield f"{name}:{line}: the comment above class {match.group(1)} lacks its line 'Thread-safety: …'."


RULES = (rooms, homes, banned, sizes, listed, dialects, thread_safety)
