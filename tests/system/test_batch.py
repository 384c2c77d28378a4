"""`bascule batch`: every form of input and result, runs that are killed, stopped and gone on with, servers."""

import base64
import csv
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from bascule import BINARY, DATA, ROOT, Server, has_sanitizer, run_cli

FRUIT = ROOT / "examples/checkout/fruit.onnx"
TRAYS = ROOT / "examples/checkout/pictures"
WINE = ROOT / "examples/table/wine.onnx"
WINES = ROOT / "examples/table/wines.csv"
SPAM = DATA / "general/sms_spam.onnx"
IRIS = DATA / "general/iris_zipmap.onnx"


def batch(*args, code=0, **how):
    done = run_cli("batch", *args, **how)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def files_of(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Forty pictures in folders of folders, none of them the same file."""
    folder = tmp_path_factory.mktemp("pictures") / "trays"
    trays = sorted(TRAYS.glob("*.jpg"))
    for i in range(40):
        path = folder / f"belt-{i % 3}" / f"{i:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(trays[i % len(trays)], path)
    return folder


def test_a_folder_of_pictures(pictures, tmp_path):
    out = tmp_path / "results.jsonl"
    done = batch(FRUIT, pictures, "--out", out)
    rows = lines(out)
    assert [row["input"] for row in rows] == sorted(str(path) for path in pictures.rglob("*.jpg"))
    assert files_of(tmp_path) == ["results.jsonl"]
    assert "40 answered" in done.stderr and not done.stdout
    (image,) = json.loads(run_cli("predict", FRUIT, rows[7]["input"], "--json").stdout)["images"]
    assert rows[7]["results"] == image["results"] and rows[7]["shape"] == image["shape"]
    assert "speed" not in rows[7]


def test_pictures_as_a_table_and_as_a_database(pictures, tmp_path):
    batch(FRUIT, pictures / "belt-0", "--out", tmp_path / "r.csv")
    batch(FRUIT, pictures / "belt-0", "--out", tmp_path / "r.sqlite")
    table = list(csv.DictReader((tmp_path / "r.csv").open()))
    with sqlite3.connect(tmp_path / "r.sqlite") as database:
        stored = database.execute("SELECT number, input, id, answer FROM results ORDER BY number").fetchall()
    assert files_of(tmp_path) == ["r.csv", "r.sqlite"]
    assert len(table) == len(stored) == 14
    for row, (number, name, key, answer) in zip(table, stored):
        results = json.loads(answer)["results"]
        assert row["input"] == name and key is None and row["id"] == ""
        assert json.loads(row["results"]) == results and int(row["objects"]) == len(results)
        assert float(row["confidence"]) == max(one["confidence"] for one in results)
    assert [row[0] for row in stored] == list(range(1, 15))


def test_rows_of_tables_and_lines(tmp_path):
    batch(WINE, WINES, "--out", tmp_path / "a.jsonl")
    expected = json.loads(run_cli("predict", WINE, WINES, "--json").stdout)["rows"]
    answered = lines(tmp_path / "a.jsonl")
    assert answered[0].pop("input") == f"{WINES}:2"
    assert answered[0] == expected[0] and len(answered) == len(expected)

    wines = list(csv.DictReader(WINES.open()))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"id": f"w{i}", **{k: float(v) for k, v in row.items()}}) + "\n"
                            for i, row in enumerate(wines)))
    batch(WINE, rows, "--out", tmp_path / "b.csv")
    table = list(csv.DictReader((tmp_path / "b.csv").open()))
    assert [row["id"] for row in table] == [f"w{i}" for i in range(len(wines))]
    assert [row["label"] for row in table] == [row["label"] for row in expected]
    best = expected[0]["probabilities"]
    assert {name: float(table[0][f"probabilities.{name}"]) for name in best} == pytest.approx(best)


def test_a_table_with_ids(tmp_path):
    with WINES.open() as file:
        head, *rest = file.read().splitlines()
    table = tmp_path / "t.csv"
    table.write_text("\n".join([f"id,{head}", *(f"\"k {i}\",{row}" for i, row in enumerate(rest))]) + "\n")
    batch(WINE, table, "--out", tmp_path / "a.jsonl")
    assert [row["id"] for row in lines(tmp_path / "a.jsonl")] == [f"k {i}" for i in range(len(rest))]


def test_sentences(tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("Lunch at one?\n\nYou have won a prize, call 0900 now to claim\n")
    batch(SPAM, text, "--out", tmp_path / "a.jsonl")
    assert [(row["input"], row["label"]) for row in lines(tmp_path / "a.jsonl")] == [
        (f"{text}:1", "ham"), (f"{text}:3", "spam")]


def test_lists_globs_and_lines_that_name_pictures(pictures, tmp_path):
    names = sorted(str(path) for path in pictures.rglob("*.jpg"))[:4]
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n")
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps({"image": name, "id": i}) + "\n" for i, name in enumerate(names)))
    outs = []
    for i, words in enumerate((["@list.txt"], ["--list", "list.txt"], ["lines.jsonl"], names)):
        batch(FRUIT, *words, "--out", f"{i}.jsonl", cwd=tmp_path)
        outs.append(lines(tmp_path / f"{i}.jsonl"))
        assert [row["input"] for row in outs[-1]] == names
    assert [row.pop("id") for row in outs[2]] == [0, 1, 2, 3]
    assert all(out == outs[0] for out in outs)
    batch(FRUIT, pictures / "belt-1" / "*.jpg", "--out", tmp_path / "glob.jsonl")
    assert len(lines(tmp_path / "glob.jsonl")) == 13


def test_bad_inputs_are_told_of_and_the_run_goes_on(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "d.jpg"):
        shutil.copy(TRAYS / "fruit_101_0008.jpg", folder / name)
    (folder / "b.jpg").write_text("no picture")
    (folder / "c.jpg").write_bytes((TRAYS / "fruit_101_0008.jpg").read_bytes()[:3000])
    done = batch(FRUIT, folder, "--out", tmp_path / "r.jsonl")
    assert [pathlib.Path(row["input"]).name for row in lines(tmp_path / "r.jsonl")] == ["a.jpg", "d.jpg"]
    errors = lines(tmp_path / "r.errors.jsonl")
    assert [pathlib.Path(row["input"]).name for row in errors] == ["b.jpg", "c.jpg"]
    assert all(row["error"] and row["code"] == "invalid_argument" for row in errors)
    assert "2 answered, 2 bad" in done.stderr

    done = batch(FRUIT, folder, "--out", tmp_path / "s.jsonl", "--errors", tmp_path / "e.jsonl", "--max-errors", 1, code=1)
    assert "--max-errors is 1" in done.stderr and len(lines(tmp_path / "e.jsonl")) == 2
    batch(FRUIT, folder, "--out", tmp_path / "s.jsonl", "--errors", tmp_path / "e.jsonl")
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "r.jsonl").read_bytes()
    batch(FRUIT, folder / "b.jpg", "--out", tmp_path / "t.jsonl", code=1)  # nothing but bad ones


def test_bad_rows_among_good_ones(tmp_path):
    rows = ["[5.1, 3.5, 1.4, 0.2]"] * 700
    bad = {3: "[1, 2]", 255: "nonsense", 256: '["x", 1, 2, 3]', 600: "{}"}
    for at, text in bad.items():
        rows[at] = text
    (tmp_path / "in.jsonl").write_text("\n".join(rows) + "\n")
    batch(IRIS, "in.jsonl", "--out", "out.jsonl", cwd=tmp_path)
    assert len(lines(tmp_path / "out.jsonl")) == 696
    assert [row["input"] for row in lines(tmp_path / "out.errors.jsonl")] == [f"in.jsonl:{at + 1}" for at in bad]


def content(path):
    """What a result says: its bytes, but for a database, whose pages may lie in another order."""
    if path.suffix != ".sqlite":
        return path.read_bytes()
    with sqlite3.connect(path) as database:
        return database.execute("SELECT * FROM results ORDER BY number").fetchall()


@pytest.mark.parametrize(("form", "kills"), [("jsonl", 20), ("csv", 5), ("sqlite", 5)])
def test_a_run_that_is_killed_at_any_moment_leaves_the_result_of_one_that_is_not(form, kills, pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "in")
    (tmp_path / "in/belt-1/bad.jpg").write_text("no picture")
    words = [str(BINARY), "batch", str(FRUIT), "in", "--checkpoint-every", "0.05", "--report", "report.html"]
    whole, out = tmp_path / f"whole.{form}", tmp_path / f"r.{form}"
    began = time.monotonic()
    subprocess.run([*words, "--out", whole], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    whole_s = time.monotonic() - began
    seed = int(os.environ.get("BASCULE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    killed = resumed = finished = 0
    while killed < kills or not resumed or not finished:
        assert killed < 10 * kills, "no run went on from a checkpoint: the kills came too early to show anything"
        process = subprocess.Popen([*words, "--out", out], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            said = process.communicate(timeout=rng.uniform(0.02, whole_s) if killed < kills or not resumed else 120)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            said = process.communicate(timeout=30)[1]
        resumed += "going on after" in said
        if process.returncode == -signal.SIGKILL:
            killed += 1
            if not out.exists() or (tmp_path / f"r.{form}.checkpoint").exists():
                continue  # else the kill came when all was done
        else:
            assert process.returncode == 0, said
        finished += 1
        assert content(out) == content(whole)
        errors = (tmp_path / "r.errors.jsonl").read_text()
        assert errors == (tmp_path / "whole.errors.jsonl").read_text() and errors.count("\n") == 1
        assert not list(tmp_path.glob("*.checkpoint*"))
        out.unlink(), (tmp_path / "r.errors.jsonl").unlink()


def test_a_signal_ends_a_run_where_it_can_go_on(pictures, tmp_path):
    batch(FRUIT, pictures, "--out", tmp_path / "whole.jsonl")
    words = [str(BINARY), "batch", str(FRUIT), str(pictures), "--out", str(tmp_path / "r.jsonl"), "--checkpoint-every", "60"]
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        grown = lambda: (tmp_path / "r.jsonl").exists() and (tmp_path / "r.jsonl").stat().st_size
        before = grown() or 0
        while not (grown() or 0) > before and time.monotonic() < deadline and process.poll() is None:
            pass
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
        if process.returncode == 0:
            break  # it was faster than the signal
        assert process.returncode == 3 and "The same command goes on" in said, said
        assert (tmp_path / "r.jsonl").read_text().endswith("\n")
    if process.returncode:
        done = batch(*words[2:])
        assert "going on after" in done.stderr
    assert (tmp_path / "r.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_what_would_spoil_a_result_is_refused(pictures, tmp_path):
    out = tmp_path / "r.jsonl"
    out.write_text("precious\n")
    assert "--overwrite" in batch(FRUIT, pictures, "--out", out, code=1).stderr
    assert out.read_text() == "precious\n"
    bad = tmp_path / "bad.jpg"
    bad.write_text("x")
    stop_early = ["--max-errors", 0, "--errors", tmp_path / "e.jsonl"]
    batch(FRUIT, bad, pictures, "--out", out, "--overwrite", *stop_early, code=1)
    for other, said in ((["--conf", "0.5"], "another --conf"), (["--shard", "0/2"], "another --shard"),
                        (["--report", "x.html"], "another --report")):
        assert said in batch(FRUIT, bad, pictures, "--out", out, *stop_early, *other, code=1).stderr
    assert "another input" in batch(FRUIT, bad, "--out", out, *stop_early, code=1).stderr
    assert "another model" in batch(ROOT / "examples/factory/steel.onnx", bad, pictures, "--out", out, *stop_early, code=1).stderr
    batch(FRUIT, bad, pictures, "--out", out, "--restart", "--errors", tmp_path / "e.jsonl")
    assert len(lines(out)) == 40
    for wrong in (["--shard", "2/2"], ["--shard", "x"], ["--out", "r.parquet"], ["--max-errors", "-1"]):
        assert batch(FRUIT, pictures, *wrong, code=2).stderr
    assert batch(FRUIT, code=2).stderr
    assert "There is no file, folder or match for" in batch(FRUIT, tmp_path / "none", code=1).stderr


def test_inputs_that_change_below_a_run_are_seen(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("[1,2,3,4]\n" * 300 + "bad\n" + "[1,2,3,4]\n" * 300)
    words = [IRIS, rows, "--out", tmp_path / "r.jsonl", "--errors", tmp_path / "e.jsonl", "--max-errors", 0]
    batch(*words, code=1)
    rows.write_text("[9,2,3,4]\n" + "[1,2,3,4]\n" * 700)
    assert "are not those that the run had begun with" in batch(*words, code=1).stderr


def test_shards_are_the_whole(pictures, tmp_path):
    batch(FRUIT, pictures, "--out", tmp_path / "whole.jsonl")
    parts = []
    for i in range(3):
        batch(FRUIT, pictures, "--shard", f"{i}/3", "--out", tmp_path / f"{i}.jsonl")
        parts.append((tmp_path / f"{i}.jsonl").read_text().splitlines())
    whole = (tmp_path / "whole.jsonl").read_text().splitlines()
    assert [part[0] for part in parts] == whole[:3]
    assert sorted(sum(parts, [])) == sorted(whole)


def test_a_filter_answers_while_its_input_pauses():
    process = subprocess.Popen([str(BINARY), "batch", str(WINE), "--in", "-", "--out", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(WINES.open())]
    try:
        for i, row in enumerate(rows[:5]):
            process.stdin.write(json.dumps({"id": i, **row}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["id"] == i and answer["label"] and answer["input"] == f"stdin:{i + 1}"
        process.stdin.write("nonsense\n" + json.dumps({"id": "last", **rows[0]}) + "\n")
        rest = process.communicate(timeout=30)
    finally:
        process.kill()
    bad, last = map(json.loads, rest[0].splitlines())
    assert bad["input"] == "stdin:6" and bad["error"] and last["id"] == "last"
    assert process.returncode == 0, rest[1]


def test_a_filter_over_paths(pictures):
    names = sorted(str(path) for path in pictures.rglob("*.jpg"))[:3]
    done = batch(FRUIT, "-", stdin="\n".join(names).encode())
    assert [json.loads(line)["input"] for line in done.stdout.splitlines()] == names


def test_a_reader_that_leaves_ends_the_run():
    done = subprocess.run(f"yes '[5.1, 3.5, 1.4, 0.2]' | timeout 60 {BINARY} batch {IRIS} - | head -n 3", shell=True,
                          capture_output=True, text=True, timeout=90, check=False)
    assert len(done.stdout.splitlines()) == 3
    assert "standard output" in done.stderr


def test_a_report(pictures, tmp_path):
    for i, path in enumerate(sorted(pictures.rglob("*.jpg"))):
        os.utime(path, (1_700_000_000 + 600 * i,) * 2)
    report = tmp_path / "report.html"
    batch(FRUIT, pictures, "--out", tmp_path / "r.jsonl", "--report", report)
    html = report.read_text()
    rows = lines(tmp_path / "r.jsonl")
    apples = sum(one["name"] == "apple" for row in rows for one in row["results"])
    assert f"<td>apple</td><td class=n>{apples}</td>" in html
    assert "by the time of the picture" in html and "2023-11-14 22:" in html and html.count("<svg") == 2
    shown = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    assert len(shown) == 24 and all(base64.b64decode(one).startswith(b"\xff\xd8") for one in shown)
    assert not re.search(r"https?://|<script|<link", html)
    assert len(html) < 2_000_000
    batch(IRIS, "-", "--out", tmp_path / "i.jsonl", "--report", tmp_path / "i.html", stdin=b"[5.1,3.5,1.4,0.2]\n" * 300)
    assert "by the number of the input" in (tmp_path / "i.html").read_text()


def peak(folder, *args):
    """The peak of resident memory of a run, in kB."""
    process = subprocess.Popen([str(BINARY), "batch", *map(str, args)], cwd=folder, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return usage.ru_maxrss


@pytest.mark.skipif(has_sanitizer(), reason="a sanitizer keeps what was freed")
def test_memory_does_not_grow_with_the_rows(tmp_path, figure):
    few, many = tmp_path / "few.csv", tmp_path / "many.csv"
    rng = random.Random(1)
    head = "a,b,c,d\n"
    block = "".join(f"{rng.uniform(0, 8):.1f},{rng.uniform(0, 5):.1f},{rng.uniform(0, 7):.1f},{rng.uniform(0, 3):.1f}\n"
                    for _ in range(10_000))
    shutil.copy(IRIS, tmp_path / "iris.onnx")
    (tmp_path / "iris.yaml").write_text("columns: [a, b, c, d]\n")
    few.write_text(head + block)
    with many.open("w") as file:
        file.write(head)
        for _ in range(100):
            file.write(block)
    before = peak(tmp_path, "iris.onnx", "few.csv", "--out", "few.jsonl")
    began = time.monotonic()
    after = peak(tmp_path, "iris.onnx", "many.csv", "--out", "many.jsonl")
    figure(f"batch: {before} kB of memory after 10,000 rows, {after} kB after a million, in {time.monotonic() - began:.1f} s")
    with (tmp_path / "many.jsonl").open() as file:
        assert sum(1 for _ in file) == 1_000_000
    assert after <= 1.05 * before


class Troubled(http.server.ThreadingHTTPServer):
    """Passes requests on to a real server, but for those that its list of troubles has something for."""

    def __init__(self, real, troubles):
        super().__init__(("127.0.0.1", 0), Handler)
        self.real, self.troubles, self.answered = real, list(troubles), 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            trouble = self.server.troubles.pop(0) if self.server.troubles else None
            self.server.answered += trouble is None
        if trouble == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            self.connection.close()
            return
        if trouble:
            self.send_response(trouble)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, answer = self.server.real.post(self.path, body, self.headers["Content-Type"], self.headers["Accept"])
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Real:
    def __init__(self, port):
        self.port = port

    def post(self, path, body, content_type, accept):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, body, {"Content-Type": content_type, "Accept": accept})
        reply = connection.getresponse()
        answer = reply.status, reply.read()
        connection.close()
        return answer


def unused_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(FRUIT, WINE, SPAM) as running:
        yield running


def test_servers_share_the_work_and_their_troubles_are_got_over(server, pictures, tmp_path):
    batch(FRUIT, pictures, "--out", tmp_path / "local.jsonl")
    real = Real(server.port)
    busy, failing = Troubled(real, [429, 503, "reset", 500]), Troubled(real, ["reset", 502])
    urls = [f"http://127.0.0.1:{port}" for port in (server.port, busy.server_port, failing.server_port, unused_port())]
    for _ in range(10):  # until each trouble was met: who is asked how often is the servers' own doing
        (tmp_path / "r.jsonl").unlink(missing_ok=True)
        batch("fruit", pictures, "--out", tmp_path / "r.jsonl", *sum((["--server", url] for url in urls), []))
        if not busy.troubles and not failing.troubles and busy.answered > 0:
            break
    busy.shutdown(), failing.shutdown()
    assert not busy.troubles and not failing.troubles and busy.answered > 0
    ours, theirs = lines(tmp_path / "local.jsonl"), lines(tmp_path / "r.jsonl")
    assert [row["input"] for row in theirs] == [row["input"] for row in ours]
    for one, other in zip(ours, theirs):
        assert one.keys() == other.keys()
        assert [row["name"] for row in one["results"]] == [row["name"] for row in other["results"]]
        for a, b in zip(one["results"], other["results"]):
            assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-4) and a["box"] == pytest.approx(b["box"], abs=0.01)


def test_rows_go_to_servers(server, tmp_path):
    batch(WINE, WINES, "--out", tmp_path / "local.csv")
    batch("wine", WINES, "--server", server.url, "--out", tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == (tmp_path / "local.csv").read_text().splitlines()[0]
    assert [row["label"] for row in csv.DictReader((tmp_path / "r.csv").open())] == [
        row["label"] for row in csv.DictReader((tmp_path / "local.csv").open())]
    done = batch("sms_spam", "-", "--server", server.url, "--takes", "text", stdin=b"Lunch at one?\n")
    assert json.loads(done.stdout)["label"] == "ham"


def test_a_picture_that_a_server_refuses_is_a_bad_input(server, tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    shutil.copy(TRAYS / "fruit_101_0008.jpg", tmp_path / "b.jpg")
    batch("fruit", tmp_path / "a.jpg", tmp_path / "b.jpg", "--server", server.url, "--out", tmp_path / "r.jsonl")
    assert len(lines(tmp_path / "r.jsonl")) == 1
    (error,) = lines(tmp_path / "r.errors.jsonl")
    assert error["input"].endswith("a.jpg") and "picture" in error["error"].lower()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Forty frames of a tray that moves, nine of another, and what calls itself a video."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    folder = tmp_path_factory.mktemp("clips")
    for name, count in (("a", 40), ("c", 9)):
        subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-loop", "1", "-framerate", "10", "-i",
                        str(TRAYS / "fruit_101_0008.jpg"), "-vf", "scale=800:600,crop=640:480:n*3:n*2", "-frames:v", str(count),
                        "-c:v", "libx264", "-pix_fmt", "yuv420p", str(folder / f"{name}.mp4")], check=True, timeout=60)
    shutil.copy(TRAYS / "fruit_101_0008.jpg", folder / "b.jpg")
    (folder / "d.mp4").write_text("no video")
    return folder


def test_the_frames_of_videos(clips, tmp_path):
    out = tmp_path / "r.jsonl"
    batch(FRUIT, clips / "a.mp4", "--out", out, "--imgsz", 320)
    rows = lines(out)
    told = json.loads(run_cli("predict", FRUIT, clips / "a.mp4", "--json", "--imgsz", 320).stdout)["images"]
    assert [row["input"] for row in rows] == [f"{clips}/a.mp4:{one['frame']}" for one in told] and len(rows) == 40
    for row, one in zip(rows, told):
        assert row["results"] and [found["name"] for found in row["results"]] == [found["name"] for found in one["results"]]
        for ours, theirs in zip(row["results"], one["results"]):
            assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-4)
            assert ours["box"] == pytest.approx(theirs["box"], abs=0.01)
    batch(FRUIT, clips / "a.mp4", "--out", out, "--imgsz", 320, "--vid-stride", 7, "--overwrite")
    assert [row["results"] for row in lines(out)] == [rows[i]["results"] for i in range(6, 40, 7)]

    batch(FRUIT, clips, "--out", tmp_path / "all.jsonl", "--imgsz", 320, "--report", tmp_path / "all.html")
    whole = (tmp_path / "all.jsonl").read_text().splitlines()
    keys = [f"a.mp4:{i}" for i in range(1, 41)] + ["b.jpg"] + [f"c.mp4:{i}" for i in range(1, 10)]
    assert [pathlib.Path(json.loads(line)["input"]).name for line in whole] == keys
    (bad,) = lines(tmp_path / "all.errors.jsonl")
    assert bad["input"].endswith("d.mp4") and bad["error"]
    parts = []
    for i in range(3):
        batch(FRUIT, clips, "--shard", f"{i}/3", "--out", tmp_path / f"{i}.jsonl", "--imgsz", 320)
        parts.append((tmp_path / f"{i}.jsonl").read_text().splitlines())
    assert [len(part) for part in parts] == [40, 1, 9] and sorted(sum(parts, [])) == sorted(whole)


def test_a_video_is_gone_on_with_where_it_was(clips, tmp_path):
    words = [str(BINARY), "batch", str(FRUIT), str(clips / "a.mp4"), str(clips / "c.mp4"), "--checkpoint-every", "0", "--out"]
    began = time.monotonic()
    subprocess.run([*words, "whole.jsonl"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    whole_s = time.monotonic() - began
    seed = int(os.environ.get("BASCULE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    out, errors = tmp_path / "r.jsonl", tmp_path / "r.errors.jsonl"
    killed = resumed = finished = 0
    while killed < 8 or not resumed or not finished:
        assert killed < 80, "no run went on from a checkpoint: the kills came too early to show anything"
        process = subprocess.Popen([*words, "r.jsonl"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            said = process.communicate(timeout=rng.uniform(0.1, whole_s) if killed < 8 or not resumed else 120)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(rng.choice((signal.SIGKILL, signal.SIGTERM)))
            said = process.communicate(timeout=30)[1]
            killed += 1
        resumed += "going on after" in said
        assert process.returncode in (0, 3, -signal.SIGKILL), said
        if process.returncode and (not out.exists() or (tmp_path / "r.jsonl.checkpoint").exists()):
            continue
        finished += 1
        assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes() and not errors.exists()
        out.unlink()


def test_where_there_is_no_ffmpeg_a_run_over_videos_ends(clips, tmp_path):
    done = batch(FRUIT, clips, "--out", tmp_path / "r.jsonl", "--ffmpeg", tmp_path / "none", code=1)
    assert "ffmpeg" in done.stderr and not (tmp_path / "r.errors.jsonl").read_text()


def test_videos_are_not_for_servers(server, clips, tmp_path):
    batch("fruit", clips, "--server", server.url, "--out", tmp_path / "r.jsonl")
    assert [pathlib.Path(row["input"]).name for row in lines(tmp_path / "r.jsonl")] == ["b.jpg"]
    errors = lines(tmp_path / "r.errors.jsonl")
    assert len(errors) == 3 and all("--server" in row["error"] for row in errors)


def test_where_nobody_answers_the_run_ends_and_can_go_on(server, pictures, tmp_path):
    words = ["fruit", pictures, "--out", tmp_path / "r.jsonl", "--give-up-after", 1]
    done = batch(*words, "--server", f"http://127.0.0.1:{unused_port()}", code=1)
    assert "No server has answered" in done.stderr and "takes no connection" in done.stderr
    assert not (tmp_path / "r.errors.jsonl").read_text()
    batch(*words, "--server", server.url)
    assert len(lines(tmp_path / "r.jsonl")) == 40
    assert "There is no model 'other'" in batch("other", pictures, "--server", server.url, code=1).stderr
    assert batch("fruit", pictures, "--server", "nonsense", code=1).stderr


def test_a_server_that_wants_a_key(pictures, tmp_path):
    keys = []
    for name, role in (("night", "infer"), ("looker", "read")):
        made = run_cli("key", "new", name, "--role", role)
        keys.append(made.stdout)
        (tmp_path / f"{name}.key").write_text(made.stderr)  # as docs/access.md keeps it
    (tmp_path / "keys.yaml").write_text("keys:\n" + "".join(keys))
    (tmp_path / "unknown.key").write_text("bascule_" + "0" * 64 + "\n")
    words = ["fruit", pictures / "belt-0", "--out", tmp_path / "r.jsonl"]
    with Server(FRUIT, WINE, "--api-keys", tmp_path / "keys.yaml") as server:
        for more, said in (([], "key"), (["--server-key", tmp_path / "unknown.key"], "key"),
                           (["--server-key", tmp_path / "looker.key"], "role")):
            done = batch(*words, "--server", server.url, *more, code=1)
            assert said in done.stderr.lower(), done.stderr
            assert not (tmp_path / "r.jsonl").read_text() and not (tmp_path / "r.errors.jsonl").read_text(), "no input is to blame"
        key = ["--server-key", tmp_path / "night.key"]
        batch(*words, "--server", server.url, *key)
        assert len(lines(tmp_path / "r.jsonl")) == 14
        batch("wine", WINES, "--out", tmp_path / "w.csv", "--server", server.url, *key)
        assert len((tmp_path / "w.csv").read_text().splitlines()) == len(WINES.read_text().splitlines())
    missing = batch(*words, "--server", "http://127.0.0.1:9", "--server-key", tmp_path / "none.key", "--overwrite", code=1)
    assert "none.key" in missing.stderr
    (tmp_path / "none.key").write_text("two words\n")
    assert "holds no key" in batch(*words, "--server", "http://127.0.0.1:9", "--server-key", tmp_path / "none.key", code=1).stderr
    (tmp_path / "alone.key").write_text(re.search("bascule_[0-9a-f]{64}", (tmp_path / "night.key").read_text())[0] + "\n")
    with Server(FRUIT, "--api-keys", tmp_path / "keys.yaml") as server:
        batch(*words, "--server", server.url, "--server-key", tmp_path / "alone.key", "--overwrite")


def test_a_log_has_lines_and_no_bar(pictures, tmp_path):
    done = batch(FRUIT, pictures, "--out", tmp_path / "r.jsonl")
    assert "\r" not in done.stderr and "\x1b" not in done.stderr


def test_a_terminal_has_a_bar(pictures, tmp_path):
    done = subprocess.run(["script", "-qec", f"{BINARY} batch {FRUIT} {pictures} --out {tmp_path}/r.jsonl", "/dev/null"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\[#* *\] +\d+ %  [\d,]+ done  [\d.]+/s", done.stdout), done.stdout
