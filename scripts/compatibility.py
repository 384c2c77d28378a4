#!/usr/bin/env python3
"""Runs other people's clients and tests against the release binary, unmodified, and writes what came of it
into docs/compatibility.md.

    scripts/compatibility.py --triton-client CLONE    every CPU script of src/python/examples of that clone
    scripts/compatibility.py --perf-analyzer          Triton's load generator, HTTP and gRPC, 1 to 16 at once
    scripts/compatibility.py --kserve PYTHON          the clients of the package kserve, in that environment
    scripts/compatibility.py --ultralytics PYTHON     the ultralytics package over http and grpc

Several may be given at once. Needs the release binary and .venv (scripts/setup.sh --tests). The exit code is 0
where everything passed; --no-docs leaves the page alone, --only TEXT runs the scripts with TEXT in their names.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))
from bascule import BINARY, DATA, SHARED, Server  # noqa: E402

PAGE = ROOT / "docs" / "compatibility.md"
PICTURE = DATA / "pictures" / "fruit_101_0003.jpg"
SCRIPT_LIMIT_S = 120

# What is not run, and why.
NOT_RUN = {
    "cudashm": "needs a GPU",
    "custom_repeat": "needs Triton's own model `repeat_int32`, whose code is a library for Triton",
    "ensemble_image_client": "needs an ensemble with Triton's `image_preprocess` library",
    "memory_growth_test": "counts memory of the client, over hours",
}
# What a script is run with beside its address; several entries: run that often. Left out: `-d` of the sequence
# scripts, which asks for simple_string_dyna_sequence, a model that the example repository has not.
IMAGES = ["-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION", str(PICTURE)]
ARGUMENTS = {
    "image_client.py": [IMAGES, ["-a", *IMAGES], ["-i", "grpc", *IMAGES], ["-i", "grpc", "-a", *IMAGES],
                        ["-i", "grpc", "--streaming", *IMAGES]],
    "grpc_image_client.py": [IMAGES, ["-a", *IMAGES], ["--streaming", *IMAGES]],
    "reuse_infer_objects_client.py": [[], ["-i", "grpc"]],
}


class Repository:
    """A copy of Triton's example repository. `classifier`: densenet_onnx gets a model file, ours."""

    def __init__(self, source: pathlib.Path, folder: pathlib.Path) -> None:
        self.source, self.folder = source, folder

    def copy(self, name: str, without: tuple[str, ...] = (), classifier: bool = False) -> pathlib.Path:
        target = self.folder / name
        if not target.exists():
            shutil.copytree(self.source, target, ignore=lambda _, names: [n for n in names if n in without])
            if classifier:
                (target / "densenet_onnx" / "1").mkdir(exist_ok=True)
                shutil.copy(DATA / "engine" / "classifier_1000.onnx", target / "densenet_onnx" / "1" / "model.onnx")
        return target


def has_option(name: str) -> bool:
    return name in subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True, check=True).stdout


def serve(*models: object, triton: bool = True) -> Server:
    words: list[object] = [*models, "--grpc-port", 0, "--log-level", "warning"]
    if triton:
        words += ["--model-control-mode", "explicit", "--load-model", "*", "--compat", "triton"]
        if has_option("--allow-client-shm"):
            words.append("--allow-client-shm")
    return Server(*words)


def grpc_port(server: Server) -> int:
    server.get("/v2/health/live")  # an answer later, all lines have been read
    return next(int(m.group(1)) for line in server.lines if (m := re.match(r"gRPC on \S+:(\d+)", line)))


def last_line(text: str) -> str:
    details = re.findall(r'details = "(.*)"', text)  # of a call over gRPC; what follows says it again
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return details[-1] if details else lines[-1] if lines else ""


def shown(text: str) -> str:
    """One cell of a table."""
    text = text.replace(str(ROOT) + "/", "").replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= 200 else text[:199] + "…"


def run(words: list[object], limit_s: float = SCRIPT_LIMIT_S, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    try:
        done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=limit_s, check=False, env=env, errors="replace")
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as expired:
        out = expired.stdout or b""
        return 124, out.decode(errors="replace") if isinstance(out, bytes) else out, f"not done after {limit_s} s"


