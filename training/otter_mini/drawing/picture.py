"""A scene's picture."""

from __future__ import annotations

import random

from PIL import Image

from ..scenes import Scene
from . import accessories, animals, clothes, places, skeleton, styles
from .pen import SIZE as SIDE
from .pen import Pen

SIZES = {128: 4, 256: 3}
"""Sides of pictures in pixels, and how many pixels of the sheet become one of theirs."""


def draw(scene: Scene, *, size: int = 256) -> Image.Image:
    """Size×size RGB; the same bytes for the same scene and size. :raises ValueError: a size not in ``SIZES``"""
    if size not in SIZES:
        raise ValueError(f"drawings have {' or '.join(map(str, SIZES))} pixels on a side, not {size}")
    width, ink = styles.LINES[scene.style]
    pen = Pen(line=width, ink=ink, scale=size * SIZES[size] // SIDE)
    places.background(pen, scene.place, random.Random(scene.detail), night=scene.time == "night")
    pen.move(scene.dx)
    _subject(pen, scene)
    return styles.finish(pen.image, scene.style, scene.detail, size)


def _subject(pen: Pen, scene: Scene) -> None:
    animal = animals.KINDS[scene.animal]
    coat = animal.coat.varied(scene.lightness, scene.warmth)
    animal.behind(pen, coat)
    skeleton.trunk(pen, animal, coat)
    animal.front(pen, coat, animal)
    sleeve = clothes.outfit(pen, scene.outfit, animal, scene.outfit_colour) if scene.outfit else None
    clothes.arms(pen, animal, coat, sleeve, holding=scene.item is not None)
    if scene.neck == "scarf":
        accessories.scarf(pen, animal, scene.neck_colour)
    animal.ears(pen, coat)
    animal.face(pen, coat)
    if scene.neck == "bow tie":
        accessories.bow_tie(pen, scene.neck_colour)
    if scene.face == "glasses":
        accessories.glasses(pen, animal)
    if scene.hat:
        clothes.hat(pen, scene.hat)
    if scene.item:
        accessories.item(pen, scene.item, 64 - animal.shoulder - 14, 84, scene.item_colour)
