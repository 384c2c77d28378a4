"""AVIF and HEIC files for make_pictures.py."""

import io
import re
import struct

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageOps
from picture_tools import noise, pillow, scene

pillow_heif.register_heif_opener()


def opencv_avif(picture: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(".avif", picture[:, :, ::-1], [cv2.IMWRITE_AVIF_SPEED, 6, *options])[1].tobytes()


def lossless_avifs() -> dict[str, bytes]:
    """Their planes are G, B, R: no conversion that versions do differently."""
    rgb = scene()
    quality = (cv2.IMWRITE_AVIF_QUALITY, 100)
    return {"lossless.avif": opencv_avif(rgb, *quality), "one_pixel.avif": opencv_avif(rgb[:1, :1], *quality),
            "row.avif": opencv_avif(rgb[:1], *quality)}


def box(kind: bytes, content: bytes, version: int | None = None, flags: int = 0) -> bytes:
    if version is not None:
        content = struct.pack(">I", version << 24 | flags) + content
    return struct.pack(">I", 8 + len(content)) + kind + content


def heic_parts(picture: np.ndarray) -> tuple[bytes, bytes]:
    """The configuration box and the coded picture of a HEIC with one item."""
    whole = pillow(picture, "HEIF", quality=70, chroma="420")
    at = whole.index(b"hvcC") - 4
    configuration = whole[at : at + struct.unpack(">I", whole[at : at + 4])[0]]
    at = whole.index(b"mdat")
    return configuration, whole[at + 4 : at - 4 + struct.unpack(">I", whole[at - 4 : at])[0]]


def heic_grid(picture: np.ndarray, side: int) -> bytes:
    """As telephones write it: tiles of one size, of which the last ones reach over the edge."""
    height, width = picture.shape[:2]
    rows, columns = -(-height // side), -(-width // side)
    whole = np.pad(picture, ((0, rows * side - height), (0, columns * side - width), (0, 0)), mode="edge")
    parts = [heic_parts(np.ascontiguousarray(whole[y * side : (y + 1) * side, x * side : (x + 1) * side]))
             for y in range(rows) for x in range(columns)]
    grid, tiles_of = len(parts) + 1, list(range(1, len(parts) + 1))
    information = b"".join(box(b"infe", struct.pack(">HH", i, 0) + (b"grid" if i == grid else b"hvc1") + b"\0", 2)
                           for i in (*tiles_of, grid))
    references = box(b"dimg", struct.pack(f">HH{len(parts)}H", grid, len(parts), *tiles_of))
    properties = box(b"ipco", parts[0][0] + box(b"ispe", struct.pack(">II", side, side), 0)
                     + box(b"ispe", struct.pack(">II", width, height), 0))
    uses = b"".join(struct.pack(">HBBB", i, 2, 0x81, 2) for i in tiles_of) + struct.pack(">HBB", grid, 1, 3)
    description = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)

    def meta(data_at: int) -> bytes:
        places, at = b"", data_at
        for i, (_, data) in enumerate(parts, start=1):
            places += struct.pack(">HHHHII", i, 0, 0, 1, at, len(data))
            at += len(data)
        places += struct.pack(">HHHHII", grid, 1, 0, 1, 0, len(description))  # in idat
        return box(b"meta", box(b"hdlr", struct.pack(">I4s", 0, b"pict") + bytes(13), 0)
                   + box(b"pitm", struct.pack(">H", grid), 0)
                   + box(b"iloc", struct.pack(">BBH", 0x44, 0, grid) + places, 1)
                   + box(b"iinf", struct.pack(">H", grid) + information, 0)
                   + box(b"iref", references, 0)
                   + box(b"iprp", properties + box(b"ipma", struct.pack(">I", grid) + uses, 0))
                   + box(b"idat", description), 0)

    head = box(b"ftyp", b"heic" + struct.pack(">I", 0) + b"mif1heic")
    data_at = len(head) + len(meta(0)) + 8
    return head + meta(data_at) + box(b"mdat", b"".join(data for _, data in parts))


def near() -> dict[str, bytes]:
    """Lossy pictures: their YCbCr becomes R, G, B a little differently in each version of each library."""
    rgb = scene()
    alpha = ((rgb[:, :, 2:3].astype(int) * 3) % 256).astype(np.uint8)
    rgba = np.concatenate([rgb, alpha], 2)
    smooth = cv2.GaussianBlur(scene(64, 96), (0, 0), 2)
    made = {}
    for chroma in ("4:2:0", "4:2:2", "4:4:4", "4:0:0"):
        made[f"{chroma.replace(':', '')}.avif"] = pillow(smooth, "AVIF", quality=80, subsampling=chroma)
    made["limited.avif"] = pillow(smooth, "AVIF", quality=80, range="limited")
    made["odd.avif"] = pillow(smooth[:17, :15], "AVIF", quality=80)
    made["alpha.avif"] = pillow(rgba, "AVIF", quality=80)
    made["animated.avif"] = pillow(smooth, "AVIF", quality=70, save_all=True, append_images=[Image.fromarray(255 - smooth)])
    made["10_bits.avif"] = cv2.imencode(".avif", smooth[:, :, ::-1].astype(np.uint16) * 4,
                                        [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 80])[1].tobytes()
    for chroma in ("420", "422", "444"):
        made[f"{chroma}.heic"] = pillow(smooth, "HEIF", quality=80, chroma=chroma)
    made["grey.heic"] = pillow(smooth, "HEIF", mode="L", quality=80)
    made["odd.heic"] = pillow(np.ascontiguousarray(smooth[:17, :15]), "HEIF", quality=80)
    made["alpha.heic"] = pillow(rgba, "HEIF", quality=80)
    made["one_pixel.heic"] = pillow(np.ascontiguousarray(smooth[:1, :1]), "HEIF", quality=80)
    made["grid.heic"] = heic_grid(smooth, 64)
    wide = pillow_heif.from_bytes(mode="RGB;16", size=(96, 64), data=(smooth.astype(np.uint16) * 257).tobytes())
    buffer = io.BytesIO()
    wide.save(buffer, quality=80)
    made["10_bits.heic"] = buffer.getvalue()
    for orientation in range(2, 9):
        note = Image.Exif()
        note[0x0112] = orientation
        made[f"orientation_{orientation}.avif"] = pillow(smooth, "AVIF", quality=80, exif=note.tobytes())
        made[f"orientation_{orientation}.heic"] = pillow(smooth, "HEIF", quality=80, exif=note.tobytes())
    return made


def reference_of(name: str, data: bytes) -> np.ndarray:
    """What Pillow makes of it, turned the way it was held; of more than 8 bits what OpenCV makes of it."""
    if name == "10_bits.avif":
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode == "RGBA":
        image = Image.fromarray(np.asarray(image)[:, :, :3])
    return np.asarray(image.convert("RGB"))


def broken_boxes() -> dict[str, bytes]:
    """AVIF and HEIC."""
    rgb = scene()
    made = {}
    for ending, whole in (("avif", pillow(rgb, "AVIF", quality=70)), ("heic", pillow(rgb, "HEIF", quality=70, chroma="420"))):
        data = whole.index(b"mdat") + 4
        if ending == "avif":  # a HEIC's size is also that of its box clap
            made["no_width.avif"] = re.sub(rb"(ispe....)....", rb"\1\0\0\0\0", whole, flags=re.DOTALL)
        made[f"no_picture.{ending}"] = whole.replace(b"pitm", b"pitx")
        made[f"no_configuration.{ending}"] = whole.replace(b"av1C" if ending == "avif" else b"hvcC", b"xxxx")
        made[f"data_gone.{ending}"] = whole[:data] + bytes(len(whole) - data)
        made[f"data_noise.{ending}"] = whole[:data] + noise(60, 1, len(whole)).tobytes()[: len(whole) - data]
        made[f"only_brand.{ending}"] = whole[: struct.unpack(">I", whole[:4])[0]]
    grid = bytearray(heic_grid(cv2.GaussianBlur(scene(64, 96), (0, 0), 2), 64))
    at = grid.rindex(b"idat") + 6  # 256 rows and columns of two tiles
    made["grid_of_many.heic"] = bytes(grid[:at] + b"\xff\xff" + grid[at + 2 :])
    made["grid_huge.heic"] = bytes(grid[: at + 2] + b"\xff\xff\xff\xff" + grid[at + 6 :])
    heic = pillow(rgb, "HEIF", quality=70, chroma="420")
    at = heic.index(b"hvcC")
    sps = heic.index(b"\x42\x01\x01", at)
    made["coded_huge.heic"] = heic[:sps] + huge_sps(heic, sps) + heic[sps + struct.unpack(">H", heic[sps - 2 : sps])[0] :]
    return made


def huge_sps(heic: bytes, at: int) -> bytes:
    """The sequence parameters with sides of 65,535, in as many bytes as before: the box around says 37 x 29."""
    length = struct.unpack(">H", heic[at - 2 : at])[0]
    raw = heic[at : at + length].replace(b"\0\0\3", b"\0\0")
    bits = "".join(f"{byte:08b}" for byte in raw)
    place = 16 + 4 + 3 + 1 + 96  # of one layer
    for _ in range(2):  # its number, the chroma format
        zeros = bits.index("1", place) - place
        place += 2 * zeros + 1
    made = bits[:place] + ("0" * 16 + f"{65536:017b}") * 2
    made += "0" * (-len(made) % 8)
    data = bytes(int(made[i : i + 8], 2) for i in range(0, len(made), 8))
    escaped = data.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1").replace(b"\0\0\2", b"\0\0\3\2")
    return escaped[:length].ljust(length, b"\x80")
