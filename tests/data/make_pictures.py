#!/usr/bin/env python3
"""Makes pictures_exact/, small pictures of every kind and what OpenCV decodes from them; pictures_near/, lossy ones
beside what Pillow decodes from them; pictures_real/, one photograph in every format; and pictures_broken/.

    python tests/data/make_pictures.py        # needs numpy, opencv-python-headless, pillow and pillow-heif

expected.txt has one line per picture: name, height, width and the FNV-1a 64 hash of the R, G, B bytes that
cv2.imread(name, IMREAD_COLOR) gives. resize.txt: seed, height, width, new height, new width and the hash of
cv2.resize (INTER_LINEAR) on the picture that noise(seed) makes. letterbox.txt: seed, height, width, mode,
input height, input width and the hash of the float32 tensor.
"""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from picture_tools import HEIGHT, WIDTH, cmyk, fnv1a, noise, packed, pillow, scene, tiff
from pictures_avif_heic import broken_boxes, lossless_avifs, near, reference_of
from pictures_tiff_gif import broken_gifs, broken_tiffs, gifs, tiffs

HERE = Path(__file__).resolve().parent
OUT = HERE / "pictures_exact"
BROKEN = HERE / "pictures_broken"
NEAR = HERE / "pictures_near"
REAL = HERE / "pictures_real"


# --- EXIF -------------------------------------------------------------------------------------------------------


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


# --- JPEG -------------------------------------------------------------------------------------------------------


