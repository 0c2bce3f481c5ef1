"""Arms, outfits and hats: they fit the skeleton of every animal."""

from __future__ import annotations

import math

from .pen import Colour, Pen, shade
from .skeleton import Animal, Coat

NAMED: dict[str, Colour] = {
    "red": (214, 50, 48),
    "green": (60, 158, 82),
    "blue": (52, 112, 205),
    "yellow": (244, 200, 58),
    "pink": (240, 130, 172),
    "purple": (132, 76, 178),
    "white": (244, 242, 238),
    "gray": (138, 142, 150),
}
DENIM: Colour = (74, 112, 168)
SUIT: Colour = (44, 46, 60)
GOLD: Colour = (250, 204, 62)


def arms(pen: Pen, animal: Animal, coat: Coat, sleeve: Colour | None, *, holding: bool) -> None:
    """Both arms. The right one (seen from the front) hangs; the left one is raised if it holds something."""
    s = animal.shoulder
    paw = coat.dark if coat.main[0] < 60 else coat.main
    for side in (-1, 1):
        raised = side < 0 and holding
        shoulder = (64 + side * (s - 1), 78)
        elbow = (64 + side * (s + (7 if raised else 6)), 90 if raised else 88)
        hand = (64 + side * (s + 13), 85) if raised else (64 + side * (s + 3), 100)
        if animal.wings and sleeve is None:
            if raised:
                pen.limb([shoulder, elbow, hand], coat.dark, 8)
            else:
                x = 64 + side * (s + 2.5)
                pen.ellipse(x, 92, 5.5, 16, coat.dark, turn=-side * 12)
            continue
        pen.limb([shoulder, elbow, hand], sleeve or coat.main, 9 if sleeve else 8)
        if sleeve is not None or not animal.wings:
            pen.ellipse(*hand, 4.6, 4.4, paw)


def _torso(animal: Animal, grow: float, bottom: float) -> list[tuple[float, float]]:
    s, b, h = animal.shoulder + grow, animal.belly + grow, animal.hip + grow
    return [
        (64 - s, 72), (64 - s * 0.5, 69), (64 + s * 0.5, 69), (64 + s, 72), (64 + b, 94),
        (64 + h, bottom - 2), (64 + h * 0.5, bottom), (64 - h * 0.5, bottom), (64 - h, bottom - 2), (64 - b, 94),
    ]  # fmt: skip


def outfit(pen: Pen, name: str, animal: Animal, colour: str) -> Colour:
    """Draw the outfit on the trunk. Returns the colour of the sleeves."""
    if name == "hoodie":
        return _hoodie(pen, animal, NAMED[colour])
    if name == "robe":
        return _robe(pen, animal, NAMED[colour])
    if name == "denim jacket":
        return _denim(pen, animal)
    return _suit(pen, animal)


def _hoodie(pen: Pen, animal: Animal, colour: Colour) -> Colour:
    dark = shade(colour, -0.28)
    pen.smooth(_torso(animal, 1.8, 111), colour)
    pen.smooth(
        [(64 - animal.hip - 1, 107), (64 + animal.hip + 1, 107), (64 + animal.hip, 113), (64 - animal.hip, 113)], dark
    )
    pen.polygon([(53, 97), (75, 97), (79, 106), (49, 106)], dark, line=False)
    pen.ellipse(64, 71, 20, 6.5, dark)  # the hood, behind the chin
    for side in (-1, 1):
        pen.stroke([(64 + side * 5, 76), (64 + side * 5.5, 88)], (252, 250, 246), 1.7)
    return colour


def _robe(pen: Pen, animal: Animal, colour: Colour) -> Colour:
    s, h = animal.shoulder + 2, animal.hip + 8
    pen.smooth(
        [
            (64 - s, 72),
            (64, 69),
            (64 + s, 72),
            (64 + s + 4, 95),
            (64 + h, 119),
            (64, 121),
            (64 - h, 119),
            (64 - s - 4, 95),
        ],
        colour,
    )
    trim = GOLD if colour[0] < 235 or colour[2] > 100 else NAMED["purple"]
    pen.polygon([(61, 74), (67, 74), (69, 120), (59, 120)], trim)
    pen.polygon([(50, 72), (64, 86), (78, 72), (73, 70), (64, 79), (55, 70)], trim)
    pen.box(64 - animal.belly - 2, 98, 64 + animal.belly + 2, 102.5, shade(colour, -0.45), line=False)
    return shade(colour, -0.12)


def _denim(pen: Pen, animal: Animal) -> Colour:
    dark, stitch = shade(DENIM, -0.35), (236, 190, 110)
    pen.smooth(_torso(animal, 0.5, 104), (246, 244, 240))  # a white shirt
    s, b = animal.shoulder + 2, animal.belly + 2.2
    for side in (-1, 1):
        pen.smooth(
            [
                (64 + side * 6, 72),
                (64 + side * s, 72),
                (64 + side * b, 92),
                (64 + side * (b + 0.5), 106),
                (64 + side * 9, 107),
                (64 + side * 8, 88),
            ],
            DENIM,
        )
        pen.polygon(
            [(64 + side * 4, 70), (64 + side * 15, 70), (64 + side * 15, 78), (64 + side * 8, 82)], shade(DENIM, -0.2)
        )
        x = 64 + side * (b + 8) / 2
        pen.box(x - 3.4, 86, x + 3.4, 92.5, dark, line=False)
        pen.stroke([(x - 3.4, 88), (x + 3.4, 88)], stitch, 0.9)
        pen.stroke([(64 + side * 9.6, 84), (64 + side * 10.4, 104)], stitch, 1.0)
        pen.stroke([(64 + side * 11, 103.5), (64 + side * (b - 1), 102.5)], stitch, 1.0)
    return DENIM


