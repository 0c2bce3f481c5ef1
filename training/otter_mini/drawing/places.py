"""Backgrounds. They are not moved with the subject."""

from __future__ import annotations

import random

from . import rooms
from .pen import Colour, Pen, shade

PLAIN: tuple[Colour, ...] = (
    (244, 232, 210),
    (206, 226, 240),
    (214, 234, 212),
    (242, 216, 222),
    (222, 220, 228),
    (250, 240, 190),
)


def background(pen: Pen, place: str | None, rng: random.Random, *, night: bool = False) -> None:
    """``night``: only of places in ``scenes.OUTDOORS``."""
    if place is None:
        _plain(pen, rng)
        return
    pen.night = night
    {
        "beach": _beach,
        "forest": _forest,
        "city": _city,
        "night sky": _night_sky,
        "sunset": _sunset,
        "snow": _snow,
        "kitchen": rooms.kitchen,
        "space": rooms.space,
    }[place](pen, rng)
    pen.night = False
    if night:
        _moon_and_stars(pen, rng)


def _moon_and_stars(pen: Pen, rng: random.Random) -> None:
    x = 106 + rng.uniform(-5, 5)
    pen.ellipse(x, 18, 9, 9, (252, 244, 196), line=False)
    for crater, y, size in ((x - 3, 16, 2), (x + 3, 20, 2.6), (x + 1, 12.5, 1.4)):
        pen.ellipse(crater, y, size, size, (226, 214, 160), line=False)
    for sx, sy in ((10, 8), (22, 22), (40, 7), (84, 9), (120, 38), (34, 30), (6, 40), (92, 34)):
        size = rng.uniform(0.9, 1.6)
        pen.ellipse(sx + rng.uniform(-2, 2), sy + rng.uniform(-2, 2), size, size, (255, 252, 224), line=False)


def _plain(pen: Pen, rng: random.Random) -> None:
    colour = rng.choice(PLAIN)
    pen.gradient(colour, colour)
    pen.ellipse(64, 119, 40, 6, shade(colour, -0.14), line=False)


def _beach(pen: Pen, rng: random.Random) -> None:
    pen.gradient((120, 196, 240), (206, 236, 250), 0, 62)
    pen.gradient((36, 128, 190), (72, 176, 214), 62, 84)
    pen.gradient((246, 218, 150), (232, 196, 120), 84, 128)
    sun = 106 + rng.uniform(-5, 5)
    if not pen.night:
        pen.ellipse(sun, 19, 10, 10, (255, 226, 90), line=False)
    for y in (68, 75):
        start = rng.uniform(-6, 6)
        for x in (2.0, 34.0, 92.0, 118.0):
            pen.stroke([(x + start - 7, y), (x + start + 7, y)], (226, 246, 252), 1.5)
    x = 13 + rng.uniform(-4, 4)
    pen.stroke([(x - 3, 104), (x - 1, 70), (x + 3, 38)], (146, 96, 52), 4.5)
    for dx, dy in ((-17, 4), (-13, -9), (0, -15), (14, -9), (18, 3)):
        pen.smooth(
            [
                (x + 3, 38),
                (x + 3 + dx * 0.6, 34 + dy),
                (x + 3 + dx * 1.15, 41 + dy * 0.7),
                (x + 3 + dx * 0.5, 39 + dy * 0.5),
            ],
            (48, 150, 78),
        )


def _forest(pen: Pen, rng: random.Random) -> None:
    pen.gradient((196, 228, 190), (150, 204, 150), 0, 92)
    pen.gradient((104, 170, 84), (74, 138, 66), 90, 128)
    for x in (2.0, 30.0, 62.0, 98.0, 126.0):
        _fir(pen, x + rng.uniform(-4, 4), 94, 13, 58, (118, 178, 124), line=False)
    for x in (13, 116):
        _fir(pen, x + rng.uniform(-4, 4), 108, 19, 92 + rng.uniform(-5, 5), (42, 118, 70))


def _fir(pen: Pen, x: float, foot: float, half: float, height: float, colour: Colour, *, line: bool = True) -> None:
    pen.box(x - half * 0.16, foot - 6, x + half * 0.16, foot + 5, (116, 76, 46), line=line)
    for low, high, width in ((0.06, 0.48, 1.0), (0.3, 0.74, 0.8), (0.55, 1.0, 0.58)):
        pen.polygon(
            [
                (x - half * width, foot - height * low),
                (x + half * width, foot - height * low),
                (x, foot - height * high),
            ],
            colour,
            line=line,
        )


