"""Glasses, what is worn at the neck, and the things held in the left hand."""

from __future__ import annotations

from .clothes import NAMED
from .pen import Colour, Pen, shade
from .skeleton import BLACK, WHITE, Animal

FRAME: Colour = (28, 24, 30)


def glasses(pen: Pen, animal: Animal) -> None:
    """Round ones, before the eyes, with a bridge and a temple on each side."""
    spread, y, radius = animal.eyes
    for side in (-1, 1):
        x = 64 + side * spread
        pen.glass(x, y, radius, radius, (196, 232, 255), 0.4)
        ring = [
            (x + radius * dx, y + radius * dy)
            for dx, dy in ((0, -1), (0.71, -0.71), (1, 0), (0.71, 0.71), (0, 1), (-0.71, 0.71), (-1, 0), (-0.71, -0.71))
        ]
        pen.stroke([*ring, *ring[:2]], FRAME, 2.4)
        pen.stroke([(x - 3.6, y + 1), (x - 0.6, y - 3.4)], WHITE, 1.0)
        pen.stroke([(x + side * radius, y - 1), (64 + side * 23, y - 3.5)], FRAME, 2.2)
    pen.stroke([(64 - spread + radius, y - 1), (64, y - 2.6), (64 + spread - radius, y - 1)], FRAME, 2.2)


def scarf(pen: Pen, animal: Animal, colour: str) -> None:
    """Around the neck, one end hanging down on the right, striped and fringed."""
    wool = NAMED[colour]
    dark, s = shade(wool, -0.25), animal.shoulder
    x = 64 + s * 0.5
    pen.polygon([(x - 5.5, 78), (x + 5.5, 78), (x + 7.5, 104), (x - 4.5, 105)], wool)
    for y in (89, 97):
        pen.stroke([(x - 4.2, y), (x + 5.8, y - 0.5)], dark, 2.4)
    for step in range(4):
        pen.stroke([(x - 3 + step * 3, 105), (x - 3 + step * 3, 109)], wool, 1.6)
    pen.smooth(
        [(64 - s - 5, 71), (64, 77), (64 + s + 5, 71), (64 + s + 5, 79), (64 + s * 0.5, 85), (64, 86.5),
         (64 - s * 0.5, 85), (64 - s - 5, 79)], wool,
    )  # fmt: skip
    pen.stroke([(64 - s - 1, 77), (64, 82), (64 + s + 1, 77)], dark, 1.8)


def bow_tie(pen: Pen, colour: str) -> None:
    silk = NAMED[colour]
    for side in (-1, 1):
        pen.smooth(
            [(64, 79), (64 + side * 8, 73), (64 + side * 14, 72.5), (64 + side * 15, 79), (64 + side * 14, 85.5),
             (64 + side * 8, 85)], silk,
        )  # fmt: skip
        pen.stroke([(64 + side * 4, 79), (64 + side * 9, 78)], shade(silk, -0.3), 1.3)
    pen.smooth([(61, 75.5), (67, 75.5), (67.5, 79), (67, 82.5), (61, 82.5), (60.5, 79)], shade(silk, -0.2))


# ---------------------------------------------------------------- things held


def item(pen: Pen, name: str, x: float, y: float, colour: str) -> None:
    """``x``, ``y``: the hand that holds it."""
    if name == "balloon":
        _balloon(pen, x, y, NAMED[colour])
    elif name == "umbrella":
        _umbrella(pen, x, y, NAMED[colour])
    else:
        {"pizza": _pizza, "book": _book, "guitar": _guitar}[name](pen, x, y)


def _pizza(pen: Pen, x: float, y: float) -> None:
    pen.polygon([(x - 15, y - 13), (x + 10, y - 13), (x - 2, y + 14)], (250, 206, 92))
    pen.smooth([(x - 17, y - 17), (x + 12, y - 17), (x + 12, y - 11), (x - 17, y - 11)], (198, 128, 62))
    for dx, dy in ((-8, -6), (3, -5), (-2, 3)):
        pen.ellipse(x + dx, y + dy, 2.8, 2.8, (204, 56, 44), line=False)


