"""The contact sheet of a job's pictures: how many columns, and whether its titles fit."""

from __future__ import annotations

import math

from ..sampling import tiles
from ..schemas.requests import SheetRequest
from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import ResolvedSheet
from .refusal import Refused, problem

Pair = tuple[int, int]

EMPTY_COST = 1.0
"""Weighs empty fields against a sheet that is not square: three square pictures are two rows of two, but four upright
ones are not two rows of three."""


def added(request: ResolvedRequest, asked: SheetRequest | ResolvedSheet | None) -> ResolvedRequest:
    """A whole job's request, with the sheet that was asked for.

    :raises Refused: :raises pydantic.ValidationError: it was resolved before, and is none
    """
    if asked is None:
        return request
    if isinstance(asked, ResolvedSheet):
        asked = SheetRequest.model_validate(asked.model_dump())
    count = request.count
    if count < 2:
        raise Refused([problem("sheet", "too_few", "A sheet takes at least two pictures.", least=2)])
    columns = min(asked.columns or near_square(count, tiles.final(request)), count)
    rows = -(-count // columns)
    wanted = (("column_titles", columns), ("row_titles", rows), ("titles", count))
    wrong = [
        problem(f"sheet.{name}", "wrong_count", f"Expected {number} titles, or none.", least=number, most=number)
        for name, number in wanted
        if len(getattr(asked, name)) not in (0, number)
    ]
    if wrong:
        raise Refused(wrong)
    titles = {name: getattr(asked, name) for name, _ in wanted}
    return request.model_copy(update={"sheet": ResolvedSheet(columns=columns, caption=asked.caption, **titles)})


def near_square(count: int, size: Pair) -> int:
    """The number of columns that makes a sheet of ``count`` pictures of that size nearly square, with few empty fields.
    Of two that are as good, the narrower sheet: on a phone its pictures are larger."""
    width, height = size

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        empty = (rows * columns - count) / count
        return abs(math.log(columns * width / (rows * height))) + EMPTY_COST * empty

    return min(range(1, count + 1), key=lambda columns: (round(cost(columns), 6), columns))
