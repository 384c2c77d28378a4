"""examples/batch: the very lines that systemd and cron would run, with other paths, and in the environment that they give."""

import configparser
import datetime
import fcntl
import json
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
from bascule import BINARY, ROOT

HERE = ROOT / "examples/batch"
TRAYS = ROOT / "examples/checkout/pictures"
YESTERDAY = (datetime.date.today() - datetime.timedelta(days=1)).isoformat()


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=True, interpolation=None)
    read.optionxform = str
    read.read_string((HERE / name).read_text())
    return read


def cron() -> tuple[dict[str, str], str, str]:
    """The variables, the five fields and the command of the one line."""
    variables, entries = {}, []
    for line in (HERE / "crontab").read_text().splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            variables[match[1]] = match[2]
        elif line.strip() and not line.startswith("#"):
            entries.append(line)
    (entry,) = entries
    fields = re.fullmatch(r"((?:[\d*/,-]+ +){5})(.*)", entry)
    assert fields, entry
    return variables, fields[1].strip(), fields[2]


@pytest.fixture
def place(tmp_path):
    """A machine on which everything lies where examples/batch/README.md puts it, below a folder."""
    for folder in ("usr/local/bin", "srv/models", f"srv/pictures/{YESTERDAY}", "srv/results", "run/lock"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(HERE / "night-run.sh", tmp_path / "usr/local/bin/bascule-night-run")
    (tmp_path / "usr/local/bin/bascule").symlink_to(BINARY)
    shutil.copy(ROOT / "examples/checkout/fruit.onnx", tmp_path / "srv/models/model.onnx")
    for i, picture in enumerate(sorted(TRAYS.glob("*.jpg"))):
        shutil.copy(picture, tmp_path / f"srv/pictures/{YESTERDAY}/{i}.jpg")
    return tmp_path


def below(text: str, place: pathlib.Path) -> str:
    return re.sub(r"(?<![\w.])/(?=usr/local|srv/|run/lock)", f"{place}/", text)


def check_results(place: pathlib.Path) -> None:
    result = place / f"srv/results/{YESTERDAY}.jsonl"
    assert len([json.loads(line) for line in result.read_text().splitlines()]) == len(list(TRAYS.glob("*.jpg")))
    assert (place / f"srv/results/{YESTERDAY}.html").stat().st_size > 1000
    assert not list(result.parent.glob("*.checkpoint"))


def test_the_line_of_the_service(place):
    service = unit("bascule-batch.service")["Service"]
    assert service["Type"] == "oneshot" and service["SuccessExitStatus"] == "3"
    words = shlex.split(below(service["ExecStart"], place))
    path = below("/usr/local/bin", place) + ":/usr/bin:/bin"  # systemd's own begins so
    for said in ("3 answered", "done already"):
        done = subprocess.run(words, env={"PATH": path}, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 and said in done.stdout + done.stderr, (done.stdout, done.stderr)
    check_results(place)


def test_the_line_of_cron(place):
    variables, when, command = cron()
    assert when == "0 2 * * *" and "%" not in command, "cron ends a line at a %"
    log = place / "srv/results/night-run.log"
    run = lambda: subprocess.run(["/bin/sh", "-c", below(command, place)], cwd=place, capture_output=True, text=True, timeout=120,
                                 check=False, env={"PATH": "/usr/bin:/bin"} | {k: below(v, place) for k, v in variables.items()})
    lock = place / "run/lock/bascule-night-run"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run().returncode == 1, "a second run begins beside the first"
    assert not list((place / "srv/results").glob("*.jsonl"))
    done = run()
    assert done.returncode == 0 and not done.stdout and not done.stderr, log.read_text()  # else cron sends mail
    assert "3 answered" in log.read_text()
    check_results(place)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_takes_the_units(place):
    for name in ("bascule-batch.service", "bascule-batch.timer"):
        (place / name).write_text(below((HERE / name).read_text(), place))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", place / "bascule-batch.service", place / "bascule-batch.timer"],
                          capture_output=True, text=True, timeout=60, check=False)
    said = [line for line in done.stderr.splitlines() if "bascule-batch" in line]
    assert done.returncode == 0 and not said, done.stderr
    (place / "bascule-batch.service").write_text("[Service]\nType=oneshot\nExecStart=/no/such/program\nNonsense=1\n")
    wrong = subprocess.run(["systemd-analyze", "verify", "--man=no", place / "bascule-batch.service"],
                           capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode != 0 and "Nonsense" in wrong.stderr, "what is wrong would not be told"


def test_the_timer_starts_the_service():
    timer = unit("bascule-batch.timer")
    assert timer["Timer"]["OnCalendar"] == "*-*-* 02:00:00" and timer["Timer"]["Persistent"] == "true"
    assert "Unit" not in timer["Timer"], "it starts the service of its own name"
