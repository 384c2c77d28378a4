"""The till: baskets by photo and by belt, exact money, and what a kill leaves."""

from __future__ import annotations

import collections
import csv
import decimal
import json
import pathlib
import random
import shutil
import time

import pytest
from bascule import DATA, ROOT, Server
from test_application_sources import BELTS, FRUIT, NAMES, TRAYS, app, blank_belt, wait_for, write_file

EXAMPLE = ROOT / "examples" / "checkout"
TRAY = EXAMPLE / "pictures"
PRICES = {"apple": "0.59", "banana": "0.25", "orange": "0.79"}


def write_prices(folder: pathlib.Path, prices: dict[str, str] = PRICES) -> None:
    with (folder / "prices.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["class", "name", "price", "unit", "tax"])
        rows.writerows([name, name.title(), price, "piece", "reduced"] for name, price in prices.items())


def till(name: str, source: dict, **more) -> dict:
    checkout = {"prices": "prices.csv", "taxes": {"reduced": 7}, **more.pop("checkout", {})}
    return {"name": name, "source": source, "checkout": checkout, **more}


def labelled(file: pathlib.Path) -> collections.Counter:
    return collections.Counter(NAMES[int(line.split()[0])] for line in file.read_text().splitlines())


def ask(server: Server, path: str, body: object = None, status: int = 200, key: str = "", **fields: str) -> dict:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {**({"Idempotency-Key": key} if key else {}), **fields}
    reply = server.call("POST", path, data, headers)
    assert reply.status == status, (reply.status, reply.body)
    return json.loads(reply.body)


def basket(server: Server, name: str, number: int) -> dict:
    reply = server.get(f"/apps/{name}/baskets/{number}")
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def pieces(one: dict) -> collections.Counter:
    out = collections.Counter()
    for line in one["lines"]:  # what is sold by weight has a line for each
        out[line["class"]] += line["pieces"]
    return out


def total_of(items: collections.Counter, prices: dict[str, str] = PRICES) -> str:
    return str(sum(decimal.Decimal(prices[name]) * count for name, count in items.items()))


def test_a_basket_by_hand_from_beginning_to_receipt(tmp_path):
    write_prices(tmp_path)
    file = write_file(tmp_path, till("till-1", {"push": True}, model=str(FRUIT)))
    with Server("--config", file) as server:
        first = ask(server, "/apps/till-1/baskets", status=201, key="begin")
        assert first["basket"] == "1" and first["total"] == "0.00"
        assert ask(server, "/apps/till-1/baskets", status=201, key="begin") == first  # sent again
        added = ask(server, "/apps/till-1/baskets/1/lines", {"class": "orange", "pieces": 3}, key="a")
        assert ask(server, "/apps/till-1/baskets/1/lines", {"class": "orange", "pieces": 3}, key="a") == added
        assert added["total"] == "2.37"
        refused = server.call("POST", "/apps/till-1/baskets/1/lines", b'{"class":"apple"}', {"Idempotency-Key": "a"})
        assert refused.status == 409 and b"came with another request" in refused.body
        ask(server, "/apps/till-1/baskets/1/lines", {"class": "apple"})
        assert ask(server, "/apps/till-1/baskets/1/lines/2/remove")["total"] == "2.37"
        for body, said in [(b'{"class":"ornage"}', "did you mean 'orange'"), (b'{"class":"apple","grams":5}', "by the piece"),
                           (b"{", "the line"), (b'{"class":"apple","pieces":0}', "from 1"), (b'{"clas":"apple"}', "'clas'")]:
            reply = server.call("POST", "/apps/till-1/baskets/1/lines", body, {})
            assert 400 <= reply.status < 500 and said in reply.body.decode(), (body, reply.body)
        for path in ("/apps/till-1/baskets/9", "/apps/none/baskets/1", "/apps/till-1/baskets/x"):
            assert server.get(path).status in (400, 404), path
        closed = ask(server, "/apps/till-1/baskets/1/close")
        assert closed["state"] == "closed" and closed["taxes"] == [
            {"tax": "reduced", "percent": "7", "net": "2.21", "amount": "0.16"}]
        receipt = server.get("/apps/till-1/baskets/1/receipt")
        assert receipt.headers["content-type"].startswith("text/plain")
        assert "3 x 0.79" in receipt.body.decode() and "Total EUR" in receipt.body.decode()
        assert server.call("POST", "/apps/till-1/baskets/1/lines", b'{"class":"apple"}', {}).status == 409
    with Server("--config", file) as server:  # and after a restart
        assert basket(server, "till-1", 1) == closed


def test_a_photo_fills_a_basket_with_what_the_model_sees(tmp_path):
    write_prices(tmp_path)
    file = write_file(tmp_path, till("till-1", {"push": True}, model=str(FRUIT), confidence=0.4, checkout={"ask_below": 0.4}))
    picture = sorted(TRAY.glob("*.jpg"))[0].read_bytes()
    with Server("--config", file) as server:
        seen = json.loads(server.call("POST", "/models/fruit/predict?conf=0.4", picture, {"Content-Type": "image/jpeg"}).body)
        wanted = collections.Counter(result["name"] for result in seen["images"][0]["results"])
        assert wanted
        ask(server, "/apps/till-1/baskets", status=201)
        one = ask(server, "/apps/till-1/baskets/1/frames", picture, key="photo-1")
        assert pieces(one) == wanted and one["questions"] == 0
        assert one["total"] == total_of(wanted)
        assert ask(server, "/apps/till-1/baskets/1/frames", picture, key="photo-1") == one
        ask(server, "/apps/till-1/baskets/1/frames?grams=5", picture, status=409, key="photo-1")  # another request
        assert server.call("POST", "/apps/till-1/baskets/1/frames", b"no picture", {}).status == 400
        assert server.call("POST", "/apps/till-1/baskets/2/frames", picture, {}).status == 404
        assert basket(server, "till-1", 1) == one


def test_prices_are_read_again_and_a_bad_list_is_not(tmp_path):
    write_prices(tmp_path)
    file = write_file(tmp_path, till("till-1", {"push": True}, model=str(FRUIT)))
    with Server("--config", file) as server:
        ask(server, "/apps/till-1/baskets", status=201)
        write_prices(tmp_path, {**PRICES, "orange": "cheap"})
        state = wait_for(lambda: app(server, "till-1")["till"], lambda got: got["refused"] == 1)
        assert "row 3: the price 'cheap'" in state["prices_error"]
        assert ask(server, "/apps/till-1/baskets/1/lines", {"class": "orange"})["total"] == "0.79"
        write_prices(tmp_path, {**PRICES, "orange": "0.99"})
        wait_for(lambda: app(server, "till-1")["till"], lambda got: got["reloads"] == 1 and not got["prices_error"])
        assert ask(server, "/apps/till-1/baskets/1/lines", {"class": "orange"})["total"] == "1.78"


def test_a_till_that_cannot_be_is_refused_at_the_start(tmp_path):
    write_prices(tmp_path, {"apple": "0.595"})
    file = write_file(tmp_path, till("till-1", {"push": True}, model=str(FRUIT)))
    with pytest.raises(AssertionError, match="EUR has 2 digits behind the point"):
        Server("--config", file)


def trays() -> list[pathlib.Path]:
    return sorted((TRAYS / "labels").glob("*.txt"))


def test_every_labelled_tray_is_exactly_its_basket(tmp_path):
    write_prices(tmp_path)
    file = write_file(tmp_path, till("trays", {"labels": str(TRAYS)}, names=NAMES, checkout={"count_at": "frame"}))
    with Server("--config", file) as server:
        wait_for(lambda: app(server, "trays"), lambda got: got["state"] == "ended")
        for number, labels in enumerate(trays(), 1):
            one = basket(server, "trays", number)
            assert pieces(one) == labelled(labels), labels
            assert one["total"] == total_of(labelled(labels)), labels
        assert server.get(f"/apps/trays/baskets/{len(trays()) + 1}").status == 404


def boxes_of_labels(file: pathlib.Path, width: int, height: int) -> list[tuple[str, tuple[float, float, float, float]]]:
    out = []
    for line in file.read_text().splitlines():
        number, x, y, w, h = line.split()
        x, y, w, h = float(x) * width, float(y) * height, float(w) * width, float(h) * height
        out.append((NAMES[int(number)], (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))
    return out


def overlap(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / (area(a) + area(b) - width * height)


def test_with_the_model_a_basket_differs_by_the_models_own_misses_and_extras(tmp_path, figure):
    write_prices(tmp_path)
    file = write_file(tmp_path, till("till-1", {"push": True}, model=str(FRUIT), confidence=0.4, checkout={"ask_below": 0}))
    with Server("--config", file) as server:
        for number, labels in enumerate(trays(), 1):
            picture = (TRAYS / "images" / f"{labels.stem}.jpg").read_bytes()
            seen = json.loads(server.call("POST", "/models/fruit/predict?conf=0.4", picture, {"Content-Type": "image/jpeg"}).body)
            height, width = seen["images"][0]["shape"]
            truths = boxes_of_labels(labels, width, height)
            misses, extras = list(truths), []
            for result in seen["images"][0]["results"]:
                box = tuple(result["box"][key] for key in ("x1", "y1", "x2", "y2"))
                best = max((one for one in misses if one[0] == result["name"]), key=lambda one: overlap(one[1], box), default=None)
                if best is not None and overlap(best[1], box) > 0.5:
                    misses.remove(best)
                else:
                    extras.append(result["name"])
            ask(server, "/apps/till-1/baskets", status=201)
            one = ask(server, f"/apps/till-1/baskets/{number}/frames", picture)
            wanted = labelled(labels) - collections.Counter(name for name, _ in misses)
            wanted.update(extras)
            assert pieces(one) == +wanted, labels
            if misses or extras:
                figure(f"tray {labels.stem}: the model misses {[name for name, _ in misses]} and adds {extras}")


def test_a_picture_that_cannot_be_read_is_no_basket(tmp_path):
    write_prices(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(sorted(TRAY.glob("*.jpg"))[0], tmp_path / "in" / "1.jpg")
    (tmp_path / "in" / "2.jpg").write_text("no picture")
    shutil.copy(sorted(TRAY.glob("*.jpg"))[1], tmp_path / "in" / "3.jpg")
    file = write_file(tmp_path, till("trays", {"folder": "in"}, model=str(FRUIT), checkout={"count_at": "frame"}))
    with Server("--config", file) as server:
        wait_for(lambda: app(server, "trays")["frames"], lambda got: got["handled"] == 2 and got["failed"] == 1)
        assert server.get("/apps/trays/baskets/2").status == 200
        assert server.get("/apps/trays/baskets/3").status == 404


def belt_application(folder: pathlib.Path, labels: pathlib.Path, speed: int, drop_every: int, **more) -> pathlib.Path:
    write_prices(folder)
    blank_belt(folder / "belt.bmp", 5760, 72)
    shutil.copy(labels, folder / "belt.txt")
    source = {"belt": "belt.bmp", "labels": "belt.txt", "speed": speed, "drop_every": drop_every, "fps": 500, **more}
    return write_file(folder, till("belt", source, names=NAMES, track=True, lines={"exit": [[0.3, 0], [0.3, 1]]},
                                   checkout={"count_at": "exit"}))


@pytest.mark.parametrize("labels", sorted(BELTS.glob("*.txt")), ids=lambda path: path.stem)
@pytest.mark.parametrize("speed", [20, 40, 80])
@pytest.mark.parametrize("drop_every", [0, 4])
def test_every_item_of_a_belt_is_counted_once(tmp_path, labels, speed, drop_every):
    with Server("--config", belt_application(tmp_path, labels, speed, drop_every)) as server:
        wait_for(lambda: app(server, "belt"), lambda got: got["state"] == "ended")
        one = basket(server, "belt", 1)
        assert pieces(one) == labelled(labels)
        assert one["total"] == total_of(labelled(labels))


def test_twenty_kills_leave_no_basket_wrong(tmp_path, figure):
    labels = sorted(BELTS.glob("*.txt"))[0]
    file = belt_application(tmp_path, labels, 20, 4)
    seed = random.randrange(1 << 32)
    moment = random.Random(seed)
    for _ in range(20):
        server = Server("--config", file)
        time.sleep(moment.uniform(0, 0.15))
        server.kill()
    figure(f"tills: killed 20 times at moments of seed {seed}")
    with Server("--config", file) as server:
        wait_for(lambda: app(server, "belt"), lambda got: got["state"] == "ended")
        one = basket(server, "belt", 1)
        assert pieces(one) == labelled(labels), f"seed {seed}"
        assert one["total"] == total_of(labelled(labels))


def test_the_example_runs_as_its_readme_says(tmp_path):
    for name in ("till.yaml", "prices.csv", "belt.jpg", "fruit.onnx"):
        shutil.copy(EXAMPLE / name, tmp_path)
    with Server("--config", tmp_path / "till.yaml") as server:
        ask(server, "/apps/till-1/baskets", status=201)
        picture = sorted(TRAY.glob("*.jpg"))[0].read_bytes()
        one = ask(server, "/apps/till-1/baskets/1/frames?grams=530", picture)
        assert one["lines"]
        wait_for(lambda: app(server, "belt-1"), lambda got: got["state"] == "ended", 120)
        counted = basket(server, "belt-1", 1)
        assert pieces(counted) == labelled(sorted(BELTS.glob("*.txt"))[0]), counted
