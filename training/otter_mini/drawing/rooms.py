"""Backgrounds without a day and a night: the kitchen, and space."""

from __future__ import annotations

import random

from .pen import Colour, Pen, shade


def kitchen(pen: Pen, rng: random.Random) -> None:
    """Cupboards above, a fridge on the left, a stove with a pot on the right, a chequered floor."""
    pen.gradient((252, 236, 196), (246, 224, 178), 0, 98)
    for y in (48, 60, 72, 84):
        pen.stroke([(-2, y), (130, y)], (228, 200, 150), 1.0)
    for x in range(4, 128, 16):
        pen.stroke([(x, 40), (x, 96)], (228, 200, 150), 1.0)
    wood: Colour = rng.choice(((86, 156, 150), (112, 150, 96), (176, 106, 74)))
    for x in (30, 55, 80, 105):
        pen.box(x, -3, x + 25, 21, wood)
        pen.ellipse(x + 21, 15, 1.4, 1.4, (250, 236, 190), line=False)
    _floor(pen)
    pen.box(86, 78, 134, 112, wood)
    pen.box(84, 73, 134, 78, (250, 246, 238))
    pen.box(95, 84, 124, 106, (60, 62, 72))
    pen.box(99, 89, 120, 101, (250, 178, 82), line=False)
    pot = 109 + rng.uniform(-2, 2)
    pen.box(pot - 11, 60, pot + 11, 73, (206, 62, 58))
    pen.box(pot - 13, 57, pot + 13, 61, (236, 110, 96))
    pen.ellipse(pot, 55.5, 2.4, 2, (60, 50, 52), line=False)
    for dx in (-5, 4):
        pen.stroke([(pot + dx, 51), (pot + dx + 2, 46), (pot + dx - 1, 41), (pot + dx + 1, 36)], (255, 255, 255), 1.8)
    _fridge(pen, 1 + rng.uniform(-2, 1))


def _floor(pen: Pen) -> None:
    pen.gradient((232, 232, 236), (214, 214, 222), 98, 128)
    for row in range(3):
        for column in range(9):
            if (row + column) % 2:
                left, top = column * 15 - 4, 98 + row * 10
                pen.box(left, top, left + 15, top + 10, (150, 168, 190), line=False)


def _fridge(pen: Pen, x: float) -> None:
    steel: Colour = (206, 224, 236)
    pen.box(x, 26, x + 30, 108, steel)
    pen.box(x, 26, x + 30, 52, shade(steel, 0.25))
    for top, foot in ((34, 46), (60, 82)):
        pen.stroke([(x + 25, top), (x + 25, foot)], (110, 126, 146), 2.4)


def space(pen: Pen, rng: random.Random) -> None:
    """A ringed planet, the Earth, a rocket, stars, and the moon's grey ground with craters."""
    pen.gradient((12, 8, 30), (52, 22, 78), 0, 100)
    for sx, sy in ((8, 10), (30, 6), (46, 18), (60, 8), (84, 30), (120, 50), (96, 66), (30, 74), (6, 82), (118, 84)):
        size = rng.uniform(0.8, 1.5)
        pen.ellipse(sx + rng.uniform(-3, 3), sy + rng.uniform(-3, 3), size, size, (255, 255, 255), line=False)
    x = 104 + rng.uniform(-4, 3)
    pen.ellipse(x, 24, 12, 12, (238, 150, 74))
    pen.stroke([(x - 10.5, 20), (x, 22), (x + 10.5, 19)], (206, 112, 52), 2.4)
    pen.stroke([(x - 20, 29), (x - 8, 29.5), (x + 6, 26), (x + 19, 19)], (250, 218, 160), 2.6)
    y = 30 + rng.uniform(-4, 4)
    pen.ellipse(17, y, 10, 10, (64, 138, 220))
    pen.smooth([(11, y - 5), (18, y - 6), (17, y), (12, y + 2)], (86, 186, 96), line=False)
    pen.smooth([(18, y + 2), (24, y), (23, y + 6), (18, y + 7)], (86, 186, 96), line=False)
    _rocket(pen, 112, 62 + rng.uniform(-3, 3))
    pen.smooth(
        [(-10, 100), (22, 94), (64, 98), (106, 93), (138, 100), (138, 140), (-10, 140)], (176, 176, 186), line=False
    )
    for cx, cy, rx in ((14, 108, 9), (112, 106, 8), (40, 121, 7), (92, 122, 8), (124, 119, 5)):
        pen.ellipse(cx + rng.uniform(-2, 2), cy, rx, rx * 0.36, (130, 130, 142), line=False)


def _rocket(pen: Pen, x: float, y: float) -> None:
    for side in (-1, 1):
        pen.polygon([(x + side * 4, y + 6), (x + side * 9, y + 14), (x + side * 4, y + 12)], (214, 50, 48))
    pen.smooth([(x - 3, y + 13), (x, y + 24), (x + 3, y + 13)], (255, 190, 60), line=False)
    pen.smooth([(x, y - 15), (x + 5.5, y - 4), (x + 5, y + 13), (x - 5, y + 13), (x - 5.5, y - 4)], (240, 240, 244))
    pen.ellipse(x, y - 1, 2.8, 2.8, (64, 138, 220))
