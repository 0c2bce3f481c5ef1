"""The animals: tail, belly, ears and face of each, on the skeleton that all share."""

from __future__ import annotations

import math

from .pen import Colour, Pen, shade
from .skeleton import BLACK, PINK, WHITE, Animal, Coat, eyes, feet, round_belly, smile, whiskers

# ---------------------------------------------------------------- otter


def _otter_behind(pen: Pen, coat: Coat) -> None:
    pen.smooth(
        [(72, 104), (84, 110), (98, 104), (107, 90), (111, 92), (107, 108), (96, 119), (80, 121), (68, 117)], coat.main
    )


def _otter_front(pen: Pen, coat: Coat, animal: Animal) -> None:
    feet(pen, coat.dark, 9.5, 8)
    pen.smooth([(54, 72), (74, 72), (74.5, 94), (70, 111), (58, 111), (53.5, 94)], coat.light, line=False)


def _otter_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * 21.5, 47, 4.6, 4.6, coat.main)
        pen.ellipse(64 + side * 21.2, 47.4, 2.2, 2.2, coat.dark, line=False)


def _otter_face(pen: Pen, coat: Coat) -> None:
    pen.smooth([(64, 35), (79, 39), (88, 52), (84, 66), (64, 73), (44, 66), (40, 52), (49, 39)], coat.main)
    pen.smooth(
        [(64, 55), (76, 54), (85, 60), (80, 68), (64, 72.5), (48, 68), (43, 60), (52, 54)], coat.light, line=False
    )
    whiskers(pen, 62, coat.dark, 33)
    for side in (-1, 1):
        pen.ellipse(64 + side * 5.8, 61.5, 6.6, 5, shade(coat.light, 0.55), line=False)
    eyes(pen, 12, 50)
    pen.smooth([(57.6, 54.4), (64, 53), (70.4, 54.4), (67.5, 58.6), (64, 60), (60.5, 58.6)], BLACK, line=False)
    smile(pen, 61.5)


# ---------------------------------------------------------------- bear, panda


def _bear_behind(pen: Pen, coat: Coat) -> None:
    pen.ellipse(86, 106, 6, 6, coat.main)


def _bear_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * 18, 36, 8.6, 8.6, coat.main)
        pen.ellipse(64 + side * 18, 36.5, 4.6, 4.6, coat.light, line=False)


def _bear_face(pen: Pen, coat: Coat) -> None:
    pen.ellipse(64, 54, 22.5, 19, coat.main)
    pen.ellipse(64, 61.5, 10.5, 8.4, coat.light, line=False)
    eyes(pen, 9.5, 49.5, 2.6)
    pen.ellipse(64, 58, 4.6, 3.3, BLACK, line=False)
    pen.stroke([(64, 60), (64, 64)], BLACK, 1.2)
    smile(pen, 64, 4.5)


def _panda_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * 18, 37, 8, 8, coat.dark)


def _panda_face(pen: Pen, coat: Coat) -> None:
    pen.ellipse(64, 54, 23, 19, coat.light)
    for side in (-1, 1):
        pen.ellipse(64 + side * 10, 52, 5.4, 7.4, coat.dark, line=False, turn=side * 28)
        pen.ellipse(64 + side * 9, 51, 2.2, 2.5, WHITE, line=False)
        pen.ellipse(64 + side * 8.8, 51.3, 1.3, 1.5, BLACK, line=False)
    pen.ellipse(64, 60, 4, 2.8, BLACK, line=False)
    smile(pen, 63, 4.5)


def _panda_front(pen: Pen, coat: Coat, animal: Animal) -> None:
    feet(pen, coat.dark, animal.hip * 0.62, 9)
    pen.ellipse(64, 96, animal.belly * 0.8, 17, coat.light, line=False)


def _no_tail(pen: Pen, coat: Coat) -> None:
    return


# ---------------------------------------------------------------- cat, fox, dog


def _cat_behind(pen: Pen, coat: Coat) -> None:
    pen.limb([(78, 112), (94, 113), (103, 102), (100, 88), (105, 80)], coat.main, 5.5)
    pen.stroke([(101, 86), (105, 80)], coat.dark, 5.5)


def _cat_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.polygon([(64 + side * 7, 38), (64 + side * 22, 24), (64 + side * 24, 48)], coat.main)
        pen.polygon([(64 + side * 12, 38), (64 + side * 20, 30), (64 + side * 21.4, 43)], PINK, line=False)


