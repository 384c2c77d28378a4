from __future__ import annotations

import pytest
from bascule import BINARY, DATA, SHARED, Server

figures: list[str] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    if not BINARY.exists():
        raise pytest.UsageError(
            f"{BINARY} is not there. Build it (cmake --preset release && cmake --build build/release --target "
            "bascule) or name another in BASCULE_BINARY."
        )


def pytest_terminal_summary(terminalreporter) -> None:
    """Figures that tests recorded: worst deviations, times."""
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)


@pytest.fixture
def figure():
    return figures.append


@pytest.fixture(scope="session")
def server():
    """One server with all models of tests/data, shared by the tests that do not stop it."""
    with Server(DATA / "yolo", DATA / "general") as running:
        yield running


@pytest.fixture(scope="session")
def shared():
    if not SHARED.exists():
        pytest.skip(f"needs {SHARED.name}/, which a clone does not carry")
    return SHARED
