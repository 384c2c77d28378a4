"""TIFF and GIF files for make_pictures.py."""

import io
import struct

import numpy as np
from PIL import Image
from picture_tools import HEIGHT, WIDTH, cmyk, noise, packed, pillow, scene

# --- TIFF -------------------------------------------------------------------------------------------------------


def tiff_file(entries: dict[int, tuple[int, list[int]]], data: list[bytes], order: str = "<", tiled: bool = False,
              big: bool = False) -> bytes:
    """A TIFF of one directory; `data` are its strips or tiles. Entries: tag -> (type 3 or 4, values)."""
    offset = 16 if big else 8
    body, offsets = b"", []
    for part in data:
        offsets.append(offset + len(body))
        body += part + b"\0" * (len(part) % 2)
    entries = dict(entries)
    entries[324 if tiled else 273] = (4, offsets)
    entries[325 if tiled else 279] = (4, [len(part) for part in data])
    directory_at = offset + len(body)
    count, entry, value = ("Q", 20, "Q") if big else ("H", 12, "I")
    room = struct.calcsize("<" + value)
    behind = directory_at + struct.calcsize("<" + count) + len(entries) * entry + room
    directory, extra = struct.pack(order + count, len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        content = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(content) > room:
            pointer = struct.pack(order + value, behind + len(extra))
            extra += content
        else:
            pointer = content.ljust(room, b"\0")
        directory += struct.pack(order + "HH" + value, tag, kind, len(values)) + pointer
    directory += struct.pack(order + value, 0) + extra
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, directory_at)
    else:
        head = mark + struct.pack(order + "HI", 42, directory_at)
    return head + body + directory


def tiff_entries(samples: np.ndarray, bits: int, color: int, packing: int = 1, **more: tuple) -> dict:
    height, width, channels = samples.shape
    entries = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * channels), 259: (3, [packing]), 262: (3, [color]),
               277: (3, [channels])}
    entries.update({int(tag[1:]): value for tag, value in more.items()})
    return entries


def strips(samples: np.ndarray, bits: int, rows: int, order: str = "<") -> list[bytes]:
    rows_of = [row.astype(f"{order}u2").tobytes() if bits == 16 else packed(row[None], bits)[0] for row in samples]
    return [b"".join(rows_of[i : i + rows]) for i in range(0, len(rows_of), rows)]


