"""The size of a request's pictures, from the request, its input picture and the model. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models import resolution
from ..models.entries import ModelEntry
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from .refusal import problem

_FAR = 1.1
"""Aspect ratios that differ from the requested one by more than this factor get a note."""


@dataclass(kw_only=True)
class Size:
    """A size in pixels; the model's usual one where there are problems."""

    width: int
    height: int
    canvas: tuple[int, int] | None = None
    """With a mask, the size that is drawn if it differs: the picture padded at the right and lower edge to the model's
    multiples. The padding is cropped afterwards."""
    notes: list[str] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)


def find_size(
    request: ImageRequest,
    entry: ModelEntry,
    picture: tuple[int, int] | None,
    usual: tuple[int, int] | None = None,
) -> Size:
    """As typed, else of the requested shape, else the input picture's (`resolution.of_picture`), else the ``usual``
    one, else the model's own.

    With a mask the picture keeps its size if the model can draw it: scaling would change every unmasked pixel.
    ``picture``: width and height of the init image, else of the ControlNet picture.
    """
    size = Size(width=entry.defaults.width, height=entry.defaults.height)
    if picture is not None and (canvas := _unscaled(request, picture, entry)) is not None:
        size.width, size.height = picture
        size.canvas = canvas if canvas != picture else None
    elif request.aspect is not None:
        _of_aspect(size, request, request.aspect, entry)
    elif request.width is None and request.height is None:
        if picture is not None:
            size.width, size.height = resolution.of_picture(picture, entry.limits, size.width * size.height)
        elif usual is not None:
            size.width, size.height = usual
    elif not (problems := _outside(request, entry)):
        _of_sides(size, request, entry, picture)
    else:
        size.problems += problems
    return size


def _unscaled(request: ImageRequest, picture: tuple[int, int], entry: ModelEntry) -> tuple[int, int] | None:
    """The canvas for inpainting at the picture's own size: where the request names no size, or that one."""
    asked = (request.width, request.height)
    if request.mask is None or request.aspect is not None or asked not in ((None, None), picture):
        return None
    return resolution.around(picture, entry.limits)


def _of_aspect(size: Size, request: ImageRequest, aspect: str, entry: ModelEntry) -> None:
    shape = resolution.shape(aspect)
    if request.width is not None or request.height is not None:
        sentence = "A shape takes the place of width and height; give one or the other."
        size.problems.append(problem("aspect", "conflict", sentence))
    elif shape is None:
        size.problems.append(problem("aspect", "bad_aspect", resolution.EXPECTED))
    else:
        size.width, size.height = resolution.of_aspect(shape, entry.limits, size.width * size.height)
        came = size.width / size.height
        if max(came / shape, shape / came) > _FAR:
            size.notes.append(
                f"{aspect} was drawn at {size.width}x{size.height}, the nearest that {entry.name} draws: sides from "
                f"{entry.limits.size_min} to {entry.limits.size_max} pixels."
            )


def _outside(request: ImageRequest, entry: ModelEntry) -> list[FieldProblem]:
    limits = entry.limits
    sentence = (
        f"{entry.name} draws sides from {limits.size_min} to {limits.size_max} pixels, "
        f"in multiples of {limits.size_multiple}."
    )
    asked = (request.width or entry.defaults.width, request.height or entry.defaults.height)
    width, height = resolution.closest(asked, limits)
    details = {"least": limits.size_min, "most": limits.size_max, "width": width, "height": height}
    return [
        problem(name, "bad_size", sentence, model=entry.name, **details)
        for name, side in (("width", request.width), ("height", request.height))
        if side is not None and not limits.size_min <= side <= limits.size_max
    ]


def _of_sides(size: Size, request: ImageRequest, entry: ModelEntry, picture: tuple[int, int] | None) -> None:
    """A single requested side: the other one follows from the picture's shape, or the model's usual one."""
    limits, asked = entry.limits, (request.width, request.height)
    width, height = asked
    if width is not None and height is not None:
        width, height = resolution.rounded((width, height), limits)
        said = f"{asked[0]}x{asked[1]} was rounded to {width}x{height}"
    elif width is not None:
        width = resolution.nearest(width, limits)
        height = size.height if picture is None else resolution.nearest(width * picture[1] / picture[0], limits)
        said = f"A width of {asked[0]} was rounded to {width}"
    else:
        height = resolution.nearest(height or 0, limits)
        width = size.width if picture is None else resolution.nearest(height * picture[0] / picture[1], limits)
        said = f"A height of {asked[1]} was rounded to {height}"
    if width * height > limits.pixels_max:
        width, height = resolution.closest((width, height), limits)
        sentence = f"{entry.name} draws at most {limits.pixels_max / 1e6:.2f} megapixels, such as {width}x{height}."
        size.problems.append(problem("width", "too_large", sentence, model=entry.name, width=width, height=height))
        return
    size.width, size.height = width, height
    if (asked[0] or width, asked[1] or height) != (width, height):
        size.notes.append(f"{said}: {entry.name} draws multiples of {limits.size_multiple}.")