def opencv_jpeg(picture: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(".jpg", picture[:, :, ::-1], list(options))[1].tobytes()


def ycck(picture: np.ndarray) -> bytes:
    """A CMYK file whose Adobe marker says that its first three planes are YCbCr."""
    jpeg = io.BytesIO()
    Image.fromarray(cmyk(picture), "CMYK").save(jpeg, "JPEG", quality=92)
    data = bytearray(jpeg.getvalue())
    at = data.index(b"Adobe") + 11
    data[at] = 2
    return bytes(data)


def jpegs() -> dict[str, bytes]:
    rgb = scene()
    plain = pillow(rgb, "JPEG", quality=90, subsampling=2)
    made = {
        "420.jpg": plain,
        "422.jpg": pillow(rgb, "JPEG", quality=90, subsampling=1),
        "444.jpg": pillow(rgb, "JPEG", quality=90, subsampling=0),
        "440.jpg": opencv_jpeg(rgb, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
        "411.jpg": opencv_jpeg(rgb, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
        "progressive.jpg": pillow(rgb, "JPEG", quality=85, progressive=True),
        "progressive_444.jpg": pillow(rgb, "JPEG", quality=95, subsampling=0, progressive=True),
        "low_quality.jpg": pillow(rgb, "JPEG", quality=5),
        "restart.jpg": opencv_jpeg(rgb, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "grey.jpg": pillow(rgb, "JPEG", mode="L", quality=90),
        "grey_progressive.jpg": pillow(rgb, "JPEG", mode="L", quality=90, progressive=True),
        "rgb.jpg": pillow(rgb, "JPEG", quality=90, keep_rgb=True),
        "one_pixel.jpg": pillow(rgb[:1, :1], "JPEG"),
        "one_row.jpg": pillow(rgb[:1], "JPEG", subsampling=2),
        "one_column.jpg": pillow(rgb[:, :1], "JPEG", subsampling=2),
        "odd_420.jpg": pillow(scene(17, 15), "JPEG", quality=90, subsampling=2),
        "ycck.jpg": ycck(rgb),
    }
    buffer = io.BytesIO()
    Image.fromarray(cmyk(rgb), "CMYK").save(buffer, "JPEG", quality=92)
    made["cmyk.jpg"] = buffer.getvalue()
    for orientation in range(1, 9):
        order = "<" if orientation % 2 else ">"
        made[f"orientation_{orientation}.jpg"] = with_segments(plain, app1(b"Exif\0\0" + tiff(orientation, order)))
    made["orientation_9.jpg"] = with_segments(plain, app1(b"Exif\0\0" + tiff(9)))
    made["orientation_long.jpg"] = with_segments(plain, app1(b"Exif\0\0" + tiff(6, "<", 4)))
    xmp = app1(b"http://ns.adobe.com/xap/1.0/\0<x/>")
    made["xmp_then_exif.jpg"] = with_segments(plain, xmp, app1(b"Exif\0\0" + tiff(6)))
    made["two_exifs.jpg"] = with_segments(plain, app1(b"Exif\0\0" + tiff(3)), app1(b"Exif\0\0" + tiff(6)))
    made["broken_exif.jpg"] = with_segments(plain, app1(b"Exif\0\0" + tiff(6)[:15]))
    made["fill_bytes.jpg"] = plain[:2] + b"\xff\xff\xff" + plain[2:]
    made["trailing_bytes.jpg"] = plain + b"something behind the end"
    return made


# --- PNG --------------------------------------------------------------------------------------------------------

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows: list[bytes], step: int) -> bytes:
    """Row y with filter y mod 5."""
    out, above = bytearray(), bytes(len(rows[0]) if rows else 0)
    for y, row in enumerate(rows):
        kind = y % 5
        out.append(kind)
        for i, value in enumerate(row):
            a = row[i - step] if i >= step else 0
            b = above[i]
            c = above[i - step] if i >= step else 0
            out.append((value - (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) & 255)
        above = row
    return bytes(out)


def png(samples: np.ndarray, depth: int, color: int, interlaced: bool = False, before: bytes = b"", after: bytes = b"",
        split: int = 1 << 20) -> bytes:
    height, width, channels = samples.shape
    step = max(1, channels * depth // 8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    parts = [samples[y0::dy, x0::dx] for y0, x0, dy, dx in passes]
    raw = b"".join(filtered(packed(part, depth), step) for part in parts if part.size)
    data = zlib.compress(raw, 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))
    idat = b"".join(chunk(b"IDAT", data[i : i + split]) for i in range(0, len(data), split))
    return b"\x89PNG\r\n\x1a\n" + head + before + idat + after + chunk(b"IEND", b"")


def pngs() -> dict[str, bytes]:
    rgb = scene().astype(int)
    grey = rgb[:, :, 1:2]
    wide = rgb * 257 ^ noise(9, HEIGHT, WIDTH)  # 16 bits whose low byte is of no use
    alpha = ((rgb[:, :, 2:3] * 3) % 256)
    short_palette = chunk(b"PLTE", bytes(noise(12, 1, 7).reshape(-1)))
    made = {}
    for interlaced in (False, True):
        tail = "_interlaced.png" if interlaced else ".png"
        for depth in (1, 2, 4, 8):
            shade = grey >> (8 - depth)
            made[f"grey_{depth}{tail}"] = png(shade, depth, 0, interlaced)
            made[f"palette_{depth}{tail}"] = png(shade, depth, 3, interlaced, chunk(
                b"PLTE", bytes(noise(11, 1, 1 << depth).reshape(-1))))
        made[f"grey_16{tail}"] = png(wide[:, :, :1], 16, 0, interlaced)
        made[f"grey_alpha_8{tail}"] = png(np.concatenate([grey, alpha], 2), 8, 4, interlaced)
        made[f"grey_alpha_16{tail}"] = png(np.concatenate([wide[:, :, :1], alpha * 257], 2), 16, 4, interlaced)
        made[f"rgb_8{tail}"] = png(rgb, 8, 2, interlaced)
        made[f"rgb_16{tail}"] = png(wide, 16, 2, interlaced)
        made[f"rgba_8{tail}"] = png(np.concatenate([rgb, alpha], 2), 8, 6, interlaced)
        made[f"rgba_16{tail}"] = png(np.concatenate([wide, alpha * 257], 2), 16, 6, interlaced)
    made["small_interlaced.png"] = png(rgb[:3, :2], 8, 2, True)
    made["one_pixel.png"] = png(rgb[:1, :1], 8, 2)
    made["palette_short.png"] = png(grey % 7, 4, 3, False, short_palette)
    made["palette_trns.png"] = png(grey % 7, 8, 3, False, short_palette + chunk(b"tRNS", bytes([0, 128, 255])))
    made["rgb_trns.png"] = png(rgb, 8, 2, False, chunk(b"tRNS", struct.pack(">HHH", 0, 0, 0)))
    made["grey_trns.png"] = png(grey, 8, 0, False, chunk(b"tRNS", struct.pack(">H", 9)))
    made["gamma.png"] = png(rgb, 8, 2, False, chunk(b"gAMA", struct.pack(">I", 100000)))
    made["sbit.png"] = png(rgb, 8, 2, False, chunk(b"sBIT", bytes([5, 6, 5])))
    made["background.png"] = png(np.concatenate([rgb, alpha], 2), 8, 6, False, chunk(b"bKGD", bytes([0, 9, 0, 9, 0, 9])))
    made["split_idat.png"] = png(rgb, 8, 2, split=97)
    made["text.png"] = png(rgb, 8, 2, False, chunk(b"tEXt", b"Title\0A picture"), chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * 99)))
    for orientation in (3, 6):
        made[f"orientation_{orientation}.png"] = png(rgb, 8, 2, False, chunk(b"eXIf", tiff(orientation, ">")))
    made["orientation_8_late.png"] = png(rgb, 8, 2, False, b"", chunk(b"eXIf", tiff(8)))
    return made


# --- WebP -------------------------------------------------------------------------------------------------------


def webps() -> dict[str, bytes]:
    rgb = scene()
    alpha = ((rgb[:, :, 2:3].astype(int) * 3) % 256).astype(np.uint8)
    rgba = np.concatenate([rgb, alpha], 2)
    made = {
        "lossy.webp": pillow(rgb, "WEBP", quality=80),
        "lossy_low.webp": pillow(rgb, "WEBP", quality=10),
        "lossless.webp": pillow(rgb, "WEBP", lossless=True),
        "lossy_alpha.webp": pillow(rgba, "WEBP", quality=80),
        "lossless_alpha.webp": pillow(rgba, "WEBP", lossless=True, exact=True),
        "odd.webp": pillow(scene(17, 15), "WEBP", quality=70),
        "one_pixel.webp": pillow(rgb[:1, :1], "WEBP", quality=70),
        "animated.webp": pillow(rgb, "WEBP", save_all=True, append_images=[Image.fromarray(255 - rgb)], quality=50),
        "animated_alpha.webp": pillow(rgba, "WEBP", save_all=True, append_images=[Image.fromarray(255 - rgba)], quality=50),
    }
    for orientation in (2, 6):
        made[f"orientation_{orientation}.webp"] = pillow(rgb, "WEBP", quality=80, exif=tiff(orientation))
        made[f"orientation_{orientation}_prefix.webp"] = pillow(
            rgb, "WEBP", quality=80, exif=b"Exif\0\0" + tiff(orientation, ">"))
    return made


# --- BMP --------------------------------------------------------------------------------------------------------


def padded(row: bytes) -> bytes:
    return row + b"\0" * (-len(row) % 4)


def bmp(rows: bytes, bits: int, compression: int = 0, height: int = HEIGHT, palette: bytes = b"", colors: int = 0,
        masks: bytes = b"", core: bool = False, gap: int = 0, extra: bytes = b"", width: int = WIDTH) -> bytes:
    if core:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", 40 + len(extra), width, height, 1, bits, compression, len(rows), 2835, 2835,
                           colors, 0) + extra
    offset = 14 + len(head) + len(masks) + len(palette) + gap
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + head + masks + palette + b"\0" * gap + rows


def rle(indices: np.ndarray, bits: int) -> bytes:
    """Runs, literals, and one delta per picture."""
    out = bytearray()
    for y, row in enumerate(indices[::-1]):
        x = 0
        while x < len(row):
            run = 1
            while x + run < len(row) and row[x + run] == row[x] and run < 255:
                run += 1
            if run == 1 and x + 5 <= len(row) and y % 2:
                part = [int(v) for v in row[x : x + 5]]
                if bits == 8:
                    out += bytes([0, 5, *part, 0])
                else:
                    part.append(0)
                    packed_part = bytes(part[i] << 4 | part[i + 1] for i in (0, 2, 4))
                    out += bytes([0, 5]) + packed_part + b"\0"
                x += 5
                continue
            if y == 4 and x == 8:
                out += bytes([0, 2, 3, 0])
                x += 3
                continue
            value = int(row[x])
            out += bytes([run, value if bits == 8 else value << 4 | value])
            x += run
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def bmps() -> dict[str, bytes]:
    rgb = scene()
    bgr = rgb[::-1, :, ::-1]
    grey = rgb[:, :, 1].astype(int)
    alpha = ((rgb[::-1, :, 2:3].astype(int) * 3) % 256).astype(np.uint8)
    rows24 = b"".join(padded(row.tobytes()) for row in bgr)
    made = {
        "24.bmp": bmp(rows24, 24),
        "24_top_down.bmp": bmp(b"".join(padded(row.tobytes()) for row in rgb[:, :, ::-1]), 24, height=-HEIGHT),
        "24_gap.bmp": bmp(rows24, 24, gap=21),
        "24_core.bmp": bmp(rows24, 24, core=True),
        "24_v5.bmp": bmp(rows24, 24, extra=bytes(84)),
        "32.bmp": bmp(np.concatenate([bgr, alpha], 2).tobytes(), 32),
        "one_pixel.bmp": bmp(padded(bgr[0, :1].tobytes()), 24, width=1, height=1),
    }
    words = np.concatenate([bgr, alpha], 2).tobytes()
    rgb_masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    made["32_masks.bmp"] = bmp(words, 32, 3, masks=rgb_masks)
    made["32_masks_v4.bmp"] = bmp(words, 32, 3, extra=rgb_masks + struct.pack("<I", 0xFF000000) + bytes(52))
    swapped = struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
    made["32_swapped_masks_v4.bmp"] = bmp(words, 32, 3, extra=swapped + bytes(52))
    for bits in (1, 4, 8):
        shade = grey >> (8 - bits)
        colors = noise(20 + bits, 1, 1 << bits).reshape(-1, 3)
        quads = b"".join(bytes([*c, 0]) for c in colors)
        rows = b"".join(padded(row) for row in packed(shade[::-1, :, None], bits))
        made[f"{bits}.bmp"] = bmp(rows, bits, palette=quads)
        made[f"{bits}_core.bmp"] = bmp(rows, bits, palette=colors.tobytes(), core=True)
        if bits > 1:
            few = shade % 5 if bits == 8 else shade // 3
            made[f"{bits}_short_palette.bmp"] = bmp(
                b"".join(padded(row) for row in packed(few[::-1, :, None], bits)), bits, palette=quads[:24], colors=6)
            made[f"rle{bits}.bmp"] = bmp(rle(few, bits), bits, 1 if bits == 8 else 2, palette=quads)
    red, green, blue = (bgr[:, :, i].astype(int) for i in (2, 1, 0))
    rows555 = b"".join(padded(r.astype("<u2").tobytes()) for r in (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3)
    rows565 = b"".join(padded(r.astype("<u2").tobytes()) for r in (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3)
    made["16.bmp"] = bmp(rows555, 16)
    made["16_555_masks.bmp"] = bmp(rows555, 16, 3, masks=struct.pack("<III", 0x7C00, 0x3E0, 0x1F))
    made["16_565_masks.bmp"] = bmp(rows565, 16, 3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    return made


def thin() -> dict[str, bytes]:
    """One pixel wide, 20,000 high (or the other way round; WebP ends at 16,383 and takes 16,000)."""
    line = np.repeat((np.arange(20000) // 100 % 256).astype(np.uint8)[:, None, None], 3, axis=2)
    return {"thin.jpg": pillow(line, "JPEG"), "thin.png": pillow(line, "PNG"), "thin.tif": pillow(line, "TIFF", compression="tiff_lzw"),
            "thin.gif": pillow(line, "GIF"), "thin.webp": pillow(line[:16000], "WEBP", lossless=True),
            "thin.bmp": bmp(rle(line[:, :, 0].T // 16, 8), 8, 1, height=1, width=20000,
                            palette=b"".join(bytes([16 * i, 16 * i, 16 * i, 0]) for i in range(16)) + bytes(960))}


def real() -> dict[str, bytes]:
    rgb = cv2.imread(str(HERE / "pictures/steel_104_0000.jpg"))[:, :, ::-1]
    rgb = np.ascontiguousarray(cv2.resize(rgb, (128, 96), interpolation=cv2.INTER_AREA))
    return {"steel.jpg": pillow(rgb, "JPEG", quality=85), "steel.png": pillow(rgb, "PNG"), "steel.bmp": pillow(rgb, "BMP"),
            "steel.webp": pillow(rgb, "WEBP", quality=75), "steel.tif": pillow(rgb, "TIFF", compression="tiff_lzw"),
            "steel.gif": pillow(rgb, "GIF"), "steel.avif": pillow(rgb, "AVIF", quality=60),
            "steel.heic": pillow(rgb, "HEIF", quality=60)}


# --- pictures that must be refused --------------------------------------------------------------------------------


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def broken() -> dict[str, bytes]:
    """Structure whole, picture not: the container's own lengths say nothing, the decoder must notice."""
    rgb = scene()
    jpeg = pillow(rgb, "JPEG", quality=90)
    scan = jpeg.index(b"\xff\xda") + 40
    progressive = pillow(rgb, "JPEG", quality=90, progressive=True)
    frame = jpeg.index(b"\xff\xc0")
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))
    raw = filtered(packed(rgb.astype(int), 8), 3)
    sign, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    whole = chunk(b"IDAT", zlib.compress(raw))
    grey_index = rgb[:, :, 1:2].astype(int)
    lossy = pillow(rgb, "WEBP", quality=80)
    quads = bytes(1024)
    return {
        "scan_short.jpg": jpeg[:scan] + jpeg[scan + 60 :],
        "scan_ends_early.jpg": jpeg[: len(jpeg) // 2 + 300] + b"\xff\xd9",
        "progressive_ends_early.jpg": progressive[: progressive.rindex(b"\xff\xda") + 30] + b"\xff\xd9",
        "extra_bytes_in_scan.jpg": jpeg[:-2] + b"\x12\x34" * 20 + b"\xff\xd9",
        "two_frames.jpg": jpeg[:frame] + jpeg[frame : frame + 19] + jpeg[frame:],
        "no_scan.jpg": jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9",
        "no_height.jpg": jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :],
        "twelve_bits.jpg": jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :],
        "lossless.jpg": jpeg[: frame + 1] + b"\xc3" + jpeg[frame + 2 :],
        "no_tables.jpg": jpeg[:2] + jpeg[frame:],
        "data_short.png": sign + head + chunk(b"IDAT", zlib.compress(raw[:-200])) + end,
        "stream_cut.png": sign + head + chunk(b"IDAT", zlib.compress(raw)[:-300]) + end,
        "bad_checksum.png": sign + head + whole[:-1] + bytes([whole[-1] ^ 1]) + end,
        "bad_filter.png": sign + head + chunk(b"IDAT", zlib.compress(b"\x09" + raw[1:])) + end,
        "not_compressed.png": sign + head + chunk(b"IDAT", raw) + end,
        "no_data.png": sign + head + end,
        "no_palette.png": png(grey_index, 8, 3),
        "unknown_critical.png": sign + head + chunk(b"ABCD", b"x") + whole + end,
        "three_bits.png": sign + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 3, 0, 0, 0, 0)) + whole + end,
        "no_width.png": sign + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 8, 8, 2, 0, 0, 0)) + whole + end,
        **broken_tiffs(),
        **broken_gifs(),
        **broken_boxes(),
        "cut_in_whole_riff.webp": riff(lossy[12:-100]),
        "chunk_cut.webp": riff(b"VP8 " + struct.pack("<I", 200) + lossy[20:220]),
        "no_frame.webp": riff(b"VP8X" + struct.pack("<I", 10) + bytes(4) + bytes([9, 0, 0, 9, 0, 0])),
        "no_end.bmp": bmp(b"\x05\x01\0\0" * 3, 8, 1, palette=quads),
        "run_too_long.bmp": bmp(b"\xff\x01\0\1", 8, 1, palette=quads),
        "run_below.bmp": bmp(b"\0\0" * HEIGHT + b"\1\1\0\1", 8, 1, palette=quads),
        "delta_outside.bmp": bmp(b"\0\2\xff\xff\0\1", 8, 1, palette=quads),
        "rle8_with_4_bits.bmp": bmp(b"\0\1", 4, 1, palette=quads[:64]),
        "embedded_jpeg.bmp": bmp(jpeg, 0, 4),
        "no_mask.bmp": bmp(bytes(76 * HEIGHT), 16, 3, masks=bytes(12)),
        "torn_mask.bmp": bmp(bytes(76 * HEIGHT), 16, 3, masks=struct.pack("<III", 0x7001, 0x3E0, 0x1F)),
        "palette_too_long.bmp": bmp(bytes(40 * HEIGHT), 8, palette=quads, colors=0xFFFFFFFF),
        "no_width.bmp": bmp(bytes(400), 24, width=0),
        "negative_width.bmp": bmp(bytes(400), 24, width=-5),
        "odd_header.bmp": bmp(bytes(112 * HEIGHT), 24)[:14] + struct.pack("<I", 17) + bmp(bytes(112 * HEIGHT), 24)[18:],
    }


