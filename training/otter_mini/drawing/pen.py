"""A pen for a supersampled picture: positions in units of a 128×128 canvas, filled shapes with one kind of outline."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128
"""Side of the canvas in units."""
NOTCH = 1.0
"""Pixels of the sheet. A round joint fills what gapes wider than this where a line turns."""

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (46, 32, 38)


def shade(colour: Colour, amount: float) -> Colour:
    """Towards white (``amount`` > 0) or black (< 0); ±1 is all the way."""
    target = 255 if amount > 0 else 0
    share = min(abs(amount), 1.0)
    red, green, blue = (round(part + (target - part) * share) for part in colour)
    return red, green, blue


def warm(colour: Colour, amount: float) -> Colour:
    """Turn the hue by ``amount`` of a circle."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb((hue + amount) % 1.0, light, saturation))
    return red, green, blue


class Pen:
    """Draws on ``image``, which has ``scale`` pixels per unit. ``line``: width of outlines in units, 0 for none.
    ``ink``: their colour, or ``None`` for a darker shade of the fill. ``move`` shifts what is drawn after it."""

    def __init__(self, *, line: float, ink: Colour | None, scale: int) -> None:
        self.image = Image.new("RGB", (SIZE * scale, SIZE * scale), (255, 255, 255))
        self._pixels = scale
        self._draw = ImageDraw.Draw(self.image)
        self._line, self._ink = line, ink
        self._dx = 0.0
        self.night = False
        """Whether colours are those of the night."""

    def move(self, dx: float) -> None:
        self._dx = dx

    def point(self, x: float, y: float) -> Point:
        return (x + self._dx) * self._pixels, y * self._pixels

    def polygon(self, points: Sequence[Point], fill: Colour, *, line: bool = True) -> None:
        corners = [self.point(*point) for point in points]
        fill = self._lit(fill)
        self._draw.polygon(corners, fill=fill)
        if line and self._line:
            self._trace([*corners, *corners[:2]], self._outline(fill), self._line)

    def smooth(self, points: Sequence[Point], fill: Colour, *, line: bool = True) -> None:
        """A closed curve through the points (Catmull–Rom)."""
        self.polygon(_spline(points, closed=True), fill, line=line)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: Colour, *, line: bool = True, turn: float = 0.0
    ) -> None:
        """``turn`` in degrees, clockwise."""
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        points = []
        for step in range(40):
            angle = step * math.tau / 40
            u, v = rx * math.cos(angle), ry * math.sin(angle)
            points.append((x + u * cos - v * sin, y + u * sin + v * cos))
        self.polygon(points, fill, line=line)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, *, line: bool = True) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, line=line)

    def stroke(self, points: Sequence[Point], colour: Colour, width: float, *, curve: bool = True) -> None:
        """An open line with round ends, without outline."""
        colour = self._lit(colour)
        path = _spline(points, closed=False) if curve and len(points) > 2 else list(points)
        self._trace([self.point(*point) for point in path], colour, width)

    def limb(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """A stroke with an outline: an arm, a leg, a thin tail."""
        if self._line:
            self.stroke(points, self._outline(colour), width + 2 * self._line)
        self.stroke(points, colour, width)

    def glass(self, x: float, y: float, rx: float, ry: float, colour: Colour, share: float) -> None:
        """An ellipse that lets what is behind it through: ``share`` is how much of ``colour`` is seen."""
        left, top = self.point(x - rx, y - ry)
        right, bottom = self.point(x + rx, y + ry)
        box = round(left), round(top), round(right), round(bottom)
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
        ImageDraw.Draw(mask).ellipse((0, 0, mask.width - 1, mask.height - 1), fill=round(255 * share))
        self.image.paste(colour, box, mask)

    def gradient(self, top: Colour, bottom: Colour, y0: float = 0, y1: float = SIZE) -> None:
        """Over the whole width, from ``y0`` to ``y1``, not moved with the subject."""
        top, bottom = self._lit(top), self._lit(bottom)
        first, last = max(0, round(y0 * self._pixels)), min(self.image.height, round(y1 * self._pixels))
        shares = (np.arange(first, last) / self._pixels - y0)[:, None] / (y1 - y0)
        colours = np.rint(np.array(top) + (np.array(bottom) - np.array(top)) * shares).astype(np.uint8)
        column = Image.fromarray(colours[:, None])
        self.image.paste(column.resize((self.image.width, last - first), Image.Resampling.NEAREST), (0, first))

    def _lit(self, colour: Colour) -> Colour:
        if not self.night:
            return colour
        red, green, blue = colour
        return round(red * 0.3), round(green * 0.36), round(24 + blue * 0.46)

    def _outline(self, fill: Colour) -> Colour:
        return self._ink if self._ink is not None else shade(fill, -0.35)

    def _trace(self, path: Sequence[Point], colour: Colour, width: float) -> None:
        thick = max(1, round(width * self._pixels))
        self._draw.line(list(path), fill=colour, width=thick)
        # Not by joint="curve": it draws a slice of a circle at each of a curve's many points, which takes longer than
        # everything else.
        radius = thick / 2
        for x, y in (path[0], path[-1], *_corners(path, NOTCH / radius)):
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _corners(path: Sequence[Point], turn: float) -> list[Point]:
    """The inner points at which the path turns by more than ``turn`` radians."""
    found = []
    for before, here, behind in zip(path, path[1:], path[2:], strict=False):
        into = math.atan2(here[1] - before[1], here[0] - before[0])
        out = math.atan2(behind[1] - here[1], behind[0] - here[0])
        if abs(math.remainder(out - into, math.tau)) > turn:
            found.append(here)
    return found


def _spline(points: Sequence[Point], *, closed: bool, steps: int = 8) -> list[Point]:
    count = len(points)
    curve: list[Point] = []
    for index in range(count if closed else count - 1):
        if closed:
            p0, p1, p2, p3 = (points[(index + k) % count] for k in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = (points[min(max(index + k, 0), count - 1)] for k in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            curve.append((_blend(p0[0], p1[0], p2[0], p3[0], t), _blend(p0[1], p1[1], p2[1], p3[1], t)))
    if not closed:
        curve.append(points[-1])
    return curve


def _blend(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
