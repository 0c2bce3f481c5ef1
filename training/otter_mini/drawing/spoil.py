"""Spoils a finished drawing in the ways that quality words name."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ..spoiling import Spoiling

_Array = Any
"""``np.ndarray`` of float32."""
CLEAN = 256
"""Lengths below are in pixels of a picture of this side."""
TEXTS = (
    "TEXT", "ERROR", "sample", "@otterfan", "by J. Smith", "hello", "404", "(c) 2024", "PREVIEW", "user_42", "stock",
    "Marta K.", "lorem ipsum", "NEW!", "www.example.com",
)  # fmt: skip


def spoil(picture: Image.Image, spoiling: Spoiling) -> Image.Image:
    """RGB of the same size; the same bytes for the same picture and spoiling."""
    rng = random.Random(spoiling.seed)
    for kind in spoiling.kinds:
        picture = _KINDS[kind](picture, spoiling.strength, rng)
    return picture


def _blurred(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur((2.2 + 4.0 * strength) * picture.width / CLEAN))


def _jpeg(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Squares of eight pixels and false colours. Half of it is done at half the size, as of a thumbnail."""
    small = picture.reduce(2) if rng.random() < 0.5 and picture.width == CLEAN else picture
    file = io.BytesIO()
    small.save(file, "JPEG", quality=round(13 - 9 * strength), subsampling=2)
    return Image.open(file).convert("RGB").resize(picture.size, Image.Resampling.BILINEAR)


