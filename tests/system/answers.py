"""Compares found boxes with the reference package's."""

from __future__ import annotations

import dataclasses

BOX_PX = 0.2
CONFIDENCE = 0.002
NEAR_THRESHOLD = 0.0005


@dataclasses.dataclass
class Deviation:
    """The worst seen; adds up over pictures."""

    rows: int = 0
    box: float = 0.0
    confidence: float = 0.0

    def add(self, other: "Deviation") -> None:
        self.rows += other.rows
        self.box = max(self.box, other.box)
        self.confidence = max(self.confidence, other.confidence)

    def __str__(self) -> str:
        return f"{self.rows} rows, worst box {self.box:.4f} px, worst confidence {self.confidence:.5f}"


def distance(a: dict, b: dict) -> float:
    return max(abs(a["box"][k] - b["box"][k]) for k in ("x1", "y1", "x2", "y2"))


def compare(got: list[dict], expected: list[dict], threshold: float, where: str) -> Deviation:
    """Every expected row has exactly one answer of its class, and nothing is left over; rows whose confidence
    lies at the threshold may be there or not. Raises AssertionError with the row that differs."""
    worst = Deviation()
    left = list(got)
    for row in expected:
        candidates = [g for g in left if g["class"] == row["class"] and g["name"] == row["name"]]
        best = min(
            candidates,
            key=lambda g: (max(distance(g, row) / BOX_PX, abs(g["confidence"] - row["confidence"]) / CONFIDENCE)),
            default=None,
        )
        near = abs(row["confidence"] - threshold) <= NEAR_THRESHOLD
        if best is None or distance(best, row) > BOX_PX or abs(best["confidence"] - row["confidence"]) > CONFIDENCE:
            assert near, f"{where}: missing {row}; the nearest of its class is {best}"
            continue
        left.remove(best)
        worst.add(Deviation(1, distance(best, row), abs(best["confidence"] - row["confidence"])))
    extra = [g for g in left if abs(g["confidence"] - threshold) > NEAR_THRESHOLD]
    assert not extra, f"{where}: {len(extra)} rows more than the reference package found, the first {extra[0]}"
    return worst
