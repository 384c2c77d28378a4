"""What the makers of test pictures share: one scene, bytes that look random, and Pillow's encoders."""

import io
import struct

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 29, 37


def fnv1a(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def noise(seed: int, height: int, width: int) -> np.ndarray:
    """The bytes of a linear congruential generator (Knuth's MMIX), the top byte of each state."""
    out = bytearray(height * width * 3)
    state = seed
    for i in range(len(out)):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        out[i] = state >> 56
    return np.frombuffer(bytes(out), np.uint8).reshape(height, width, 3)


def scene(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """R, G, B: ramps, a disc, a few hard edges and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 255 // width, y * 255 // height, (x * 7 + y * 13) % 256], axis=2)
    picture[(y - height // 2) ** 2 + (x - width // 2) ** 2 < 60] = (250, 30, 60)
    picture[3:7, 4:20] = (0, 0, 0)
    picture[-6:-2, 10:14] = (255, 255, 255)
    picture = picture + noise(5, height, width) // 24
    return np.clip(picture, 0, 255).astype(np.uint8)


def tiff(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entries = [struct.pack(order + "HHI", 0x010F, 2, 4) + b"abc\0", struct.pack(order + "HHI", 0x0112, kind, 1) + value]
    return mark + struct.pack(order + "HIH", 42, 8, len(entries)) + b"".join(entries) + struct.pack(order + "I", 0)


def pillow(picture: np.ndarray, kind: str, mode: str | None = None, **options) -> bytes:
    image = Image.fromarray(picture)
    if mode:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cmyk(picture: np.ndarray) -> np.ndarray:
    rgb = picture.astype(int)
    black = 255 - rgb.max(axis=2, keepdims=True) * 3 // 4
    return np.concatenate([np.clip(255 - rgb - black // 3, 0, 255), black], axis=2).astype(np.uint8)


def packed(samples: np.ndarray, depth: int) -> list[bytes]:
    """Rows of samples (height, width, channels) as PNG stores them."""
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in samples]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in samples]
    rows = []
    for row in samples[:, :, 0]:
        bits = "".join(format(int(v), f"0{depth}b") for v in row)
        bits += "0" * (-len(bits) % 8)
        rows.append(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)))
    return rows