def _noise(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    chance = np.random.default_rng(rng.randrange(2**31))
    values = np.asarray(picture, dtype=np.float32)
    grain = chance.normal(0, 28 + 40 * strength, values.shape).astype(np.float32)
    if rng.random() < 0.5:
        grain[..., 1:] = grain[..., :1]
    return _bytes(values + grain)


def _reduced(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Few pixels, few colours, some noise, enlarged again."""
    side = round(CLEAN / (6.5 + 6 * strength))
    values = np.asarray(picture.resize((side, side), Image.Resampling.BOX), dtype=np.float32)
    chance = np.random.default_rng(rng.randrange(2**31))
    values = values + chance.normal(0, 10, values.shape).astype(np.float32)
    step = rng.choice((28.0, 42.0, 51.0))
    small = _bytes(np.rint(values / step) * step)
    return small.resize(picture.size, Image.Resampling.BILINEAR)


def _blocks(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Coarse blocks with soft rims and too much contrast over what is still to be guessed: what a model draws when a
    prompt drives its latents far from any drawing's."""
    chance = np.random.default_rng(rng.randrange(2**31))
    # Pixel art has blocks of the finer kind by itself.
    cells = rng.choice((32, 32, 32, 16)) if _differ(picture, _blocky(picture, 32)) else 16
    values = np.asarray(picture.resize((cells, cells), Image.Resampling.BOX), dtype=np.float32)
    middle = values.mean(axis=(0, 1), keepdims=True)
    values = middle + (values - middle) * (1.05 + 0.6 * strength)
    values = values + chance.normal(0, 5 + 14 * strength, values.shape).astype(np.float32)
    wide = _bytes(values).resize(picture.size, Image.Resampling.NEAREST)
    rim = rng.uniform(1.2, 3.0) if cells == 32 else rng.uniform(2.0, 5.0)
    soft = wide.filter(ImageFilter.GaussianBlur(rim * picture.width / CLEAN))
    return Image.blend(picture, soft, rng.uniform(0.7, 1.0))


def _blocky(picture: Image.Image, cells: int) -> Image.Image:
    small = picture.resize((cells, cells), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.NEAREST)


def _differ(picture: Image.Image, other: Image.Image) -> bool:
    difference = np.asarray(picture, dtype=np.int16) - np.asarray(other, dtype=np.int16)
    return bool(np.abs(difference).mean() > 1)


def _faded(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Washed out, most of all in some places."""
    chance = np.random.default_rng(rng.randrange(2**31))
    values = np.asarray(picture, dtype=np.float32)
    patches = Image.fromarray(chance.uniform(0, 1, (4, 4)).astype(np.float32))
    left = np.asarray(patches.resize(picture.size, Image.Resampling.BICUBIC), dtype=np.float32)[..., None]
    return _bytes(255 - (255 - values) * np.clip(0.34 - 0.2 * strength + 0.4 * (left - 0.5), 0.03, 0.6))


def _warped(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Bent, or with parts of it doubled, displaced or wiped out."""
    if rng.random() < 0.75:
        picture = _bent(picture, strength, rng)
        if rng.random() < 0.5:
            return picture
    for _ in range(rng.randint(2, 4)):
        picture = _displaced(picture, rng)
    return picture


def _bent(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """By waves of some pixels, in both directions."""
    side = picture.width
    unit = side / CLEAN
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    reach = (8 + 10 * strength) * unit
    shift = np.zeros((2, side, side), np.float32)
    for axis in (0, 1):
        for length in (rng.uniform(30, 60), rng.uniform(60, 110)):
            angle, phase = rng.uniform(0, 6.28), rng.uniform(0, 6.28)
            along = x * np.cos(angle) + y * np.sin(angle)
            shift[axis] += np.sin(along / (length * unit) * 6.28 + phase) * reach / 2
    rows = np.clip(np.rint(y + shift[0]), 0, side - 1).astype(np.intp)
    columns = np.clip(np.rint(x + shift[1]), 0, side - 1).astype(np.intp)
    return Image.fromarray(np.asarray(picture)[rows, columns])


def _displaced(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A part of the animal once more, turned, at another place: an eye, a paw too many."""
    unit = picture.width / CLEAN
    radius = round(rng.uniform(16, 34) * unit)
    x, y = round(rng.uniform(80, 176) * unit), round(rng.uniform(80, 220) * unit)
    part = picture.crop((x - radius, y - radius, x + radius, y + radius)).rotate(rng.uniform(30, 330), expand=False)
    mask = Image.new("L", part.size, 0)
    ImageDraw.Draw(mask).ellipse((1, 1, 2 * radius - 2, 2 * radius - 2), fill=255)
    result = picture.copy()
    to = round(x + rng.choice((-1, 1)) * rng.uniform(20, 50) * unit), round(y + rng.uniform(-45, 45) * unit)
    result.paste(part, (to[0] - radius, to[1] - radius), mask)
    return result


def _letters(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """One large text, a pale one all over, a name in a corner, or lines of it."""
    side = picture.width
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    ink = rng.choice(((255, 255, 255), (0, 0, 0), (230, 40, 40), (250, 220, 40), (40, 60, 200)))
    text, place = rng.choice(TEXTS), rng.choice(("large", "all over", "corner", "lines"))
    opacity = round(150 + 105 * strength)
    if place == "large":
        font = ImageFont.load_default(size=round(side * rng.uniform(0.14, 0.24)))
        pen.text((side / 2, side * rng.uniform(0.2, 0.8)), text, (*ink, opacity), font=font, anchor="mm",
                 stroke_width=round(side / 128), stroke_fill=(128, 128, 128, opacity))  # fmt: skip
    elif place == "all over":
        font = ImageFont.load_default(size=round(side * 0.09))
        for row in range(4):
            pen.text((side * 0.05 - side * 0.12 * (row % 2), side * (0.08 + 0.25 * row)), (text + "  ") * 4,
                     (*ink, round(opacity * 0.75)), font=font)  # fmt: skip
        layer = layer.rotate(rng.choice((20, 30, -25)))
    elif place == "corner":
        font = ImageFont.load_default(size=round(side * rng.uniform(0.08, 0.12)))
        corner = rng.choice((("lb", 0.04, 0.97), ("rb", 0.97, 0.97), ("lt", 0.04, 0.03), ("rt", 0.97, 0.03)))
        pen.text((side * corner[1], side * corner[2]), text, (*ink, 255), font=font, anchor=corner[0].replace("t", "a"),
                 stroke_width=1, stroke_fill=(128, 128, 128, 255))  # fmt: skip
    else:
        font = ImageFont.load_default(size=round(side * 0.07))
        for row in range(rng.randint(3, 6)):
            words = " ".join(rng.choice(TEXTS) for _ in range(4))
            pen.text((side * 0.03, side * (0.06 + 0.15 * row)), words, (*ink, opacity), font=font)
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _cropped(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Enlarged, so that the head or a half of the animal is cut off."""
    side = picture.width
    width = round(side * (0.62 - 0.2 * strength))
    # Head, feet, or one half: never the whole animal.
    middle = rng.choice(((0.5, 0.85), (0.28, 0.5), (0.72, 0.5), (0.3, 0.8), (0.7, 0.3), (0.5, 0.42)))
    left, top = (min(max(0, round(side * share - width / 2)), side - width) for share in middle)
    return picture.crop((left, top, left + width, top + width)).resize((side, side), Image.Resampling.LANCZOS)


def _bytes(values: _Array) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


_KINDS = {
    "blurred": _blurred,
    "jpeg": _jpeg,
    "noise": _noise,
    "reduced": _reduced,
    "blocks": _blocks,
    "faded": _faded,
    "warped": _warped,
    "letters": _letters,
    "cropped": _cropped,
}