def _balloon(pen: Pen, x: float, y: float, colour: Colour) -> None:
    pen.stroke([(x, y), (x - 3, y - 22), (x - 6, y - 36)], (90, 90, 96), 1.0)
    pen.polygon([(x - 9, y - 33), (x - 3, y - 33), (x - 6, y - 38)], colour)
    pen.ellipse(x - 6, y - 50, 11.5, 14, colour)
    pen.ellipse(x - 10, y - 55, 2.4, 4, shade(colour, 0.55), line=False, turn=25)


def _book(pen: Pen, x: float, y: float) -> None:
    pen.polygon([(x - 14, y - 14), (x, y - 10), (x, y + 10), (x - 14, y + 6)], (176, 48, 56))
    pen.polygon([(x + 12, y - 14), (x, y - 10), (x, y + 10), (x + 12, y + 6)], (200, 62, 66))
    pen.polygon([(x - 11, y - 15.5), (x - 1, y - 12), (x - 1, y + 6), (x - 11, y + 3)], (252, 250, 240), line=False)
    pen.polygon([(x + 9, y - 15.5), (x + 1, y - 12), (x + 1, y + 6), (x + 9, y + 3)], (252, 250, 240), line=False)


def _umbrella(pen: Pen, x: float, y: float, colour: Colour) -> None:
    """Open, its canopy left of the head, where no hat is in the way."""
    middle, rim, top, half = x - 9, y - 41, y - 66, 22.0
    pen.stroke([(x - 9, rim), (x - 1, y - 4), (x, y + 8)], (70, 56, 52), 2.2)
    pen.stroke([(x, y + 8), (x - 1, y + 12), (x - 5, y + 12), (x - 6, y + 8)], (150, 92, 46), 2.6)
    dome = [(middle + half * dx, rim + (top - rim) * dy) for dx, dy in (
        (-1, 0), (-0.92, 0.42), (-0.65, 0.78), (0, 1), (0.65, 0.78), (0.92, 0.42), (1, 0)
    )]  # fmt: skip
    scallops = [(middle + half * dx, rim - lift) for dx, lift in (
        (0.66, 5), (0.33, 0), (0, 5), (-0.33, 0), (-0.66, 5)
    )]  # fmt: skip
    pen.polygon([*dome, *scallops], colour)
    for dx in (-0.33, 0.33):
        pen.stroke([(middle, top + 1), (middle + half * dx * 1.1, (top + rim) / 2), (middle + half * dx, rim)],
                   shade(colour, -0.3), 1.3)  # fmt: skip
    pen.stroke([(middle, top), (middle, top - 4)], (70, 56, 52), 2.0)


def _guitar(pen: Pen, x: float, y: float) -> None:
    """Held upright by its neck."""
    wood, dark = (206, 128, 52), (104, 58, 28)
    x -= 3
    pen.box(x - 2.2, y - 33, x + 2.2, y + 8, dark)
    pen.polygon([(x - 4, y - 43), (x + 4, y - 43), (x + 3, y - 32), (x - 3, y - 32)], dark)
    for side in (-1, 1):
        for dy in (-40, -36):
            pen.ellipse(x + side * 4.8, y + dy, 1.3, 1.3, (240, 236, 226), line=False)
    pen.smooth(
        [(x, y + 3), (x + 7, y + 2), (x + 9, y + 8), (x + 7, y + 14), (x + 12, y + 22), (x + 9, y + 31), (x, y + 34),
         (x - 9, y + 31), (x - 12, y + 22), (x - 7, y + 14), (x - 9, y + 8), (x - 7, y + 2)], wood,
    )  # fmt: skip
    pen.ellipse(x, y + 14, 4, 4, BLACK, line=False)
    pen.box(x - 5.5, y + 24.5, x + 5.5, y + 27, dark, line=False)
    pen.stroke([(x, y - 31), (x, y + 25)], (250, 240, 214), 0.8)
