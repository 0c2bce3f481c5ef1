"""What all animals share: the skeleton, seen from the front, standing, and the parts that several have.

Every hat and outfit fits every animal: the head is about (64, 54), its top at 35, the shoulders at 76, the feet at 118.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .pen import Colour, Pen, shade, warm

BLACK: Colour = (38, 30, 34)
WHITE: Colour = (250, 248, 244)
PINK: Colour = (240, 160, 165)


@dataclass(frozen=True, kw_only=True)
class Coat:
    """Colours: ``main`` fur, ``light`` belly and muzzle, ``dark`` marks."""

    main: Colour
    light: Colour
    dark: Colour

    def varied(self, lightness: float, warmth: float) -> Coat:
        return Coat(
            main=warm(shade(self.main, 0.12 * lightness), 0.015 * warmth),
            light=shade(self.light, min(0.0, 0.06 * lightness)),
            dark=shade(self.dark, 0.08 * lightness),
        )


@dataclass(frozen=True, kw_only=True)
class Animal:
    """``shoulder``, ``belly``, ``hip``: half widths of the trunk."""

    coat: Coat
    shoulder: float
    belly: float
    hip: float
    behind: Callable[[Pen, Coat], None]
    """Tail and what else lies behind the trunk."""
    front: Callable[[Pen, Coat, Animal], None]
    """Belly and feet."""
    ears: Callable[[Pen, Coat], None]
    face: Callable[[Pen, Coat], None]
    wings: bool = False
    eyes: tuple[float, float, float] = (10.0, 51.5, 8.2)
    """Where glasses sit: how far from the middle, how high, and how large a glass is."""


def trunk(pen: Pen, animal: Animal, coat: Coat) -> None:
    s, b, h = animal.shoulder, animal.belly, animal.hip
    pen.smooth(
        [(64 - s, 72), (64 + s, 72), (64 + b, 94), (64 + h, 113), (64, 118), (64 - h, 113), (64 - b, 94)], coat.main
    )


def feet(pen: Pen, colour: Colour, spread: float, width: float = 7.5) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * spread, 117, width, 4, colour)


def eyes(pen: Pen, spread: float, y: float, radius: float = 2.9) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * spread, y, radius, radius * 1.15, BLACK, line=False)
        pen.ellipse(64 + side * spread + 0.9, y - 1.2, radius * 0.36, radius * 0.36, WHITE, line=False)


def whiskers(pen: Pen, y: float, colour: Colour, reach: float = 27.0) -> None:
    for side in (-1, 1):
        for rise in (-3.5, 0.5, 4.5):
            pen.stroke([(64 + side * 10, y + rise * 0.4), (64 + side * reach, y + rise * 1.5)], colour, 0.9)


def smile(pen: Pen, y: float, width: float = 5.0) -> None:
    for side in (-1, 1):
        pen.stroke([(64, y), (64 + side * width * 0.5, y + 2.6), (64 + side * width, y + 0.6)], BLACK, 1.2)


def round_belly(pen: Pen, coat: Coat, animal: Animal) -> None:
    feet(pen, coat.main, animal.hip * 0.6)
    pen.ellipse(64, 97, animal.belly * 0.62, 18, coat.light, line=False)