def tiles(samples: np.ndarray, side: int) -> list[bytes]:
    height, width, channels = samples.shape
    whole = np.zeros((-(-height // side) * side, -(-width // side) * side, channels), np.uint8)
    whole[:height, :width] = samples
    return [whole[y : y + side, x : x + side].tobytes() for y in range(0, whole.shape[0], side)
            for x in range(0, whole.shape[1], side)]


def tiffs() -> dict[str, bytes]:
    rgb = scene()
    grey = rgb[:, :, 1:2].astype(int)
    wide = rgb.astype(int) * 257 ^ noise(9, HEIGHT, WIDTH)
    alpha = ((rgb[:, :, 2:3].astype(int) * 3) % 256).astype(np.uint8)
    rgba = np.concatenate([rgb, alpha], 2)
    rows = (3, [8])
    made = {}
    for packing in ("lzw", "adobe_deflate", "deflate", "packbits", "jpeg"):
        made[f"{packing}.tif"] = pillow(rgb, "TIFF", compression=packing if packing == "packbits" else f"tiff_{packing}"
                                        if packing != "jpeg" else "jpeg", strip_size=111 * 8)
    for fax in ("group3", "group4", "tiff_ccitt"):
        made[f"fax_{fax.removeprefix('tiff_')}.tif"] = pillow(rgb, "TIFF", mode="1", compression=fax)
    plain = tiff_entries(rgb, 8, 2, t278=rows)
    made["rgb_8.tif"] = tiff_file(plain, strips(rgb, 8, 8))
    made["rgb_8_motorola.tif"] = tiff_file(plain, strips(rgb, 8, 8), ">")
    made["rgb_8_one_strip.tif"] = tiff_file(tiff_entries(rgb, 8, 2), strips(rgb, 8, HEIGHT))
    made["rgb_8_big.tif"] = tiff_file(plain, strips(rgb, 8, 8), big=True)
    made["rgb_16.tif"] = tiff_file(tiff_entries(wide, 16, 2, t278=rows), strips(wide, 16, 8))
    made["rgb_16_motorola.tif"] = tiff_file(tiff_entries(wide, 16, 2, t278=rows), strips(wide, 16, 8, ">"), ">")
    made["rgb_planes.tif"] = tiff_file(tiff_entries(rgb, 8, 2, t278=rows, t284=(3, [2])),
                                       sum((strips(rgb[:, :, c : c + 1], 8, 8) for c in range(3)), []))
    made["rgb_tiles.tif"] = tiff_file(tiff_entries(rgb, 8, 2, t322=(3, [16]), t323=(3, [16])), tiles(rgb, 16), tiled=True)
    for kind in (0, 1, 2):  # of the fourth sample: of no meaning, times the colours already, not yet
        made[f"rgba_{kind}.tif"] = tiff_file(tiff_entries(rgba, 8, 2, t278=rows, t338=(3, [kind])), strips(rgba, 8, 8))
    for bits in (1, 2, 4, 8):
        shade = grey >> (8 - bits)
        colors = noise(30 + bits, 1, 1 << bits).reshape(-1, 3).astype(int) * 257
        made[f"palette_{bits}.tif"] = tiff_file(
            tiff_entries(shade, bits, 3, t278=rows, t320=(3, [int(v) for v in colors.T.reshape(-1)])), strips(shade, bits, 8))
        for color, name in ((0, "white"), (1, "black")):
            made[f"grey_{bits}_{name}.tif"] = tiff_file(tiff_entries(shade, bits, color, t278=rows), strips(shade, bits, 8))
    made["grey_16.tif"] = tiff_file(tiff_entries(wide[:, :, :1], 16, 1, t278=rows), strips(wide[:, :, :1], 16, 8))
    made["grey_alpha.tif"] = tiff_file(tiff_entries(rgba[:, :, 2:], 8, 1, t278=rows, t338=(3, [2])), strips(rgba[:, :, 2:], 8, 8))
    made["cmyk.tif"] = tiff_file(tiff_entries(cmyk(rgb), 8, 5, t278=rows), strips(cmyk(rgb), 8, 8))
    made["two_pages.tif"] = pillow(rgb, "TIFF", save_all=True, append_images=[Image.fromarray(255 - rgb)])
    made["one_pixel.tif"] = tiff_file(tiff_entries(rgb[:1, :1], 8, 2), strips(rgb[:1, :1], 8, 1))
    made["column.tif"] = tiff_file(tiff_entries(rgb[:, :1], 8, 2), strips(rgb[:, :1], 8, HEIGHT))
    for orientation in range(1, 9):
        made[f"orientation_{orientation}.tif"] = tiff_file(plain | {274: (3, [orientation])}, strips(rgb, 8, 8))
    made["orientation_6_grey.tif"] = tiff_file(tiff_entries(grey, 8, 1, t278=rows, t274=(3, [6])), strips(grey, 8, 8))
    made["orientation_9.tif"] = tiff_file(plain | {274: (3, [9])}, strips(rgb, 8, 8))
    return made


# --- GIF --------------------------------------------------------------------------------------------------------


def gif_codes(indices: np.ndarray, bits: int) -> bytes:
    """Indices as codes that are never longer than at the start: a clear code before the table grows."""
    size, clear = bits + 1, 1 << bits
    codes = []
    for i, index in enumerate(int(v) for v in indices.reshape(-1)):
        if i % (clear - 2) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    number = sum(code << size * i for i, code in enumerate(codes))
    data = number.to_bytes((len(codes) * size + 7) // 8, "little")
    blocks = b"".join(bytes([len(part)]) + part for part in (data[i : i + 255] for i in range(0, len(data), 255)))
    return bytes([bits]) + blocks + b"\0"


def gif(screen: tuple[int, int], colors: bytes, *blocks: bytes, background: int = 0) -> bytes:
    bits = (len(colors) // 3).bit_length() - 2
    flags = 0x80 | bits if colors else 0
    return b"GIF89a" + struct.pack("<HHBBB", *screen, flags, background, 0) + colors + b"".join(blocks) + b";"


def gif_frame(indices: np.ndarray, bits: int, left: int = 0, top: int = 0, colors: bytes = b"") -> bytes:
    flags = 0x80 | (len(colors) // 3).bit_length() - 2 if colors else 0
    return b"," + struct.pack("<HHHHB", left, top, indices.shape[1], indices.shape[0], flags) + colors + gif_codes(indices, bits)


def gifs() -> dict[str, bytes]:
    rgb = scene()
    image = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    few = np.asarray(image)
    colors = noise(41, 1, 16).tobytes()
    others = noise(42, 1, 16).tobytes()
    control = b"!\xf9\x04\x01\x05\x00\x03\x00"  # colour 3 is seen through
    screen = (WIDTH, HEIGHT)

    def saved(**options) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "GIF", **options)
        return buffer.getvalue()

    return {
        "plain.gif": pillow(rgb, "GIF", interlace=0),
        "interlaced.gif": pillow(rgb, "GIF", interlace=1),
        "transparent.gif": saved(transparency=3),
        "animated.gif": saved(save_all=True, append_images=[image.rotate(180)], transparency=3, disposal=2, loop=0),
        "codes.gif": gif(screen, colors, gif_frame(few, 4)),
        "local_colors.gif": gif(screen, colors, gif_frame(few, 4, colors=others)),
        "only_local_colors.gif": gif(screen, b"", gif_frame(few, 4, colors=others)),
        "no_colors.gif": gif(screen, b"", gif_frame(few, 4)),
        "background.gif": gif((WIDTH + 9, HEIGHT + 6), colors, control, gif_frame(few, 4, 5, 2), background=7),
        "see_through_alone.gif": gif(screen, b"", control, gif_frame(few, 4, colors=others)),
        "comment.gif": gif(screen, colors, b"!\xfe\x05hello\x00", gif_frame(few, 4), b"!\xfe\x02ho\x00"),
        "one_pixel.gif": gif((1, 1), colors, gif_frame(few[:1, :1], 4)),
        "row.gif": gif((WIDTH, 1), colors, gif_frame(few[:1], 4)),
        "two_frames.gif": gif(screen, colors, gif_frame(few, 4), control, gif_frame(15 - few, 4)),
    }


def broken_tiffs() -> dict[str, bytes]:
    rgb = scene()
    plain, parts = tiff_entries(rgb, 8, 2, t278=(3, [8])), strips(rgb, 8, 8)
    lzw = bytearray(pillow(rgb, "TIFF", compression="tiff_lzw", strip_size=111 * 8))
    lzw[40:200] = b"\xff" * 160
    short = [*parts[:-1], parts[-1][:-20]]
    jpeg = pillow(rgb, "JPEG", quality=90)
    jpeg_entries = tiff_entries(rgb, 8, 6, packing=7, t530=(3, [2, 2]))
    tiled = {322: (3, [16]), 323: (3, [16])}
    return {
        "no_width.tif": tiff_file(plain | {256: (4, [0])}, parts),
        "no_strips.tif": tiff_file(plain, []),
        "strips_missing.tif": tiff_file(plain, parts[:2]),
        "strip_short.tif": tiff_file(plain, short),
        "lzw_damaged.tif": bytes(lzw),
        "jpeg_cut.tif": tiff_file(jpeg_entries, [jpeg[: len(jpeg) // 2]]),
        "jpeg_ends_early.tif": tiff_file(jpeg_entries, [jpeg[: len(jpeg) // 2 + 300] + b"\xff\xd9"]),
        "fax_damaged.tif": tiff_file(tiff_entries(rgb[:, :, :1], 1, 0, packing=4), [noise(50, 10, 37).tobytes()]),
        "tiles_huge.tif": tiff_file(tiff_entries(rgb, 8, 2, t322=(4, [1 << 20]), t323=(4, [1 << 20])), tiles(rgb, 16), tiled=True),
        "tiles_of_nothing.tif": tiff_file(tiff_entries(rgb, 8, 2, t322=(4, [0]), t323=(4, [16])), tiles(rgb, 16), tiled=True),
        "tiles_missing.tif": tiff_file(tiff_entries(rgb, 8, 2) | tiled, tiles(rgb, 16)[:3], tiled=True),
        "many_samples.tif": tiff_file(tiff_entries(np.zeros((2, 2, 600), np.uint8), 8, 2), [bytes(2400)]),
        "bits_32.tif": tiff_file(plain | {258: (3, [32, 32, 32])}, parts),
        "packing_lerc.tif": tiff_file(plain | {259: (3, [34887])}, parts),
        "packing_old_jpeg.tif": tiff_file(plain | {259: (3, [6])}, parts),
        "raw_camera.tif": tiff_file(tiff_entries(rgb[:, :, :1], 8, 32803, t278=(3, [8])), strips(rgb[:, :, :1], 8, 8)),
        "directory_in_itself.tif": b"II*\0\4\0\0\0",
        "directory_outside.tif": b"II*\0\xff\xff\xff\x7f" + bytes(40),
    }


def broken_gifs() -> dict[str, bytes]:
    rgb = scene()
    few = rgb[:, :, 0] >> 4
    colors = noise(41, 1, 16).tobytes()
    screen = (WIDTH, HEIGHT)
    frame = gif_frame(few, 4)
    return {
        "no_width.gif": gif((0, HEIGHT), colors, frame),
        "no_frame.gif": gif(screen, colors),
        "frame_outside.gif": gif(screen, colors, gif_frame(few, 4, 3, 3)),
        "frame_of_nothing.gif": gif(screen, colors, b"," + struct.pack("<HHHHB", 0, 0, 0, 0, 0) + frame[10:]),
        "data_short.gif": gif(screen, colors, b"," + struct.pack("<HHHHB", 0, 0, WIDTH, HEIGHT, 0) + gif_codes(few[:-2], 4)),
        "code_of_nothing.gif": gif(screen, colors, frame[:10] + b"\x04\x04\xff\xff\xff\xff\0"),
        "color_outside.gif": gif(screen, colors[:6], frame),
        "bits_13.gif": gif(screen, colors, frame[:10] + b"\x0d" + frame[11:]),
        "no_block.gif": gif(screen, colors, b"?", frame),
        "pixels_for_nothing.gif": gif((60000, 1000), colors, b"," + struct.pack("<HHHHB", 0, 0, 60000, 1000, 0) + b"\4\1\xff\0"),
    }