def _city(pen: Pen, rng: random.Random) -> None:
    pen.gradient((178, 190, 212), (222, 214, 214), 0, 100)
    pen.gradient((112, 112, 122), (92, 92, 102), 100, 128)
    blocks = (
        (-4, 26, 22, (126, 96, 96)),
        (22, 42, 48, (150, 130, 118)),
        (86, 104, 40, (118, 124, 142)),
        (102, 132, 14, (146, 104, 88)),
    )
    for x0, x1, top, colour in blocks:
        top_ = top + rng.uniform(-6, 6)
        pen.box(x0, top_, x1, 102, colour)
        for row in range(int((96 - top_) // 13)):
            for x in (x0 + 5.5, x1 - 10.5) if x1 - x0 > 20 else ((x0 + x1) / 2 - 2.5,):
                lit = rng.random() < 0.6
                y = top_ + 6 + row * 13
                dark, pen.night = pen.night, pen.night and not lit
                pen.box(x, y, x + 5, y + 7, (255, 230, 130) if lit else (70, 78, 98), line=False)
                pen.night = dark
    for x in (-2, 24, 88, 114):
        pen.box(x, 113, x + 14, 116, (232, 226, 190), line=False)


def _night_sky(pen: Pen, rng: random.Random) -> None:
    pen.gradient((14, 18, 56), (52, 54, 120), 0, 106)
    pen.smooth(
        [(-10, 108), (20, 96), (50, 104), (90, 94), (138, 106), (138, 140), (-10, 140)], (24, 34, 54), line=False
    )
    x = 20 + rng.uniform(-5, 5)
    pen.ellipse(x, 20, 10, 10, (252, 244, 196), line=False)
    pen.ellipse(x + 4.5, 17, 8.6, 8.6, (20, 24, 64), line=False)
    for sx, sy in (
        (44, 10),
        (90, 14),
        (112, 28),
        (120, 8),
        (104, 50),
        (118, 72),
        (10, 48),
        (24, 66),
        (8, 84),
        (98, 34),
        (34, 36),
        (106, 86),
    ):
        size = rng.uniform(0.9, 1.7)
        pen.ellipse(sx + rng.uniform(-2, 2), sy + rng.uniform(-2, 2), size, size, (255, 252, 224), line=False)


def _sunset(pen: Pen, rng: random.Random) -> None:
    pen.gradient((112, 62, 140), (240, 112, 96), 0, 46)
    pen.gradient((240, 112, 96), (255, 204, 104), 46, 84)
    x = 100 + rng.uniform(-8, 6)
    pen.ellipse(x, 80, 21, 21, (255, 238, 150), line=False)
    pen.gradient((150, 62, 92), (84, 40, 84), 84, 128)
    for dx, y in ((0, 89), (0, 95), (0, 101)):
        pen.stroke([(x + dx - 17, y), (x + dx + 17, y)], (255, 204, 120), 1.9)
    pen.smooth([(-8, 84), (6, 66), (16, 74), (28, 58), (44, 84), (18, 87)], (92, 42, 92), line=False)


def _snow(pen: Pen, rng: random.Random) -> None:
    pen.gradient((150, 184, 220), (214, 230, 244), 0, 96)
    # Snow is light at night too.
    night, pen.night = pen.night, False
    ground = (172, 188, 222) if night else (246, 250, 254)
    pen.smooth([(-10, 92), (24, 84), (64, 90), (104, 82), (138, 90), (138, 140), (-10, 140)], ground, line=False)
    pen.night = night
    for middle in (12, 115):
        x = middle + rng.uniform(-4, 4)
        _fir(pen, x, 104, 15, 66, (70, 122, 120))
        for y, half in ((60, 5), (78, 8), (95, 10)):
            pen.smooth([(x - half, y), (x, y - half * 1.1), (x + half, y), (x, y - 2)], (250, 252, 255), line=False)
    for sx, sy in (
        (30, 12),
        (48, 26),
        (84, 10),
        (100, 30),
        (22, 40),
        (108, 54),
        (36, 62),
        (96, 74),
        (6, 22),
        (122, 14),
    ):
        dark, pen.night = pen.night, False
        pen.ellipse(sx + rng.uniform(-3, 3), sy + rng.uniform(-3, 3), 2, 2, (255, 255, 255), line=False)
        pen.night = dark