# --- what OpenCV makes of them ----------------------------------------------------------------------------------


def expected_pictures() -> list[str]:
    lines = []
    for path in sorted(OUT.glob("*.*")):
        if path.suffix == ".txt":
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:  # TIFFs turned by a quarter, and of 2 and 4 bits: Pillow reads them
            if path.suffix != ".tif":
                raise SystemExit(f"OpenCV does not read {path.name}")
            print("by Pillow:", path.name)
            picture = np.asarray(Image.open(path).convert("RGB"))[:, :, ::-1]
        height, width = picture.shape[:2]
        lines.append(f"{path.name} {height} {width} {fnv1a(picture[:, :, ::-1].tobytes())}")
    return lines


SIZES = [(10, 10, 7, 7), (10, 10, 23, 17), (64, 48, 32, 24), (64, 48, 33, 24), (64, 48, 32, 25), (1, 1, 5, 3), (1, 9, 4, 5),
         (9, 1, 5, 4), (2, 2, 1, 1), (2, 2, 5, 5), (31, 47, 13, 19), (47, 31, 94, 62), (100, 10, 1, 1), (3, 200, 3, 64),
         (54, 96, 18, 32), (13, 37, 13, 74), (37, 13, 74, 13), (20, 20, 20, 10), (40, 60, 10, 15), (75, 50, 64, 43),
         (6, 129, 5, 100), (7, 130, 6, 101), (5, 2, 9, 300), (50, 40, 49, 39)]


