"""A belt counted with the model: each line that the basket has more or less than the labels is the model's own doing.

What the model sees on each frame is written down by a second application over the same frames, which follows nothing. An item
would be counted by whoever knew which box is which: where it was seen in two frames running, and then behind the line. One that
the till counts otherwise, or twice where the model shows it once, is the tracker's fault, and fails the test.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import shutil

import pytest
from bascule import Server
from test_application_sources import BELTS, FRUIT, NAMES, app, ended, events_of, wait_for, write_file
from test_checkout import EXAMPLE, basket, boxes_of_labels, overlap, pieces, till, write_prices

WIDTH, HEIGHT, WINDOW = 5760, 720, 1280
LINE = 0.3  # of the window
WEAK = 0.1  # boxes from here on help to follow an object
LOST = 30  # frames
FITS = 0.5  # least overlap of a box with the item that it shows

Box = tuple[float, float, float, float]


@dataclasses.dataclass
class Seen:
    """What the model shows of an item on one frame."""

    frame: int
    name: str
    confidence: float
    x: float  # of the box's centre on the frame


@dataclasses.dataclass
class Item:
    name: str
    box: Box  # on the belt
    seen: list[Seen] = dataclasses.field(default_factory=list)
    counted: list[tuple[int, str]] = dataclasses.field(default_factory=list)  # frame and class of each crossing

    def on_frame(self, left: float) -> Box | None:
        x1, x2 = max(self.box[0] - left, 0), min(self.box[2] - left, WINDOW)
        return (x1, self.box[1], x2, self.box[3]) if x2 > x1 else None

    def in_view(self, frames: list[int], speed: float) -> list[int]:
        return [frame for frame in frames if self.box[0] >= left_of(frame, speed) and self.box[2] <= left_of(frame, speed) + WINDOW]

    def would_be_counted(self, name: str, confidence: float, frames: list[int]) -> bool:
        """Of class `name`, by whoever knew which boxes are this item's."""
        shown = {one.frame: one for one in sorted(self.seen, key=lambda one: one.confidence) if one.name == name}
        last, sightings, came_from_right = 0, 0, False
        for frame in frames:
            one = shown.get(frame)
            if one is None or (sightings < 2 and one.confidence <= confidence):
                if sightings == 1 or frame - last > LOST:
                    sightings = 0  # what was seen once, and not again at once, is forgotten
                continue
            if sightings == 0:
                came_from_right = one.x > LINE * WINDOW
            last, sightings = frame, sightings + 1
            if sightings >= 2 and came_from_right and one.x < LINE * WINDOW:
                return True
            came_from_right = came_from_right or one.x > LINE * WINDOW
        return False

    def shown_twice(self, name: str, confidence: float) -> bool:
        """Whether it has two boxes of the class at once, on as many frames as an object needs to be one."""
        sure = collections.Counter(one.frame for one in self.seen if one.name == name and one.confidence > confidence)
        return sum(count > 1 for count in sure.values()) > 1

    def told(self, confidence: float, frames: list[int], speed: float) -> str:
        view = self.in_view(frames, speed)

        def count(name: str, least: float) -> int:
            return len({one.frame for one in self.seen if one.name == name and one.frame in view and one.confidence > least})

        seen = ", ".join(f"as {name} in {count(name, 0)}, surely in {count(name, confidence)}" for name in NAMES if count(name, 0))
        return f"{self.name} at {(self.box[0] + self.box[2]) / 2:.0f}: whole in {len(view)} frames, seen {seen or 'in none'}"


def left_of(frame: int, speed: float) -> float:
    """Where on the belt the frame begins."""
    return round(speed * (frame - 1) - WINDOW)


def box_of(result: dict) -> Box:
    return tuple(result["box"][key] for key in ("x1", "y1", "x2", "y2"))


def item_of(box: Box, items: list[Item], left: float) -> Item | None:
    def fit(item: Item) -> float:
        shown = item.on_frame(left)
        return overlap(shown, box) if shown else 0

    best = max(items, key=fit)
    return best if fit(best) > FITS else None


def look(items: list[Item], scenes: list[dict], speed: float) -> None:
    """Gives each item what the model sees of it."""
    for scene in scenes:
        for result in scene["results"]:
            box = box_of(result)
            item = item_of(box, items, left_of(scene["frame"], speed))
            if item is not None:
                item.seen.append(Seen(scene["frame"], result["name"], result["confidence"], (box[0] + box[2]) / 2))