def _cat_face(pen: Pen, coat: Coat) -> None:
    pen.smooth([(64, 36), (80, 40), (88, 56), (78, 69), (64, 73), (50, 69), (40, 56), (48, 40)], coat.main)
    for x, top in ((-5, 39), (0, 37.5), (5, 39)):
        pen.stroke([(64 + x, top), (64 + x * 0.7, 44)], coat.dark, 2)
    for side in (-1, 1):
        for y in (57, 62):
            pen.stroke([(64 + side * 23, y - 1), (64 + side * 17.5, y)], coat.dark, 1.8)
    pen.ellipse(64, 64, 9, 6, coat.light, line=False)
    whiskers(pen, 63, shade(coat.dark, -0.3), 31)
    for side in (-1, 1):
        pen.ellipse(64 + side * 9.5, 52, 4.6, 4.4, (168, 210, 90))
        pen.ellipse(64 + side * 9.5, 52, 1.5, 3.9, BLACK, line=False)
    pen.polygon([(61, 59.5), (67, 59.5), (64, 63)], PINK, line=False)
    smile(pen, 63.5, 4.5)


def _fox_behind(pen: Pen, coat: Coat) -> None:
    pen.smooth([(74, 112), (88, 114), (104, 106), (113, 88), (108, 72), (98, 84), (88, 96), (74, 104)], coat.main)
    pen.smooth([(108, 72), (114, 86), (110, 95), (105, 90), (99, 89), (100, 82)], WHITE)


def _fox_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.polygon([(64 + side * 5, 40), (64 + side * 20, 19), (64 + side * 25, 48)], coat.main)
        pen.polygon([(64 + side * 14.5, 27), (64 + side * 20, 19), (64 + side * 22, 30)], coat.dark, line=False)


def _fox_face(pen: Pen, coat: Coat) -> None:
    pen.smooth([(64, 36), (79, 39), (92, 58), (77, 68), (64, 75), (51, 68), (36, 58), (49, 39)], coat.main)
    for side in (-1, 1):
        pen.smooth(
            [(64, 74), (64 + side * 2, 62), (64 + side * 10, 56), (64 + side * 26, 58.5), (64 + side * 13, 68)],
            WHITE,
            line=False,
        )
    eyes(pen, 10, 51.5, 2.7)
    pen.ellipse(64, 70, 3.6, 2.9, BLACK, line=False)


def _dog_behind(pen: Pen, coat: Coat) -> None:
    pen.limb([(80, 108), (94, 102), (100, 90)], coat.main, 7)


def _dog_ears(pen: Pen, coat: Coat) -> None:
    return  # They hang over the head: drawn with the face.


def _dog_face(pen: Pen, coat: Coat) -> None:
    pen.smooth([(64, 35), (80, 39), (86, 54), (80, 68), (64, 73), (48, 68), (42, 54), (48, 39)], coat.main)
    for side in (-1, 1):
        pen.smooth(
            [
                (64 + side * 15, 39),
                (64 + side * 25, 42),
                (64 + side * 31, 60),
                (64 + side * 26, 70),
                (64 + side * 20, 60),
            ],
            coat.dark,
        )
    pen.smooth([(64, 46), (73, 58), (75, 68), (64, 73), (53, 68), (55, 58)], coat.light, line=False)
    eyes(pen, 9.5, 51.5, 2.8)
    pen.polygon([(60, 68), (68, 68), (67.5, 75), (64, 77.5), (60.5, 75)], (235, 105, 115))
    pen.smooth([(58, 58.5), (64, 57), (70, 58.5), (67, 62.6), (64, 63.8), (61, 62.6)], BLACK, line=False)
    smile(pen, 66, 6.5)


# ---------------------------------------------------------------- rabbit, owl, penguin


def _rabbit_behind(pen: Pen, coat: Coat) -> None:
    pen.ellipse(85, 108, 7.5, 7.5, shade(coat.main, 0.5))


def _rabbit_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * 17.5, 24, 6.4, 21, coat.main, turn=side * 15)
        pen.ellipse(64 + side * 17.8, 23.5, 3.1, 16, PINK, line=False, turn=side * 15)


def _rabbit_face(pen: Pen, coat: Coat) -> None:
    pen.smooth([(64, 36), (78, 40), (85, 56), (78, 69), (64, 73), (50, 69), (43, 56), (50, 40)], coat.main)
    for side in (-1, 1):
        pen.ellipse(64 + side * 16, 63, 4, 2.8, (245, 185, 185), line=False)
    pen.box(61, 65, 67, 71.5, WHITE)
    for side in (-1, 1):
        pen.ellipse(64 + side * 5, 63, 5.8, 4.4, coat.light, line=False)
    eyes(pen, 9.5, 52.5, 3)
    pen.polygon([(61, 57.5), (67, 57.5), (64, 61)], (225, 110, 125), line=False)
    smile(pen, 61.5, 4.5)


