"""The setting `decode: fast`: the same boxes, a little moved, in the pixels of the picture as it was sent."""

import io
import json

import pytest
from bascule import DATA, ROOT, SHARED, Server, run_cli
from PIL import Image, ImageOps

FRUIT = ROOT / "examples/checkout/fruit.onnx"
STEEL = ROOT / "examples/factory/steel.onnx"
TRAYS = sorted((ROOT / "examples/checkout/pictures").glob("*.jpg"))
MOST = 2.0  # pixels


@pytest.fixture(scope="module")
def servers():
    with Server(FRUIT) as exact, Server(FRUIT, "--decode", "fast") as fast:
        yield exact, fast


def answer(server, picture, **fields):
    reply = server.predict("fruit", picture, **fields)
    assert reply.status == 200, reply
    return reply.json()["images"][0]


def distances(exact, fast):
    """How far apart the sides of boxes are at most, of each certain object; all must be there in both."""
    found = []
    for some, others in ((exact, fast), (fast, exact)):
        for row in some:
            if row["confidence"] < 0.5:
                continue
            same = [other for other in others if other["class"] == row["class"]]
            assert same, f"{row['name']} was found in one way only"
            found.append(min(max(abs(row["box"][k] - other["box"][k]) for k in row["box"]) for other in same))
    return sorted(found)


def furthest(exact, fast):
    return max(distances(exact, fast), default=0.0)


@pytest.mark.parametrize("size", [640, 320])
def test_boxes_stay_where_they_are(servers, figure, size):
    exact_server, fast_server = servers
    worst, rows, changed = 0.0, 0, False
    for path in TRAYS:
        exact = answer(exact_server, path.read_bytes(), imgsz=size)
        fast = answer(fast_server, path.read_bytes(), imgsz=size)
        assert fast["shape"] == exact["shape"]
        worst = max(worst, furthest(exact["results"], fast["results"]))
        rows += len(exact["results"])
        changed |= fast["results"] != exact["results"]
    assert rows > 10
    assert changed, "the setting made no difference"
    # In pixels of 1280 x 960; a pixel of the input is 2 or 4 of them.
    assert worst < MOST * 640 / size
    figure(f"decode: fast, {size} of 1280 x 960: boxes move by {worst:.2f} pixels at most")


def test_a_turned_picture(servers):
    """Its orientation is applied behind the reduction."""
    exact_server, fast_server = servers
    upright = Image.open(TRAYS[0])
    for orientation, turned in ((3, upright.rotate(180)), (6, upright.transpose(Image.Transpose.ROTATE_90)),
                                (8, upright.transpose(Image.Transpose.ROTATE_270))):
        buffer = io.BytesIO()
        note = Image.Exif()
        note[0x0112] = orientation
        turned.save(buffer, "JPEG", quality=95, exif=note.tobytes())
        assert ImageOps.exif_transpose(Image.open(buffer)).size == upright.size
        exact = answer(exact_server, buffer.getvalue())
        fast = answer(fast_server, buffer.getvalue())
        assert fast["shape"] == exact["shape"] == [960, 1280]
        assert furthest(exact["results"], fast["results"]) < MOST


def test_what_is_not_large_or_no_jpeg_is_the_same(servers):
    exact_server, fast_server = servers
    small = io.BytesIO()
    Image.open(TRAYS[0]).resize((1000, 750)).save(small, "JPEG", quality=90)
    png = io.BytesIO()
    Image.open(TRAYS[0]).save(png, "PNG", compress_level=1)
    for picture in (small.getvalue(), png.getvalue()):
        exact = answer(exact_server, picture, imgsz=640)
        assert exact["results"]
        assert answer(fast_server, picture, imgsz=640)["results"] == exact["results"]


def test_more_photographs(servers, figure):
    photos = sorted((SHARED / "data/trays/images").glob("*.jpg"))
    if not photos:
        pytest.skip("the shared photographs are not there")
    moved = []
    for path in photos:
        exact, fast = (answer(server, path.read_bytes(), imgsz=640) for server in servers)
        moved += distances(exact["results"], fast["results"])
    moved.sort()
    assert len(moved) > 50
    # Where two boxes of one object are nearly as likely, a little more or less of a pixel decides which is kept.
    near = [distance for distance in moved if distance < MOST]
    assert len(near) >= 0.95 * len(moved)
    assert moved[len(moved) // 2] < 0.5
    figure(f"decode: fast, {len(photos)} pictures of 1280 x 960 at 640: of {len(moved)} boxes, {len(near)} move by "
           f"{near[-1]:.2f} pixels at most, the furthest by {moved[-1]:.1f}")


def test_the_model_s_own_file_says_it(tmp_path):
    """`bascule predict` and `inspect` read FILE.yaml beside the model."""
    model = tmp_path / "fruit.onnx"
    model.write_bytes(FRUIT.read_bytes())
    exact = run_cli("predict", model, TRAYS[0], "--json")
    (tmp_path / "fruit.yaml").write_text("decode: fast\n")
    fast = run_cli("predict", model, TRAYS[0], "--json")
    assert exact.returncode == fast.returncode == 0, fast.stderr
    results = [json.loads(done.stdout)["images"][0]["results"] for done in (exact, fast)]
    assert results[0] != results[1]
    assert furthest(*results) < MOST
    shown = {row["name"]: row for row in json.loads(run_cli("inspect", model, "--json").stdout)}
    assert shown["decode"]["value"] == "fast"
    assert "fruit.yaml:1" in shown["decode"]["origin"]
    (tmp_path / "fruit.yaml").write_text("decode: quick\n")
    wrong = run_cli("predict", model, TRAYS[0])
    assert wrong.returncode != 0
    assert "'quick' is not one of exact, fast" in wrong.stderr
