"""The contact sheet of a job's pictures: how many columns, and whether its titles fit."""

from __future__ import annotations

import math

from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from ..schemas.resolved import ResolvedSheet
from .refusal import problem

Pair = tuple[int, int]

EMPTY_COST = 1.0
"""Weighs empty fields against a sheet that is not square: three square pictures are two rows of two, but four upright
ones are not two rows of three."""


def find(request: ImageRequest, size: Pair) -> tuple[ResolvedSheet | None, list[FieldProblem]]:
    """The sheet, and what is wrong with it. ``size``: of a finished picture."""
    asked, count = request.sheet, request.count
    if asked is None:
        return None, []
    if count < 2:
        return None, [problem("sheet", "too_few", "A sheet takes at least two pictures.", least=2)]
    columns = min(asked.columns or near_square(count, size), count)
    rows = -(-count // columns)
    wanted = (("column_titles", columns), ("row_titles", rows), ("titles", count))
    wrong = [
        problem(f"sheet.{name}", "wrong_count", f"Expected {number} titles, or none.", least=number, most=number)
        for name, number in wanted
        if len(getattr(asked, name)) not in (0, number)
    ]
    titles = {name: getattr(asked, name) for name, _ in wanted}
    return ResolvedSheet(columns=columns, caption=asked.caption, **titles), wrong


def near_square(count: int, size: Pair) -> int:
    """The number of columns that makes a sheet of ``count`` pictures of that size nearly square, with few empty fields.
    Of two that are as good, the narrower sheet: on a phone its pictures are larger."""
    width, height = size

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        empty = (rows * columns - count) / count
        return abs(math.log(columns * width / (rows * height))) + EMPTY_COST * empty

    return min(range(1, count + 1), key=lambda columns: (round(cost(columns), 6), columns))