def _owl_front(pen: Pen, coat: Coat, animal: Animal) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * 9, 117.5, 6, 3, (238, 160, 50))
    pen.ellipse(64, 96, animal.belly * 0.74, 19, coat.light, line=False)
    for row, y in enumerate((86, 93, 100, 107)):
        for x in range(-2 + row % 2, 3, 2):
            pen.stroke([(60.5 + x * 4, y), (64 + x * 4, y + 2.6), (67.5 + x * 4, y)], coat.dark, 1.3)


def _owl_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.polygon([(64 + side * 7, 39), (64 + side * 25, 27), (64 + side * 23, 50)], coat.dark)


def _owl_face(pen: Pen, coat: Coat) -> None:
    pen.ellipse(64, 54, 24, 19, coat.main)
    for side in (-1, 1):
        pen.ellipse(64 + side * 10.5, 53, 11.5, 12.5, coat.light, line=False)
        pen.ellipse(64 + side * 10.5, 52.5, 7.2, 7.2, (250, 200, 60))
        pen.ellipse(64 + side * 10.5, 52.5, 3.9, 3.9, BLACK, line=False)
        pen.ellipse(64 + side * 10.5 + 1.4, 51, 1.3, 1.3, WHITE, line=False)
    pen.polygon([(59.5, 58), (68.5, 58), (64, 67)], (240, 150, 45))


def _penguin_front(pen: Pen, coat: Coat, animal: Animal) -> None:
    for side in (-1, 1):
        pen.ellipse(64 + side * 11, 117, 10, 4.5, (245, 180, 45))
    pen.ellipse(64, 96, animal.belly * 0.76, 20, coat.light, line=False)


def _penguin_face(pen: Pen, coat: Coat) -> None:
    pen.ellipse(64, 54, 20.5, 19, coat.main)
    for side in (-1, 1):
        pen.ellipse(64 + side * 7, 52, 6.2, 8, WHITE, line=False)
        pen.ellipse(64 + side * 5.8, 53, 2.4, 3, BLACK, line=False)
    pen.smooth([(51, 63), (58, 58.5), (64, 57), (70, 58.5), (77, 63), (70, 68.5), (64, 70), (58, 68.5)], (248, 185, 50))
    pen.stroke([(52.5, 63), (64, 65), (75.5, 63)], (190, 120, 20), 1.1)


# ---------------------------------------------------------------- robot, hedgehog


def _robot_front(pen: Pen, coat: Coat, animal: Animal) -> None:
    for side in (-1, 1):
        pen.box(64 + side * 10 - 8, 112, 64 + side * 10 + 8, 121, coat.dark)
    pen.box(64 - animal.shoulder, 73, 64 + animal.shoulder, 113, coat.main)
    pen.box(53, 84, 75, 104, coat.light)
    pen.stroke([(56, 90), (63, 90)], coat.dark, 1.6)
    pen.stroke([(56, 94), (61, 94)], coat.dark, 1.6)
    for x, colour in ((57, (222, 54, 62)), (64, (250, 204, 62)), (71, (76, 190, 90))):
        pen.ellipse(x, 99.5, 2.3, 2.3, colour, line=False)
    pen.ellipse(70, 91, 3.4, 3.4, (80, 170, 230), line=False)


def _robot_ears(pen: Pen, coat: Coat) -> None:
    pen.limb([(64, 36), (64, 24)], coat.dark, 2.0)
    pen.ellipse(64, 22, 4, 4, (222, 54, 62))
    for side in (-1, 1):
        pen.box(64 + side * 25 - 3.5, 47, 64 + side * 25 + 3.5, 61, coat.dark)


def _robot_face(pen: Pen, coat: Coat) -> None:
    pen.smooth([(41, 36), (64, 34.5), (87, 36), (88, 54), (87, 72), (64, 73.5), (41, 72), (40, 54)], coat.main)
    pen.box(45, 42.5, 83, 59, (36, 44, 62), line=False)
    for side in (-1, 1):
        pen.ellipse(64 + side * 10, 50.8, 5.2, 5.2, (98, 236, 250), line=False)
        pen.ellipse(64 + side * 10, 50.8, 2.0, 2.0, WHITE, line=False)
    pen.box(53, 63.5, 75, 69, coat.light)
    for x in (58.5, 64, 69.5):
        pen.stroke([(x, 63.5), (x, 69)], coat.dark, 1.3)


def _spikes(pen: Pen, y: float, inner: float, outer: float, colour: Colour, droop: float) -> None:
    """Spines about (64, y), upwards and to both sides; ``droop``: how far below the horizontal, in radians."""
    points, count = [], 36
    for index in range(count + 1):
        radius = outer if index % 2 else inner
        angle = math.pi - droop + index * (math.pi + 2 * droop) / count
        points.append((64 + radius * math.cos(angle), y + radius * math.sin(angle)))
    pen.polygon(points, colour)