def count(items: list[Item], events: list[dict], speed: float) -> list[tuple[int, str, Box]]:
    """Gives each item its crossings, and returns those on no item: frame, class and box on that frame."""
    others = []
    last: dict[str, tuple[int, Box]] = {}  # of each track: weak boxes are in no event
    for event in events:
        last |= {result["track_id"]: (event["frame"], box_of(result)) for result in event["results"] if result["track_id"]}
        for crossing in event["crossings"]:
            frame, box = last[crossing["track_id"]]
            item = item_of(box, items, left_of(frame, speed))
            if item is None:
                others.append((frame, crossing["name"], box))
            else:
                item.counted.append((event["frame"], crossing["name"]))
    return others


def run(folder: pathlib.Path, picture: pathlib.Path, speed: int, confidence: float, drop_every: int = 0):
    """The basket, what the till's application saw and counted, and what the model sees."""
    write_prices(folder)
    shutil.copy(picture, folder / "belt.jpg")
    source = {"belt": "belt.jpg", "speed": speed, "window": WINDOW, "drop_every": drop_every}
    every = [{"name": "every", "when": "true"}]
    file = write_file(
        folder,
        till("belt", source, model=str(FRUIT), confidence=confidence, track=True, lines={"exit": [[LINE, 0], [LINE, 1]]},
             rules=every, sinks={"log": {"jsonl": "counted.jsonl"}}, checkout={"count_at": "exit", "ask_below": 0}),
        {"name": "eyes", "source": source, "model": str(FRUIT), "confidence": WEAK, "rules": every,
         "sinks": {"log": {"jsonl": "seen.jsonl"}}})
    with Server("--config", file) as server:
        for name in ("belt", "eyes"):
            wait_for(lambda: app(server, name), ended, 60)
        return pieces(basket(server, "belt", 1)), events_of(folder / "counted.jsonl"), events_of(folder / "seen.jsonl")


def explain(items: list[Item], others: list[tuple[int, str, Box]], scenes: list[dict], speed: int,
            confidence: float) -> tuple[collections.Counter, collections.Counter, list[str], list[str]]:
    """What the basket has less and more than the labels, item by item in words, and what the model does not explain."""
    frames = [scene["frame"] for scene in scenes]
    less, more, told, unexplained = collections.Counter(), collections.Counter(), [], []
    for item in items:
        line = item.told(confidence, frames, speed)
        counts = collections.Counter(name for _, name in item.counted)
        for name in NAMES:
            wanted = int(name == item.name)
            would_be = item.would_be_counted(name, confidence, frames)
            if counts[name] < wanted:
                less[name] += 1
                (unexplained if would_be else told).append(f"not counted: {line}")
            if counts[name] > wanted:
                more[name] += counts[name] - wanted
                by_model = would_be if name != item.name else item.shown_twice(name, confidence)
                (told if by_model and counts[name] - wanted == 1 else unexplained).append(f"counted as {name}, {item.counted}: {line}")
    for frame, name, box in others:
        more[name] += 1
        where = [round(side) for side in box]
        shown = any(result["name"] == name and box_of(result) == box
                    for scene in scenes if scene["frame"] == frame for result in scene["results"])
        (told if shown else unexplained).append(f"counted as {name}, where nothing lies: on frame {frame} at {where}")
    return less, more, told, unexplained


@pytest.mark.parametrize("confidence", [0.25, 0.95])
def test_with_the_model_a_belts_basket_differs_by_the_models_own_misses_and_extras(tmp_path, figure, confidence):
    labels, picture, speed = sorted(BELTS.glob("*.txt"))[0], EXAMPLE / "belt.jpg", 40
    got, events, scenes = run(tmp_path, picture, speed, confidence)
    items = [Item(name, box) for name, box in boxes_of_labels(labels, WIDTH, HEIGHT)]
    look(items, scenes, speed)
    less, more, told, unexplained = explain(items, count(items, events, speed), scenes, speed, confidence)
    assert not unexplained, "\n".join(unexplained)
    assert got == collections.Counter(item.name for item in items) - less + more
    figure(f"belt {labels.stem}, confidence {confidence}: {sum(less.values())} items less and {sum(more.values())} more than labelled")
    for line in told:
        figure(f"  {line}")