def expected_resizes() -> list[str]:
    lines = []
    for seed, (height, width, new_height, new_width) in enumerate(SIZES, start=1):
        made = cv2.resize(noise(seed, height, width), (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        lines.append(f"{seed} {height} {width} {new_height} {new_width} {fnv1a(made.tobytes())}")
    return lines


def letterboxed(picture: np.ndarray, side: int, rect: bool) -> np.ndarray:
    height, width = picture.shape[:2]
    ratio = min(side / height, side / width)
    new_width, new_height = max(round(width * ratio), 1), max(round(height * ratio), 1)
    free_x, free_y = side - new_width, side - new_height
    if rect:
        free_x, free_y = free_x % 32, free_y % 32
    if (height, width) != (new_height, new_width):
        picture = cv2.resize(picture, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(free_y / 2 - 0.1), round(free_y / 2 + 0.1)
    left, right = round(free_x / 2 - 0.1), round(free_x / 2 + 0.1)
    picture = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def expected_letterboxes() -> list[str]:
    lines = []
    sizes = [(54, 40), (40, 54), (64, 64), (128, 128), (128, 90), (33, 100), (100, 3), (1, 99), (61, 64), (64, 63), (20, 31)]
    for seed, (height, width) in enumerate(sizes, start=100):
        for rect in (True, False):
            tensor = letterboxed(noise(seed, height, width), 64, rect)
            mode = "rect" if rect else "square"
            lines.append(f"{seed} {height} {width} {mode} {tensor.shape[1]} {tensor.shape[2]} {fnv1a(tensor.tobytes())}")
    return lines


def expected_photos() -> list[str]:
    """The photographs beside: decoded, then letterboxed to 160 in rect mode."""
    lines = []
    for path in sorted((HERE / "pictures").glob("*.jpg")):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1]
        tensor = letterboxed(np.ascontiguousarray(picture), 160, True)
        lines.append(f"{path.name} {picture.shape[0]} {picture.shape[1]} {fnv1a(picture.tobytes())} {fnv1a(tensor.tobytes())}")
    return lines


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for name, data in {**jpegs(), **pngs(), **webps(), **bmps(), **tiffs(), **gifs(), **lossless_avifs(), **thin()}.items():
        (OUT / name).write_bytes(data)
    NEAR.mkdir(exist_ok=True)
    for name, data in near().items():
        (NEAR / name).write_bytes(data)
        (NEAR / f"{name}.png").write_bytes(pillow(reference_of(name, data), "PNG", optimize=True))
    REAL.mkdir(exist_ok=True)
    for name, data in real().items():
        (REAL / name).write_bytes(data)
    BROKEN.mkdir(exist_ok=True)
    for name, data in broken().items():
        (BROKEN / name).write_bytes(data)
    for name, lines in (("expected", expected_pictures()), ("resize", expected_resizes()),
                        ("letterbox", expected_letterboxes()), ("photos", expected_photos())):
        (OUT / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