def _hedgehog_behind(pen: Pen, coat: Coat) -> None:
    _spikes(pen, 96, 25, 33, coat.dark, 0.9)


def _hedgehog_ears(pen: Pen, coat: Coat) -> None:
    _spikes(pen, 56, 24, 34, coat.dark, 0.25)
    _spikes(pen, 57, 20, 28, shade(coat.dark, 0.3), 0.25)
    for side in (-1, 1):
        pen.ellipse(64 + side * 20, 44, 5, 5, coat.main)


def _hedgehog_face(pen: Pen, coat: Coat) -> None:
    pen.smooth(
        [(64, 46), (72, 40), (82, 47), (84, 58), (74, 67), (64, 74), (54, 67), (44, 58), (46, 47), (56, 40)], coat.light
    )
    eyes(pen, 9, 52, 2.9)
    pen.ellipse(64, 63, 4.8, 4, BLACK, line=False)
    smile(pen, 67, 4)


def _coat(main: Colour, light: Colour, dark: Colour) -> Coat:
    return Coat(main=main, light=light, dark=dark)


KINDS: dict[str, Animal] = {
    "otter": Animal(
        coat=_coat((132, 88, 56), (228, 200, 164), (78, 50, 34)), shoulder=14.5, belly=15.5, hip=16,
        behind=_otter_behind, front=_otter_front, ears=_otter_ears, face=_otter_face,
        eyes=(11.5, 50.5, 8.4),
    ),
    "bear": Animal(
        coat=_coat((104, 62, 34), (206, 160, 110), (66, 38, 22)), shoulder=20, belly=24, hip=24,
        behind=_bear_behind, front=round_belly, ears=_bear_ears, face=_bear_face,
    ),
    "panda": Animal(
        coat=_coat((44, 42, 48), (246, 244, 240), (40, 38, 44)), shoulder=20, belly=23.5, hip=23,
        behind=_no_tail, front=_panda_front, ears=_panda_ears, face=_panda_face,
    ),
    "cat": Animal(
        coat=_coat((148, 150, 160), (238, 236, 236), (86, 88, 100)), shoulder=14, belly=17.5, hip=19,
        behind=_cat_behind, front=round_belly, ears=_cat_ears, face=_cat_face,
    ),
    "fox": Animal(
        coat=_coat((232, 118, 38), (250, 240, 226), (62, 36, 28)), shoulder=14, belly=17.5, hip=18.5,
        behind=_fox_behind, front=round_belly, ears=_fox_ears, face=_fox_face,
    ),
    "dog": Animal(
        coat=_coat((226, 178, 104), (250, 238, 214), (130, 80, 40)), shoulder=16, belly=18.5, hip=19.5,
        behind=_dog_behind, front=round_belly, ears=_dog_ears, face=_dog_face,
    ),
    "rabbit": Animal(
        coat=_coat((226, 222, 222), (252, 250, 250), (190, 184, 188)), shoulder=14, belly=17.5, hip=18.5,
        behind=_rabbit_behind, front=round_belly, ears=_rabbit_ears, face=_rabbit_face,
    ),
    "owl": Animal(
        coat=_coat((150, 106, 92), (240, 218, 186), (96, 62, 56)), shoulder=18.5, belly=21.5, hip=18,
        behind=_no_tail, front=_owl_front, ears=_owl_ears, face=_owl_face, wings=True,
        eyes=(10.5, 52.5, 9.6),
    ),
    "penguin": Animal(
        coat=_coat((40, 44, 60), (248, 248, 246), (30, 32, 44)), shoulder=17, belly=21.5, hip=21,
        behind=_no_tail, front=_penguin_front, ears=_no_tail, face=_penguin_face, wings=True,
        eyes=(8.6, 52.0, 7.6),
    ),
    "robot": Animal(
        coat=_coat((160, 172, 186), (220, 228, 234), (88, 100, 118)), shoulder=18, belly=18, hip=17,
        behind=_no_tail, front=_robot_front, ears=_robot_ears, face=_robot_face, eyes=(10.5, 50.8, 8.8),
    ),
    "hedgehog": Animal(
        coat=_coat((214, 176, 134), (246, 224, 192), (96, 74, 62)), shoulder=16, belly=20, hip=20,
        behind=_hedgehog_behind, front=round_belly, ears=_hedgehog_ears, face=_hedgehog_face, eyes=(9.4, 52.0, 7.8),
    ),
}  # fmt: skip