def _suit(pen: Pen, animal: Animal) -> Colour:
    pen.smooth(_torso(animal, 1.5, 111), SUIT)
    pen.polygon([(55, 70), (73, 70), (64, 97)], (250, 250, 250), line=False)
    for side in (-1, 1):
        pen.polygon([(64 + side * 8, 70), (64 + side * 15, 71), (64 + side * 11, 84), (64, 98)], shade(SUIT, 0.16))
    pen.polygon([(61.3, 74), (66.7, 74), (68, 90), (64, 96), (60, 90)], NAMED["red"], line=False)
    pen.polygon([(60, 71), (68, 71), (66, 76.5), (62, 76.5)], shade(NAMED["red"], -0.2), line=False)
    for y in (101, 106):
        pen.ellipse(64, y, 1.4, 1.4, GOLD, line=False)
    return SUIT


# ---------------------------------------------------------------- hats


def hat(pen: Pen, name: str) -> None:
    {
        "cowboy hat": _cowboy_hat,
        "wizard hat": _wizard_hat,
        "crown": _crown,
        "headphones": _headphones,
        "top hat": _top_hat,
    }[name](pen)


def _cowboy_hat(pen: Pen) -> None:
    leather, dark = (168, 106, 52), (110, 62, 28)
    brim = [
        (26, 31),
        (35, 38.5),
        (50, 41.5),
        (64, 42),
        (78, 41.5),
        (93, 38.5),
        (102, 31),
        (97, 42),
        (84, 47),
        (64, 48.5),
        (44, 47),
        (31, 42),
    ]
    pen.smooth(
        [(46, 42), (47, 28), (51, 19.5), (58, 18.5), (64, 22.5), (70, 18.5), (77, 19.5), (81, 28), (82, 42), (64, 44)],
        leather,
    )
    pen.stroke([(64, 23.5), (64, 30)], dark, 1.4)
    pen.smooth([(46, 36), (64, 38.5), (82, 36), (82.2, 41.5), (64, 44), (45.8, 41.5)], dark, line=False)
    pen.ellipse(64, 40.8, 2.1, 2.1, GOLD, line=False)
    pen.smooth(brim, leather)


def _wizard_hat(pen: Pen) -> None:
    cloth, dark = (72, 66, 178), (50, 44, 130)
    pen.smooth(
        [(46, 41), (53, 26), (60, 12), (70, 5), (82, 8), (77, 12), (73, 18), (77, 28), (82, 41), (64, 43)], cloth
    )
    pen.smooth([(47, 36.5), (64, 39.5), (81, 36.5), (82.5, 41.5), (64, 44.5), (45.5, 41.5)], GOLD, line=False)
    pen.ellipse(64, 43.5, 31, 5.2, dark)
    for x, y, size in ((61, 27, 3.6), (70, 32.5, 2.7), (67.5, 17.5, 2.5)):
        _star(pen, x, y, size)


def _star(pen: Pen, x: float, y: float, size: float) -> None:
    points = []
    for index in range(10):
        radius = size if index % 2 == 0 else size * 0.45
        angle = math.pi * index / 5 - math.pi / 2
        points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    pen.polygon(points, (255, 228, 110), line=False)


def _crown(pen: Pen) -> None:
    pen.polygon([(45, 43), (42, 22), (53, 32.5), (64, 17), (75, 32.5), (86, 22), (83, 43)], GOLD)
    pen.smooth([(45, 37), (64, 39.5), (83, 37), (83, 43), (64, 45.5), (45, 43)], shade(GOLD, -0.16))
    for x, y in ((42, 21), (64, 16), (86, 21)):
        pen.ellipse(x, y, 2.6, 2.6, (222, 54, 62))
    for x, colour in ((53, (52, 112, 205)), (64, (222, 54, 62)), (75, (52, 112, 205))):
        pen.ellipse(x, 41 + (0.8 if x == 64 else 0), 2.3, 2.3, colour, line=False)


def _headphones(pen: Pen) -> None:
    red, dark = (222, 56, 58), (52, 52, 60)
    pen.limb([(39, 54), (41, 38), (51, 29), (64, 26.5), (77, 29), (87, 38), (89, 54)], dark, 4.6)
    for side in (-1, 1):
        pen.ellipse(64 + side * 26, 55, 6.2, 10.5, red)
        pen.ellipse(64 + side * 28, 55, 3.2, 6.4, dark, line=False)


def _top_hat(pen: Pen) -> None:
    black, sheen = (40, 40, 48), (92, 92, 106)
    pen.smooth([(48, 41), (46.5, 26), (45, 12), (64, 10), (83, 12), (81.5, 26), (80, 41), (64, 43)], black)
    pen.polygon([(47.3, 33), (80.7, 33), (80.4, 39.5), (47.6, 39.5)], (205, 44, 52), line=False)
    pen.stroke([(52, 16), (53, 29)], sheen, 2.4)
    pen.ellipse(64, 42.5, 28.5, 4.6, black)