class Table:
    def __init__(self, head: tuple[str, ...]) -> None:
        self.head, self.rows, self.failed = head, [], 0

    def add(self, *cells: str, ok: bool | None = None) -> None:
        self.rows.append(cells)
        self.failed += ok is False
        print("compatibility:", " | ".join(cells), flush=True)

    def text(self) -> str:
        lines = [self.head, tuple("---" for _ in self.head), *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def triton_examples(clone: pathlib.Path, source: pathlib.Path, folder: pathlib.Path, only: str) -> Table:
    examples = clone / "src" / "python" / "examples"
    scripts = sorted(examples.glob("*.py"))
    if not scripts:
        raise SystemExit(f"compatibility: {examples} has no scripts; --triton-client takes a clone of Triton's client repository.")
    repositories = Repository(source, folder)
    table = Table(("script", "result", "reason"))
    for script in scripts:
        if only not in script.name:
            continue
        reason = next((why for part, why in NOT_RUN.items() if part in script.name), None)
        if reason:
            table.add(f"`{script.name}`", "not run", reason)
            continue
        runs = ARGUMENTS.get(script.name, [[]])
        if script.name in ARGUMENTS and "image" in script.name or script.name == "grpc_client.py":
            repository = repositories.copy("classifier", classifier=True)
        elif script.name == "simple_http_model_control.py":  # wants seven entries; its twin over gRPC eight
            repository = repositories.copy("seven", without=("inception_onnx",))
        else:
            repository = repositories.copy("all")
        for arguments in runs:
            with serve(repository) as server:
                over_grpc = "grpc" in script.name or "grpc" in arguments
                port = grpc_port(server) if over_grpc else server.port
                code, out, err = run([sys.executable, script, "-u", f"127.0.0.1:{port}", *arguments])
            # Some say PASS at their end, others only end with 0.
            passed = code == 0 and ("PASS" in out or not re.search(r"print\(.*PASS", script.read_text()))
            said = " ".join(a for a in arguments if not a.startswith("/") and a not in IMAGES)
            why = "" if passed else shown(last_line(err) or last_line(out) or f"exit code {code}")
            table.add(f"`{script.name}{' ' + said if said else ''}`", "passed" if passed else "failed", why, ok=passed)
    return table


def perf_analyzer(source: pathlib.Path, folder: pathlib.Path) -> Table:
    program = ROOT / ".deps" / "perf_analyzer" / "perf_analyzer"
    if not program.exists():
        raise SystemExit("compatibility: .deps/perf_analyzer is not there; scripts/setup.sh --tests brings it.")
    table = Table(("protocol", "at once", "result", "inferences/s", "p99, µs"))
    with serve(Repository(source, folder).copy("all")) as server:
        for protocol, port in (("http", server.port), ("grpc", grpc_port(server))):
            report = folder / f"{protocol}.csv"
            code, out, err = run(
                [program, "-m", "simple", "-i", protocol, "-u", f"127.0.0.1:{port}", "--concurrency-range", "1:16:5",
                 "-p", "500", "-s", "999", "-r", "3", "-f", report, "--percentile", "99"],
                env={"LD_LIBRARY_PATH": str(program.parent)})
            if code != 0 or not report.exists():
                table.add(protocol, "1 to 16", "failed", shown(last_line(err) or last_line(out)), "", ok=False)
                continue
            lines = [line.split(",") for line in report.read_text().splitlines() if line]
            names = lines[0]
            for row in sorted(lines[1:], key=lambda row: int(row[0])):
                cells = dict(zip(names, row))
                table.add(protocol, cells["Concurrency"], "passed", f"{float(cells['Inferences/Second']):.0f}",
                          cells.get("p99 latency", ""), ok=True)
    return table


def clients(python: pathlib.Path, scripts: list[tuple[str, str]], models: list[pathlib.Path]) -> Table:
    """Scripts of examples/clients and tests/compatibility in another Python environment: (file, address scheme)."""
    table = Table(("script", "over", "result", "reason"))
    with serve(*models, triton=False) as server:
        for script, scheme in scripts:
            port = grpc_port(server) if scheme == "grpc" else server.port
            code, out, err = run([python, ROOT / script, f"{scheme}://127.0.0.1:{port}"], limit_s=600)
            why = shown(last_line(out)) if code == 0 else shown(last_line(err) or last_line(out))
            table.add(f"`{script}`", scheme, "passed" if code == 0 else "failed", why, ok=code == 0)
    return table


def write(section: str, table: Table) -> None:
    text = PAGE.read_text()
    begin, end = f"<!-- {section}: written by scripts/compatibility.py -->", f"<!-- end of {section} -->"
    if begin not in text or end not in text:
        raise SystemExit(f"compatibility: {PAGE.name} has no section '{section}'.")
    head, _, rest = text.partition(begin)
    PAGE.write_text(head + begin + "\n" + table.text() + "\n" + end + rest.partition(end)[2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triton-client", type=pathlib.Path, metavar="CLONE")
    parser.add_argument("--perf-analyzer", action="store_true")
    parser.add_argument("--kserve", type=pathlib.Path, metavar="PYTHON")
    parser.add_argument("--ultralytics", type=pathlib.Path, metavar="PYTHON")
    parser.add_argument("--repository", type=pathlib.Path, default=SHARED / "models" / "triton_repository",
                        help="Triton's example repository (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--no-docs", action="store_true")
    options = parser.parse_args()
    done: dict[str, Table] = {}
    fruit, steel = ROOT / "examples/checkout/fruit.onnx", ROOT / "examples/factory/steel.onnx"
    with tempfile.TemporaryDirectory(prefix="bascule-compatibility-") as name:
        folder = pathlib.Path(name)
        if options.triton_client:
            done["triton examples"] = triton_examples(options.triton_client, options.repository, folder, options.only)
        if options.perf_analyzer:
            done["perf_analyzer"] = perf_analyzer(options.repository, folder)
        if options.kserve:
            done["kserve"] = clients(options.kserve, [("examples/clients/kserve_rest.py", "http"),
                                                      ("examples/clients/kserve_grpc.py", "grpc")],
                                     [DATA / "general" / "add_one.onnx"])
        if options.ultralytics:
            done["ultralytics"] = clients(options.ultralytics, [
                ("examples/clients/ultralytics_package.py", "http"), ("examples/clients/ultralytics_package.py", "grpc"),
                ("tests/compatibility/ultralytics_equal.py", "http"), ("tests/compatibility/ultralytics_equal.py", "grpc"),
                ("tests/compatibility/ul_cloud_predict.py", "http")],
                [fruit, steel, DATA / "yolo" / "yolo26n.onnx"])
    if not done:
        parser.error("name at least one of --triton-client, --perf-analyzer, --kserve and --ultralytics.")
    failed = 0
    for section, table in done.items():
        failed += table.failed
        if not options.no_docs and not options.only:
            write(section, table)
    print(f"compatibility: {sum(len(t.rows) for t in done.values())} rows, {failed} failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
